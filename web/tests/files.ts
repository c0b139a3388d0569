// The files that the tests of Python use too, and shorthands.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const TESTS = fileURLToPath(new URL("../../../tests/", import.meta.url)); // from web/build/tests

export function bytesOf(path: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(readFileSync(TESTS + path));
}

export function jsonOf<T>(path: string): T {
  return JSON.parse(readFileSync(TESTS + path, "utf8")) as T;
}

export function hex(text: string): Uint8Array {
  return Uint8Array.from(text.match(/[0-9a-f]{2}/g) ?? [], (byte) => parseInt(byte, 16));
}

/** The name of the error that a call ends in, or "none". */
export async function errorOf(call: () => unknown): Promise<string> {
  try {
    await call();
  } catch (error) {
    return (error as Error).name;
  }
  return "none";
}

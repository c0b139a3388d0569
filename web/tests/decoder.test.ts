// The golden and the broken files, decoded with the model that they were made with. S2LIC_MODELS is a folder with its
// graphs, and S2LIC_SAMPLES one with the samples that Python decodes; tests/web/test_node.py makes both.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { decoderOf } from "../src/node.ts";
import { bytesOf, errorOf, jsonOf } from "./files.ts";

const MODELS = process.env.S2LIC_MODELS, SAMPLES = process.env.S2LIC_SAMPLES;
const skip = MODELS && SAMPLES ? false : "S2LIC_MODELS and S2LIC_SAMPLES are not set: run pytest tests/web";
const decoder = decoderOf(MODELS ?? "");

function largestDifference(a: Uint8ClampedArray, b: Uint8Array): number {
  assert.equal(a.length, b.length);
  return a.reduce((most, value, at) => Math.max(most, Math.abs(value - b[at])), 0);
}

for (const name of SAMPLES ? readdirSync(SAMPLES).filter((name) => name.endsWith(".s2lic")) : []) {
  test(`${name} has the symbols of Python, and its samples within one level`, async () => {
    const { rgba } = await decoder.decode(new Uint8Array(readFileSync(`${SAMPLES}/${name}`)));
    const expected = new Uint8Array(readFileSync(`${SAMPLES}/${name.replace(".s2lic", ".rgba")}`));
    assert.ok(largestDifference(rgba, expected) <= 1);
  });
}

const CORPUS = jsonOf<Record<string, { decode: string }>>("corrupt/manifest.json");
for (const [name, { decode }] of Object.entries(CORPUS)) {
  test(`decoding ${name} ends in ${decode}`, { skip }, async () => {
    assert.equal(await errorOf(() => decoder.decode(bytesOf(`corrupt/${name}.s2lic`))), decode);
  });
}

const MUTANTS = SAMPLES ? jsonLines(`${SAMPLES}/mutants.json`) : [];

function jsonLines(path: string): { name: string; data: string; error: string }[] {
  return JSON.parse(readFileSync(path, "utf8")) as { name: string; data: string; error: string }[];
}

test("mutated files end in the error that they end in in Python, or in none", { skip }, async () => {
  for (const { name, data, error } of MUTANTS) {
    const bytes = new Uint8Array(Buffer.from(data, "base64"));
    assert.equal(await errorOf(() => decoder.decode(bytes)), error, name);
  }
});

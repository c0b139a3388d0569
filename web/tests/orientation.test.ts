import assert from "node:assert/strict";
import { test } from "node:test";
import { orientationOf, upright } from "../src/picture/orientation.ts";
import { hex } from "./files.ts";

// A picture of three columns and two rows, and what each orientation makes of it (Exif 2.3, tag 0x0112).
const STORED = [1, 2, 3, 4, 5, 6];
const UPRIGHT: Record<number, number[]> = {
  1: [1, 2, 3, 4, 5, 6], 2: [3, 2, 1, 6, 5, 4], 3: [6, 5, 4, 3, 2, 1], 4: [4, 5, 6, 1, 2, 3],
  5: [1, 4, 2, 5, 3, 6], 6: [4, 1, 5, 2, 6, 3], 7: [6, 3, 5, 2, 4, 1], 8: [3, 6, 2, 5, 1, 4],
};

test("every orientation turns the pixels upright", () => {
  for (const [orientation, expected] of Object.entries(UPRIGHT)) {
    const pixels = new Uint8ClampedArray(Uint32Array.from(STORED).buffer);
    const turned = upright(pixels, 3, 2, Number(orientation));
    assert.deepEqual([...new Uint32Array(turned.pixels.buffer)], expected, orientation);
    assert.deepEqual([turned.width, turned.height], Number(orientation) > 4 ? [2, 3] : [3, 2]);
  }
});

test("Exif tells the orientation in both byte orders, XMP where there is none, and broken blocks tell nothing", () => {
  const little = hex("49492a0008000000" + "0100" + "120103000100000006000000" + "00000000");
  const big = hex("4d4d002a00000008" + "0001" + "011200030000000100080000" + "00000000");
  const xmp = new TextEncoder().encode('<x tiff:Orientation="3"/>'), none = new Uint8Array();
  assert.equal(orientationOf(little, xmp), 6);
  assert.equal(orientationOf(big, none), 8);
  assert.equal(orientationOf(none, xmp), 3);
  assert.equal(orientationOf(none, none), 1);
  for (let end = 0; end < 20; end++) assert.equal(orientationOf(little.subarray(0, end), none), 1, `${end} bytes`);
});

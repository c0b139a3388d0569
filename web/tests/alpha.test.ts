import assert from "node:assert/strict";
import { test } from "node:test";
import { unpack } from "../src/container/boxes.ts";
import { unpackAlpha } from "../src/picture/alpha.ts";
import { bytesOf, errorOf, hex } from "./files.ts";

// lzma.compress(bytes(range(100)) * 3, lzma.FORMAT_RAW, filters=...) of Python, with the filters of s2lic/images/alpha.py
const RAMP = hex(
  "01e0012b00600000000054e82a601c696d6e8c1905d9969ea30e5900cfb355f613add12b53edc6b3394c255d30fb27c739c1" +
    "4f23e9a1b093c3f309ba89cd97d8aad72e29aff9000a9ac65e28f4d44fc4a219bd0b8135f52cb83db2f4f080770ee3d83953" +
    "97d0000000",
);

test("equal samples take two bytes", async () => {
  assert.deepEqual(await unpackAlpha(hex("0080"), 5), new Uint8Array(5).fill(128));
});

test("an LZMA2 stream gives its samples", async () => {
  assert.deepEqual(await unpackAlpha(RAMP, 300), Uint8Array.from({ length: 300 }, (_, index) => index % 100));
});

test("more or fewer samples, or bytes behind them, are refused", async () => {
  const behind = Uint8Array.of(...RAMP, 0);
  for (const [box, count] of [[RAMP, 299], [RAMP, 301], [RAMP, 1], [behind, 300], [RAMP.slice(0, -1), 300]] as const) {
    assert.equal(await errorOf(() => unpackAlpha(box, count)), "AlphaError");
  }
  assert.equal((await unpackAlpha(RAMP, 300)).length, 300); // and the next stream is not disturbed
});

for (const name of ["cut-off", "of-fewer-samples", "of-more-samples", "of-no-stream", "of-two-values", "that-goes-on"]) {
  test(`alpha-${name} is refused`, async () => {
    const { alpha, header } = unpack(bytesOf(`corrupt/alpha-${name}.s2lic`));
    assert.equal(await errorOf(() => unpackAlpha(alpha, header.width * header.height)), "AlphaError");
  });
}

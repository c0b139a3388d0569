import assert from "node:assert/strict";
import { test } from "node:test";
import { unpack } from "../src/container/boxes.ts";
import { crc32 } from "../src/container/crc32.ts";
import { unpackExceptions } from "../src/container/exceptions.ts";
import { Layout, unpackTiles } from "../src/container/tiles.ts";
import { readVarint } from "../src/container/varint.ts";
import { bytesOf, errorOf, hex, jsonOf } from "./files.ts";

// The example of docs/bitstream.md.
const EXAMPLE = hex(
  "b753324c01" + "0115" + "8006" + "8004" + "0123456789abcdef" + "8813" + "020000" + "efbeadde" + "030401020304" +
    "aba57555",
);

test("the checksum is that of zlib", () => {
  const digits = new TextEncoder().encode("123456789");
  assert.equal(crc32(digits), 0xcbf43926);
  assert.equal(crc32(digits.subarray(4), crc32(digits.subarray(0, 4))), 0xcbf43926);
});

test("a number has one spelling", async () => {
  for (const [value, bytes] of [[0, "00"], [127, "7f"], [128, "8001"], [768, "8006"]] as const) {
    assert.deepEqual(readVarint(hex(bytes), 0, bytes.length / 2), [value, bytes.length / 2]);
  }
  assert.equal(await errorOf(() => readVarint(hex("80"), 0, 1)), "OverrunError");
  assert.equal(await errorOf(() => readVarint(hex("8000"), 0, 2)), "NumberSpellingError");
  assert.equal(await errorOf(() => readVarint(hex("ff".repeat(10)), 0, 10)), "NumberSpellingError");
});

test("the example of the documentation is read as it is explained there", () => {
  const { header, payload, alpha } = unpack(EXAMPLE);
  assert.deepEqual(header, {
    width: 768, height: 512, modelId: "0123456789abcdef", level: 5000, tiled: false, grey: false,
    symbolCrc32: 0xdeadbeef,
  });
  assert.deepEqual([...payload], [1, 2, 3, 4]);
  assert.equal(alpha.length, 0);
});

test("every cut of a file is told from damage", async () => {
  for (let end = 0; end < EXAMPLE.length; end++) {
    assert.equal(await errorOf(() => unpack(EXAMPLE.subarray(0, end))), "TruncatedError", `${end} bytes`);
  }
});

test("every flipped bit is found", async () => {
  for (let bit = 0; bit < 8 * EXAMPLE.length; bit++) {
    const damaged = EXAMPLE.slice();
    damaged[bit >> 3] ^= 1 << (bit & 7);
    assert.notEqual(await errorOf(() => unpack(damaged)), "none", `bit ${bit}`);
  }
});

function unpackWithTiles(data: Uint8Array): void {
  const { header, payload, tiles } = unpack(data, Infinity);
  if (tiles.length) unpackTiles(tiles, header.width, header.height, payload.length);
}

const CORPUS = jsonOf<Record<string, { info: string | null }>>("corrupt/manifest.json");
for (const [name, { info }] of Object.entries(CORPUS)) {
  test(`the container of ${name} gives ${info ?? "no error"}`, async () => {
    const data = bytesOf(`corrupt/${name}.s2lic`);
    assert.equal(await errorOf(() => unpackWithTiles(data)), info ?? "none");
  });
}

test("a picture above the limit is refused", async () => {
  const data = bytesOf("corrupt/more-pixels-than-the-limit.s2lic");
  assert.equal(await errorOf(() => unpack(data)), "PixelLimitError");
});

test("exceptions are read as Python writes them", async () => {
  const entries = unpackExceptions(hex("0300be01000e03d704"), 100);
  assert.deepEqual(entries, [{ position: 0, value: 95 }, { position: 1, value: 7 }, { position: 5, value: -300 }]);
  assert.deepEqual(unpackExceptions(hex(""), 0), []);
  for (const [bytes, error] of [
    ["00", "ExceptionListError"], ["0100", "OverrunError"], ["016400", "ExceptionListError"],
    ["0100808004", "ExceptionListError"], ["01030400", "ExceptionListError"], ["01038000", "NumberSpellingError"],
  ]) {
    assert.equal(await errorOf(() => unpackExceptions(hex(bytes), 100)), error, bytes);
  }
});

test("tiles cover the picture and add up to the payload", async () => {
  const box = hex("0404" + "0900000001" + "08ffffffff");
  const [layout, entries] = unpackTiles(box, 300, 200, 17);
  assert.deepEqual(layout, new Layout(300, 200, 256, 256));
  assert.deepEqual(layout.tile(0, 1), { left: 256, top: 0, right: 300, bottom: 200 });
  assert.deepEqual(entries, [{ length: 9, symbolCrc32: 0x01000000 }, { length: 8, symbolCrc32: 0xffffffff }]);
  assert.equal(await errorOf(() => unpackTiles(box, 300, 200, 18)), "TileListError");
  assert.equal(await errorOf(() => unpackTiles(box, 300, 300, 17)), "OverrunError");
});

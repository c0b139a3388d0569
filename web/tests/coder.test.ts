import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32 } from "../src/container/crc32.ts";
import { unpack } from "../src/container/boxes.ts";
import { encodeRans } from "../src/entropy/rans.ts";
import { unpackRegions } from "../src/entropy/regions.ts";
import { SymbolReader } from "../src/entropy/symbols.ts";
import { Tables } from "../src/entropy/tables.ts";
import { bytesOf, errorOf, hex } from "./files.ts";

// Rows of three and two slots, as in the test of the same name in Python.
const GOLDEN = new Tables([1, 59_999, 5536, 1, 65_535], [3, 2], [-1, 7], 1);
const WORDS = hex("000024770600000020ef8270");

function stream(payload: Uint8Array, symbols: number[], exceptions: { position: number; value: number }[] = []) {
  const symbolCrc32 = crc32(new Uint8Array(Int16Array.from(symbols).buffer));
  return { payload, exceptions, symbolCrc32, symbolCount: symbols.length };
}

test("golden words", () => {
  const symbols = [-1, 1, 7, 8, 0], rows = [0, 0, 1, 1, 0];
  assert.deepEqual(encodeRans(GOLDEN, symbols, rows), WORDS);
  const reader = new SymbolReader(GOLDEN, stream(WORDS, symbols));
  assert.deepEqual([...reader.read(rows.slice(0, 2))], symbols.slice(0, 2));
  assert.deepEqual([...reader.read(rows.slice(2))], symbols.slice(2));
  reader.finish();
});

test("exceptions stand in the symbols and in their checksum", async () => {
  const exceptions = [{ position: 0, value: -300 }, { position: 4, value: 32_767 }];
  const reader = new SymbolReader(GOLDEN, stream(WORDS, [-300, 1, 7, 8, 32_767], exceptions));
  assert.deepEqual([...reader.read([0, 0]), ...reader.read([1, 1, 0])], [-300, 1, 7, 8, 32_767]);
  reader.finish();
  const wrong = new SymbolReader(GOLDEN, stream(WORDS, [-300, 1, 7, 8, 32_766], exceptions));
  wrong.read([0, 0, 1, 1, 0]);
  assert.equal(await errorOf(() => wrong.finish()), "SymbolChecksumError");
});

test("random symbols come back", () => {
  let seed = 7;
  const random = (below: number) => (seed = (seed * 48_271) % 2_147_483_647) % below;
  const rows = Array.from({ length: 20_000 }, () => random(2));
  const symbols = rows.map((row) => (row ? 7 + random(2) : random(3) - 1));
  const payload = encodeRans(GOLDEN, symbols, rows);
  assert.deepEqual([...new SymbolReader(GOLDEN, stream(payload, symbols)).read(rows)], symbols);
});

test("a stream that runs out of words ends in its checksum", async () => {
  const reader = new SymbolReader(GOLDEN, stream(new Uint8Array(8).fill(255), Array(50).fill(0)));
  const symbols = reader.read(Array(50).fill(0));
  assert.ok(symbols.every((symbol) => symbol >= -1 && symbol <= 1));
  assert.equal(await errorOf(() => reader.finish()), "SymbolChecksumError");
});

test("a payload has a length that its symbols can take", async () => {
  for (const [bytes, symbols, error] of [
    [7, 5, "TruncatedError"], [10, 5, "PayloadSizeError"], [20, 5, "PayloadSizeError"], [16, 5, "none"],
    [8, 10_000_000, "PayloadSizeError"],
  ] as const) {
    const coded = { payload: new Uint8Array(bytes), exceptions: [], symbolCrc32: 0, symbolCount: symbols };
    assert.equal(await errorOf(() => new SymbolReader(GOLDEN, coded)), error, `${bytes} bytes, ${symbols} symbols`);
  }
});

test("the golden map of regions is white within and black outside", () => {
  const { regions, header } = unpack(bytesOf("golden/portrait-region-60.s2lic"));
  const map = unpackRegions(regions, header.width, header.height);
  const stepExponent = map.stepExponent({ left: 0, top: 0, right: header.width, bottom: header.height });
  const expected = Array.from({ length: 8 * 10 }, (_, at) => {
    const row = Math.floor(at / 10), column = at % 10;
    return row < 4 && column >= 4 && column < 8 ? 3 : -4;
  });
  assert.deepEqual([...stepExponent], expected);
});

test("another spelling of a map is refused", async () => {
  const box = unpack(bytesOf("golden/portrait-region-60.s2lic")).regions.slice();
  box[1] ^= 1;
  assert.match(await errorOf(() => unpackRegions(box, 160, 120)), /RegionMapError|PayloadSizeError/);
});

test("half a million symbols take well under 0.3 s", () => {
  const rows = new Int32Array(500_000).map((_, index) => index % 2);
  const symbols = rows.map((row, index) => (row ? 8 : (index % 4 >> 1)));
  const payload = encodeRans(GOLDEN, symbols, rows);
  const start = performance.now();
  new SymbolReader(GOLDEN, { payload, exceptions: [], symbolCrc32: 0, symbolCount: rows.length }).read(rows);
  assert.ok(performance.now() - start < 300);
});

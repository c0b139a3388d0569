// CRC-32 with the polynomial of zlib, gzip and PNG.

const TABLE = new Uint32Array(256).map((_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

/** The checksum of `data`, or of what `crc` is the checksum of and `data` behind it. */
export function crc32(data: Uint8Array, crc = 0): number {
  let state = ~crc;
  for (let index = 0; index < data.length; index++) state = TABLE[(state ^ data[index]) & 0xff] ^ (state >>> 8);
  return ~state >>> 0;
}

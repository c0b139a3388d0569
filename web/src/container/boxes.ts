// The container: magic, version, numbered boxes and a checksum; docs/bitstream.md describes it.

import {
  BoxesError, CorruptError, FileChecksumError, NewerVersionError, NoSuchVersionError, NotS2licError, OverrunError,
  PixelLimitError, TruncatedError, UnsupportedFeatureError,
} from "../errors.ts";
import { crc32 } from "./crc32.ts";
import { type Header, readFields } from "./header.ts";
import { readVarint } from "./varint.ts";

/** The parts of a file. A box that is not there is empty. */
export interface Container {
  header: Header;
  payload: Uint8Array;
  exceptions: Uint8Array;
  tiles: Uint8Array;
  regions: Uint8Array;
  profile: Uint8Array;
  exif: Uint8Array;
  xmp: Uint8Array;
  alpha: Uint8Array;
}

type Span = [start: number, stop: number];

const MAGIC = [0xb7, 0x53, 0x32, 0x4c];
const VERSION = 1;
const BOXES_START = MAGIC.length + 1;
const CHECKSUM_BYTES = 4;

const HEADER = 0x01, EXCEPTIONS = 0x02, PAYLOAD = 0x03, TILES = 0x04, REGIONS = 0x05;
const PROFILE = 0x81, EXIF = 0x82, XMP = 0x83, ALPHA = 0x84;
const OPTIONAL_BIT = 0x80;

/** The most pixels of a picture, and those of one stream, which takes far more memory per pixel. */
export const MAX_PIXELS = 2 ** 26;
export const STREAM_PIXELS = 2 ** 22;
const STREAM_SHARE = 16;

/** The parts of a file, each length checked before it is used. */
export function unpack(data: Uint8Array, maxPixels = MAX_PIXELS): Container {
  checkVersion(data);
  checkSum(data);
  const spans = checkBoxes(data);
  const part = (id: number) => data.subarray(...(spans.get(id) ?? [0, 0]));
  const header = readFields(part(HEADER));
  if (spans.has(TILES) !== header.tiled) {
    throw new BoxesError("the header and the list of tiles contradict each other");
  }
  checkLimits(header, maxPixels);
  return {
    header, payload: part(PAYLOAD), exceptions: part(EXCEPTIONS), tiles: part(TILES), regions: part(REGIONS),
    profile: part(PROFILE), exif: part(EXIF), xmp: part(XMP), alpha: part(ALPHA),
  };
}

function checkVersion(data: Uint8Array): void {
  const begun = MAGIC.slice(0, data.length);
  if (begun.some((byte, index) => data[index] !== byte)) {
    throw new NotS2licError("this is not an s2lic file: it does not begin with the magic bytes");
  }
  if (data.length < MAGIC.length) throw new TruncatedError(`the file is cut off: only ${data.length} bytes are left`);
  if (data.length < BOXES_START) throw new TruncatedError("the file is cut off before the format version");
  const version = data[MAGIC.length];
  if (version > VERSION) {
    throw new NewerVersionError(
      `the file has format version ${version}, this release reads up to ${VERSION}: a newer s2lic is needed`,
    );
  }
  if (version < VERSION) throw new NoSuchVersionError(`there is no format version ${version}`);
}

function checkSum(data: Uint8Array): void {
  const end = data.length - CHECKSUM_BYTES;
  if (end < BOXES_START) throw new TruncatedError("the file is cut off before its first box");
  const stored = new DataView(data.buffer, data.byteOffset + end).getUint32(0, true);
  if (crc32(data.subarray(0, end)) !== stored) tellCutFromDamage(data);
}

/** A cut file fails its checksum too; the lengths of its boxes say that bytes are missing. */
function tellCutFromDamage(data: Uint8Array): never {
  let found: number[];
  try {
    found = Array.from(boxes(data), ([id]) => id);
  } catch (error) {
    if (error instanceof OverrunError) throw new TruncatedError(`the file is cut off: ${error.message}`);
    if (error instanceof CorruptError) throw new FileChecksumError(`the file is damaged: ${error.message}`);
    throw error;
  }
  if (!found.includes(PAYLOAD)) throw new TruncatedError("the file is cut off before its payload");
  throw new FileChecksumError("the file is damaged: its checksum does not match its bytes");
}

/** Each box with the start and stop of its content, up to the payload, which is the last. */
function* boxes(data: Uint8Array): Generator<[id: number, start: number, stop: number]> {
  const end = data.length - CHECKSUM_BYTES;
  let position = BOXES_START, id = -1;
  while (position < end && id !== PAYLOAD) {
    id = data[position];
    const [length, start] = readVarint(data, position + 1, end);
    position = start + length;
    if (position > end) throw new OverrunError(`${named(id)} lacks ${position - end} bytes of ${length}`);
    yield [id, start, position];
  }
  if (position < end) throw new BoxesError(`${end - position} bytes follow the payload`);
}

function checkBoxes(data: Uint8Array): Map<number, Span> {
  const spans = new Map<number, Span>();
  for (const [id, start, stop] of boxes(data)) {
    if (!spans.size && id !== HEADER) throw new BoxesError("the first box is not the header");
    if (spans.has(id)) throw new BoxesError(`${named(id)} stands twice`);
    if (id !== HEADER && !isKnown(id) && !(id & OPTIONAL_BIT)) {
      throw new UnsupportedFeatureError(
        `the file needs ${named(id)}, which this release does not know: a newer s2lic is needed`,
      );
    }
    if (start === stop && (isKnown(id) || !(id & OPTIONAL_BIT))) {
      throw new BoxesError(`${named(id)} is empty, as no encoder leaves one`);
    }
    spans.set(id, [start, stop]);
  }
  if (!spans.has(PAYLOAD)) throw new BoxesError("the file has no payload");
  return spans;
}

function isKnown(id: number): boolean {
  return (id >= HEADER && id <= REGIONS) || (id >= PROFILE && id <= ALPHA);
}

function named(id: number): string {
  return `box 0x${id.toString(16).padStart(2, "0")}`;
}

function checkLimits({ width, height, tiled }: Header, maxPixels: number): void {
  const most = tiled ? maxPixels : Math.min(maxPixels, Math.max(STREAM_PIXELS, Math.floor(maxPixels / STREAM_SHARE)));
  if (width * height > most) {
    throw new PixelLimitError(
      `the picture has ${width} x ${height} pixels${tiled ? "" : " in one stream"}, more than the limit of ${most}`,
    );
  }
}

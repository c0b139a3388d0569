// Colours of any profile in sRGB: the browser converts a PNG that has the profile.

import { crc32 } from "../container/crc32.ts";

const RGB = 2, GREY = 0;

/** The samples in sRGB. They stay as they are without a profile, or with one that fits no PNG. */
export async function toSrgb(
  rgba: Uint8ClampedArray<ArrayBuffer>, width: number, height: number, profile: Uint8Array,
): Promise<Uint8ClampedArray<ArrayBuffer>> {
  const space = new TextDecoder().decode(profile.subarray(16, 20));
  if (space !== "RGB " && space !== "GRAY") return rgba;
  const bitmap = await createImageBitmap(await png(rgba, width, height, profile, space === "GRAY" ? GREY : RGB));
  const canvas = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  if (!canvas) return rgba;
  canvas.drawImage(bitmap, 0, 0);
  bitmap.close();
  const { data } = canvas.getImageData(0, 0, width, height);
  for (let at = 3; at < data.length; at += 4) data[at] = rgba[at];
  return data as Uint8ClampedArray<ArrayBuffer>;
}

/** An opaque PNG of the colours, with a profile. */
async function png(
  rgba: Uint8ClampedArray, width: number, height: number, profile: Uint8Array, kind: number,
): Promise<Blob> {
  const channels = kind === RGB ? 3 : 1, lines = new Uint8Array((channels * width + 1) * height);
  for (let y = 0, to = 0, from = 0; y < height; y++) {
    to++; // the filter of the line: none
    for (let x = 0; x < width; x++, from += 4) {
      for (let channel = 0; channel < channels; channel++) lines[to++] = rgba[from + channel];
    }
  }
  const size = new DataView(new ArrayBuffer(13));
  size.setUint32(0, width);
  size.setUint32(4, height);
  size.setUint16(8, 0x0800 | kind);
  const named = [..."profile\0\0"].map((letter) => letter.charCodeAt(0));
  return new Blob([
    Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a),
    chunk("IHDR", new Uint8Array(size.buffer)),
    chunk("iCCP", Uint8Array.of(...named, ...(await deflated(profile)))),
    chunk("IDAT", await deflated(lines)),
    chunk("IEND", new Uint8Array()),
  ], { type: "image/png" });
}

function chunk(name: string, content: Uint8Array): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(12 + content.length), view = new DataView(out.buffer);
  view.setUint32(0, content.length);
  [...name].forEach((letter, at) => { out[4 + at] = letter.charCodeAt(0); });
  out.set(content, 8);
  view.setUint32(8 + content.length, crc32(out.subarray(4, 8 + content.length)));
  return out;
}

async function deflated(data: Uint8Array): Promise<Uint8Array> {
  const stream = new Blob([data.slice()]).stream().pipeThrough(new CompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

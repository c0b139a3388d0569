// How stored pixels are to be turned: the orientation of Exif, and where there is none that of XMP, as in JPEG.

/** The orientation, 1 to 8; 1 if there is none. */
export function orientationOf(exif: Uint8Array, xmp: Uint8Array): number {
  return ofExif(exif) ?? ofXmp(xmp) ?? 1;
}

/** The pixels turned upright, with their width and height. */
export function upright(
  pixels: Uint8ClampedArray<ArrayBuffer>, width: number, height: number, orientation: number,
): { pixels: Uint8ClampedArray<ArrayBuffer>; width: number; height: number } {
  if (orientation === 1) return { pixels, width, height };
  const turned = orientation > 4, across = turned ? height : width, down = turned ? width : height;
  const from = new Uint32Array(pixels.buffer), to = new Uint32Array(from.length);
  const right = [2, 3, 7, 8].includes(orientation), bottom = [3, 4, 6, 7].includes(orientation);
  for (let y = 0, at = 0; y < down; y++) {
    for (let x = 0; x < across; x++, at++) {
      const column = turned ? y : x, row = turned ? x : y;
      to[at] = from[(bottom ? height - 1 - row : row) * width + (right ? width - 1 - column : column)];
    }
  }
  return { pixels: new Uint8ClampedArray(to.buffer), width: across, height: down };
}

/** Tag 0x0112 of the first directory of a TIFF block. */
function ofExif(exif: Uint8Array): number | null {
  if (exif.length < 8) return null;
  const view = new DataView(exif.buffer, exif.byteOffset, exif.length), little = exif[0] === 0x49;
  const first = view.getUint32(4, little);
  if (first + 2 > exif.length) return null;
  const count = view.getUint16(first, little);
  for (let at = first + 2; at + 12 <= Math.min(first + 2 + 12 * count, exif.length); at += 12) {
    if (view.getUint16(at, little) === 0x0112) return valid(view.getUint16(at + 8, little));
  }
  return null;
}

function ofXmp(xmp: Uint8Array): number | null {
  const found = /tiff:Orientation(?:="|>)(\d)/.exec(new TextDecoder().decode(xmp));
  return found && valid(Number(found[1]));
}

function valid(value: number): number | null {
  return value >= 1 && value <= 8 ? value : null;
}

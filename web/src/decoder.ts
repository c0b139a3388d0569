// A file becomes samples: all checks, then the symbols of each tile, then g_s window by window.

import type * as Ort from "onnxruntime-web";
import { type Container, MAX_PIXELS, unpack } from "./container/boxes.ts";
import { unpackExceptions } from "./container/exceptions.ts";
import type { Header } from "./container/header.ts";
import { type Box, Layout, unpackTiles } from "./container/tiles.ts";
import { Domain } from "./entropy/domain.ts";
import { type Regions, unpackRegions } from "./entropy/regions.ts";
import { checkCapacity, type Stream, SymbolReader } from "./entropy/symbols.ts";
import { reconstruct, type Size } from "./entropy/walk.ts";
import { HeaderError } from "./errors.ts";
import { Model, type ReadFile } from "./model.ts";
import { unpackAlpha } from "./picture/alpha.ts";
import { decodeWindows, type Latent } from "./picture/windows.ts";

/** A decoded picture. Its samples are of the colour space of the profile, and lie as they were coded. */
export interface Picture {
  header: Header;
  /** Red, green, blue and alpha of each pixel, row by row. */
  rgba: Uint8ClampedArray<ArrayBuffer>;
  profile: Uint8Array;
  exif: Uint8Array;
  xmp: Uint8Array;
}

/** Decodes files; keeps the models that they name in memory. */
export class Decoder {
  private readonly ort: typeof Ort;
  private readonly readFile: ReadFile;
  private readonly maxPixels: number;
  private readonly models = new Map<string, Promise<Model>>();

  /** readFile gives the files of models; larger pictures than `maxPixels` are refused. */
  constructor(ort: typeof Ort, readFile: ReadFile, maxPixels = MAX_PIXELS) {
    this.ort = ort;
    this.readFile = readFile;
    this.maxPixels = maxPixels;
  }

  /** The picture of a file. Rejects with an error of errors.ts. */
  async decode(data: Uint8Array): Promise<Picture> {
    const container = unpack(data, this.maxPixels), { header } = container;
    const model = await this.model(header.modelId), domain = new Domain(model.manifest, header.level);
    const [layout, streams] = split(container, model);
    checkPayloads(model, domain, layout, streams);
    const regions = container.regions.length ? unpackRegions(container.regions, header.width, header.height) : null;
    const alpha = container.alpha.length ? await unpackAlpha(container.alpha, header.width * header.height) : null;
    const latent = (tile: Box, index: number) => decodeLatent(model, domain, tile, streams[index], regions);
    const rgba = new Uint8ClampedArray(4 * header.width * header.height).fill(255);
    await decodeWindows(model, layout, latent, rgba);
    if (header.grey) toGrey(rgba);
    alpha?.forEach((sample, pixel) => { rgba[4 * pixel + 3] = sample; });
    return { header, rgba, profile: container.profile, exif: container.exif, xmp: container.xmp };
  }

  /** The model of that id; it is loaded once. */
  model(modelId: string): Promise<Model> {
    let found = this.models.get(modelId);
    if (!found) {
      found = Model.open(this.ort, modelId, this.readFile);
      this.models.set(modelId, found);
      found.catch(() => this.models.delete(modelId));
    }
    return found;
  }
}

/** The layout and the stream of each tile, in the order of the file. */
function split({ header, payload, tiles, exceptions }: Container, model: Model): [Layout, Stream[]] {
  const { width, height, tiled, symbolCrc32 } = header;
  if (tiled && symbolCrc32) {
    throw new HeaderError("the header of a tiled file has a symbol checksum, which only tiles may have");
  }
  const [layout, entries] = tiled
    ? unpackTiles(tiles, width, height, payload.length)
    : [new Layout(width, height), [{ length: payload.length, symbolCrc32 }]] as const;
  const counts = layout.tiles().map((tile) => symbolCount(model, latentSize(tile)));
  const listed = unpackExceptions(exceptions, counts.reduce((a, b) => a + b));
  let start = 0, first = 0;
  return [layout, entries.map((entry, index) => {
    const from = first, end = first += counts[index];
    const own = listed.filter(({ position }) => position >= from && position < end)
      .map(({ position, value }) => ({ position: position - from, value }));
    const part = payload.subarray(start, start += entry.length);
    return { payload: part, exceptions: own, symbolCrc32: entry.symbolCrc32, symbolCount: counts[index] };
  })];
}

/** Refuses a tile with too few bytes for its pixels, before memory is allocated for them. */
function checkPayloads(model: Model, domain: Domain, layout: Layout, streams: Stream[]): void {
  const { leastBits, first } = model.tables;
  const ofZ = domain.zRows.reduce((sum, row) => sum + leastBits[row], 0);
  const ofY = model.manifest.latent * leastBits.subarray(first).reduce((a, b) => Math.min(a, b));
  layout.tiles().forEach((tile, index) => {
    const { height, width } = latentSize(tile), [zh, zw] = sideSize({ height, width });
    checkCapacity(streams[index].payload.length, zh * zw * ofZ + height * width * ofY);
  });
}

/** y_hat of one tile, as g_s takes it. */
async function decodeLatent(
  model: Model, domain: Domain, tile: Box, stream: Stream, regions: Regions | null,
): Promise<Latent> {
  const reader = new SymbolReader(model.tables, stream), size = latentSize(tile), [zh, zw] = sideSize(size);
  const zRows = Int32Array.from({ length: domain.zRows.length * zh * zw }, (_, at) =>
    domain.zRows[Math.floor(at / (zh * zw))]);
  const z = reader.read(zRows), stepExponent = regions && regions.stepExponent(tile);
  const y = await reconstruct(model, domain, size, z, stepExponent, (rows) => reader.readGaussian(rows));
  reader.finish();
  return { data: domain.latent(y, size.height * size.width), channels: model.manifest.latent, ...size };
}

function latentSize(tile: Box): Size {
  return { height: Math.ceil((tile.bottom - tile.top) / 16), width: Math.ceil((tile.right - tile.left) / 16) };
}

function sideSize({ height, width }: Size): [number, number] {
  return [Math.ceil(height / 4), Math.ceil(width / 4)];
}

function symbolCount({ manifest }: Model, size: Size): number {
  const [zh, zw] = sideSize(size);
  return manifest.side * zh * zw + manifest.latent * size.height * size.width;
}

/** Pillow's luma in all three channels. */
function toGrey(rgba: Uint8ClampedArray): void {
  for (let at = 0; at < rgba.length; at += 4) {
    const luma = (19_595 * rgba[at] + 38_470 * rgba[at + 1] + 7471 * rgba[at + 2] + 32_768) >> 16;
    rgba[at] = rgba[at + 1] = rgba[at + 2] = luma;
  }
}

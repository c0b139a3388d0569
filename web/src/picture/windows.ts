// g_s over the tiles of a picture without seams, as s2lic/coding/tiling.py does it: each tile completes a window, which
// is the part of the picture that has `HALO` decoded pixels around it.

import type { Box, Layout } from "../container/tiles.ts";
import type { Model } from "../model.ts";

const HALO = 64, STRIDE = 16;
// Lines of y that a tile shares with the windows of the next ones.
const SHARED = (2 * HALO) / STRIDE;

/** y_hat, (channels, height, width). */
export interface Latent {
  data: Float32Array;
  channels: number;
  height: number;
  width: number;
}

/** Decodes all tiles and puts their pixels into the picture. */
export async function decodeWindows(
  model: Model, layout: Layout, latent: (tile: Box, index: number) => Promise<Latent>, rgba: Uint8ClampedArray,
): Promise<void> {
  const above: Latent[] = [];
  for (let row = 0; row < layout.rows; row++) {
    let left: Latent | null = null;
    for (let column = 0; column < layout.columns; column++) {
      const tile = layout.tile(row, column), y = await latent(tile, row * layout.columns + column);
      const wide = left ? beside(left, y) : y, tall: Latent = above[column] ? below(above[column], wide) : wide;
      left = part(y, 0, Math.max(0, y.width - SHARED));
      above[column] = part(wide, Math.max(0, wide.height - SHARED), 0);
      const { x_hat } = await model.run("g_s", {
        y_hat: { data: tall.data, shape: [tall.channels, tall.height, tall.width] },
      });
      put(x_hat, tall, tile, windowOf(layout, row, column, tile), rgba, layout.width);
    }
  }
}

/** What can be shown once this tile and those above and to the left have arrived. */
function windowOf(layout: Layout, row: number, column: number, tile: Box): Box {
  return {
    left: Math.max(tile.left - HALO, 0),
    top: Math.max(tile.top - HALO, 0),
    right: tile.right - (column < layout.columns - 1 ? HALO : 0),
    bottom: tile.bottom - (row < layout.rows - 1 ? HALO : 0),
  };
}

/** The pixels of a window from those of what g_s has seen, which begins two halos before the tile. */
function put(
  pixels: Float32Array, seen: Latent, tile: Box, window: Box, rgba: Uint8ClampedArray, pictureWidth: number,
): void {
  const width = STRIDE * seen.width, plane = STRIDE * seen.height * width;
  const left = Math.max(tile.left - 2 * HALO, 0), top = Math.max(tile.top - 2 * HALO, 0);
  for (let y = window.top; y < window.bottom; y++) {
    let from = (y - top) * width + window.left - left, to = 4 * (y * pictureWidth + window.left);
    for (let x = window.left; x < window.right; x++, from++, to += 4) {
      rgba[to] = pixels[from];
      rgba[to + 1] = pixels[plane + from];
      rgba[to + 2] = pixels[2 * plane + from];
    }
  }
}

/** A latent from a line and a column on. */
function part(y: Latent, top: number, left: number): Latent {
  const out = empty(y.channels, y.height - top, y.width - left);
  copy(y, out, 0, 0, top, left);
  return out;
}

function beside(a: Latent, b: Latent): Latent {
  const out = empty(a.channels, a.height, a.width + b.width);
  copy(a, out, 0, 0);
  copy(b, out, 0, a.width);
  return out;
}

function below(a: Latent, b: Latent): Latent {
  const out = empty(a.channels, a.height + b.height, a.width);
  copy(a, out, 0, 0);
  copy(b, out, a.height, 0);
  return out;
}

function empty(channels: number, height: number, width: number): Latent {
  return { data: new Float32Array(channels * height * width), channels, height, width };
}

/** Copies what lies behind `top` and `left` of one latent to a place in another. */
function copy(from: Latent, to: Latent, row: number, column: number, top = 0, left = 0): void {
  for (let channel = 0; channel < from.channels; channel++) {
    for (let line = top; line < from.height; line++) {
      const start = (channel * from.height + line) * from.width;
      const at = (channel * to.height + row + line - top) * to.width + column;
      to.data.set(from.data.subarray(start + left, start + from.width), at);
    }
  }
}

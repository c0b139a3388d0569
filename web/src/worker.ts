// The worker in which files are decoded, so that the page stays responsive.

import * as ort from "onnxruntime-web/wasm";
import { unpack } from "./container/boxes.ts";
import { Decoder } from "./decoder.ts";
import { WeightsError } from "./errors.ts";
import type { Answer, Request } from "./messages.ts";
import { toSrgb } from "./picture/colour.ts";
import { orientationOf, upright } from "./picture/orientation.ts";

const HOME = new URL("./", import.meta.url);
const THREADS_MAX = 4;

ort.env.wasm.wasmPaths = HOME.href;
// Threads share memory, which a browser allows only to pages that a server isolates from others.
ort.env.wasm.numThreads = self.crossOriginIsolated ? Math.min(navigator.hardwareConcurrency, THREADS_MAX) : 1;
ort.env.logLevel = "error";

const decoder = new Decoder(ort, readFile);
let last: Promise<unknown> = Promise.resolve();

self.onmessage = ({ data }: MessageEvent<Request>) => {
  last = last.then(() => answer(data)); // one at a time: a session runs one picture
};

async function answer(request: Request): Promise<void> {
  try {
    const found = await decode(request);
    self.postMessage(found, { transfer: found.pixels ? [found.pixels.buffer] : [] });
  } catch (error) {
    const { name, message } = error as Error;
    self.postMessage({ id: request.id, error: { name, message } } satisfies Answer);
  }
}

async function decode({ id, data }: Request): Promise<Answer> {
  const begun = performance.now();
  await decoder.model(unpack(data).header.modelId);
  const loaded = performance.now(), picture = await decoder.decode(data), { header } = picture;
  const samples = await toSrgb(picture.rgba, header.width, header.height, picture.profile);
  const turned = upright(samples, header.width, header.height, orientationOf(picture.exif, picture.xmp));
  const facts = {
    width: turned.width, height: turned.height, quality: header.level / 100, modelId: header.modelId,
    loadMs: loaded - begun, decodeMs: performance.now() - loaded, threads: ort.env.wasm.numThreads ?? 1,
  };
  return { id, ...turned, facts };
}

async function readFile(modelId: string, name: string): Promise<Uint8Array | null> {
  const response = await fetch(new URL(`models/${modelId}/${name}`, HOME));
  if (response.status === 404) return null;
  if (!response.ok) throw new WeightsError(`${name} of model ${modelId} cannot be fetched: ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

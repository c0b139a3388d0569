// Decoding in node: the models are read from a folder.

import { readFile } from "node:fs/promises";
import * as ort from "onnxruntime-web";
import { MAX_PIXELS } from "./container/boxes.ts";
import { Decoder } from "./decoder.ts";

/** A decoder with the models in `folder`, each in a folder of its id. */
export function decoderOf(folder: string, maxPixels = MAX_PIXELS): Decoder {
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = "error";
  return new Decoder(ort, async (modelId, name) => {
    try {
      return new Uint8Array(await readFile(`${folder}/${modelId}/${name}`));
    } catch {
      return null;
    }
  }, maxPixels);
}

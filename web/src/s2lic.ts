// The public module: `decode`, and the element <s2lic-img src="..." alt="...">.

import { S2licImage } from "./element.ts";
import { revived, WeightsError } from "./errors.ts";
import type { Answer, Facts } from "./messages.ts";

export * from "./errors.ts";
export type { Facts } from "./messages.ts";
export { S2licImage };

/** A picture in sRGB, turned upright, and what its file says of it. */
export interface Decoded {
  image: ImageData;
  facts: Facts;
}

const waiting = new Map<number, { resolve: (found: Decoded) => void; reject: (error: Error) => void }>();
let worker: Worker | null = null;
let count = 0;

/** The picture of a file, in sRGB and upright. Rejects with an error of errors.ts. */
export async function decode(data: Uint8Array | ArrayBuffer): Promise<ImageData> {
  return (await decodeWithFacts(data)).image;
}

/** The picture and what its file says of it. */
export function decodeWithFacts(data: Uint8Array | ArrayBuffer): Promise<Decoded> {
  const id = ++count;
  worker ??= started();
  worker.postMessage({ id, data: new Uint8Array(data) });
  return new Promise((resolve, reject) => waiting.set(id, { resolve, reject }));
}

function started(): Worker {
  const made = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
  made.onmessage = ({ data }: MessageEvent<Answer>) => settle(data);
  made.onerror = () => {
    const error = new WeightsError("the decoder cannot be loaded: worker.js must lie beside s2lic.js");
    for (const { reject } of waiting.values()) reject(error);
    waiting.clear();
    worker = null;
  };
  return made;
}

function settle({ id, pixels, width, height, facts, error }: Answer): void {
  const found = waiting.get(id);
  waiting.delete(id);
  if (error) found?.reject(revived(error.name, error.message));
  else if (pixels && facts) found?.resolve({ image: new ImageData(pixels, width!, height), facts });
}

if (!customElements.get("s2lic-img")) customElements.define("s2lic-img", S2licImage);

// What the page and the worker that decodes for it tell each other.

export interface Request {
  id: number;
  data: Uint8Array;
}

/** What a file says of its picture, and how long decoding took. */
export interface Facts {
  width: number;
  height: number;
  quality: number;
  modelId: string;
  /** The time of decoding, and of loading the model if this was the first file that needs it. */
  decodeMs: number;
  loadMs: number;
  threads: number;
}

export interface Answer {
  id: number;
  pixels?: Uint8ClampedArray<ArrayBuffer>;
  /** The size of the picture after it was turned upright. */
  width?: number;
  height?: number;
  facts?: Facts;
  error?: { name: string; message: string };
}

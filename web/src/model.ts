// A set of weights as ONNX graphs and a manifest, docs/onnx.md; `s2lic weights export --onnx` writes it.

import type * as Ort from "onnxruntime-web";
import { crc32 } from "./container/crc32.ts";
import { Domain } from "./entropy/domain.ts";
import { Tables } from "./entropy/tables.ts";
import { reconstruct } from "./entropy/walk.ts";
import { InexactDeviceError, UnknownModelError, WeightsError } from "./errors.ts";

/** The fields of manifest.json that a decoder needs. */
export interface Manifest {
  format: number;
  config: string;
  model_id: string;
  latent: number;
  slices: number[];
  side: number;
  anchors: number;
  rows: number;
  known_answer: number;
  tables: { widths: number[]; slots: number[]; offsets: number[]; first: number[] };
  z_centre: number[][];
  log_gain: number[][];
  log_inverse: number[][];
  mean_exponent: number[];
  context_exponent: number[];
  modulations: Record<string, { slope: number[][]; offset: number[][] }>;
  graphs: Record<string, { file: string }>;
}

/** Gives the content of a file of a model, or null if there is none. */
export type ReadFile = (modelId: string, name: string) => Promise<Uint8Array | null>;

/** A float32 tensor of batch 1, without the batch in its shape. */
export interface Feed {
  data: Float32Array;
  shape: number[];
}

const FORMAT = 1;
const ENCODER_GRAPHS = ["g_a", "h_a"];

/** The networks of one set of weights, proven to compute exactly here. */
export class Model {
  readonly manifest: Manifest;
  readonly tables: Tables;
  private readonly ort: typeof Ort;
  private readonly sessions: Map<string, Ort.InferenceSession>;

  private constructor(ort: typeof Ort, manifest: Manifest, sessions: Map<string, Ort.InferenceSession>) {
    const { widths, slots, offsets, first } = manifest.tables;
    this.ort = ort;
    this.manifest = manifest;
    this.sessions = sessions;
    this.tables = new Tables(widths, slots, offsets, first[0]);
  }

  /** Raises UnknownModelError, WeightsError or InexactDeviceError. */
  static async open(ort: typeof Ort, modelId: string, readFile: ReadFile): Promise<Model> {
    const manifest = parsed(await readFile(modelId, "manifest.json"), modelId);
    const sessions = new Map<string, Ort.InferenceSession>();
    for (const [name, { file }] of Object.entries(manifest.graphs)) {
      if (!ENCODER_GRAPHS.includes(name)) sessions.set(name, await opened(ort, modelId, file, readFile));
    }
    const model = new Model(ort, manifest, sessions);
    await checkExact(model);
    return model;
  }

  /** The outputs of a graph. */
  async run(graph: string, feeds: Record<string, Feed>): Promise<Record<string, Float32Array>> {
    const session = this.sessions.get(graph);
    if (!session) throw new WeightsError(`the model ${this.manifest.model_id} has no graph ${graph}`);
    const inputs = Object.entries(feeds).map(([name, { data, shape }]) => [
      name, new this.ort.Tensor("float32", data, [1, ...shape]),
    ]);
    const outputs = await session.run(Object.fromEntries(inputs) as Ort.InferenceSession.FeedsType);
    return Object.fromEntries(Object.entries(outputs).map(([name, tensor]) => [name, tensor.data as Float32Array]));
  }
}

function parsed(content: Uint8Array | null, modelId: string): Manifest {
  if (!content) {
    throw new UnknownModelError(
      `the file was encoded with model ${modelId}, which is not among the models beside the decoder: ` +
        `s2lic weights export --onnx writes it there`,
    );
  }
  let manifest: Manifest;
  try {
    manifest = JSON.parse(new TextDecoder().decode(content)) as Manifest;
  } catch {
    throw new WeightsError(`the manifest of model ${modelId} is damaged`);
  }
  if (manifest.format !== FORMAT || manifest.model_id !== modelId) {
    throw new WeightsError(`the manifest of model ${modelId} is of another model or format: export it again`);
  }
  return manifest;
}

async function opened(ort: typeof Ort, modelId: string, file: string, readFile: ReadFile): Promise<Ort.InferenceSession> {
  const content = await readFile(modelId, file);
  if (!content) throw new WeightsError(`${file} of model ${modelId} is missing: export the model again`);
  try {
    return await ort.InferenceSession.create(content, { executionProviders: ["wasm"] });
  } catch (error) {
    throw new WeightsError(`${file} of model ${modelId} cannot be loaded: ${String(error)}`);
  }
}

/** Compares means, rows and y_hat of a fixed problem with what they have to be. */
async function checkExact(model: Model): Promise<void> {
  const { manifest } = model, size = { height: 9, width: 18 };
  const symbol = (j: number, first: number) => Math.floor((((j + first) * 40_503) % 65_536) / 4096) - 8;
  let crc = 0;
  const heard = (values: ArrayLike<number>) => {
    crc = crc32(new Uint8Array(Int32Array.from(values).buffer), crc);
  };
  const z = Int16Array.from({ length: manifest.side * 3 * 5 }, (_, j) => symbol(j, 0));
  const y = await reconstruct(model, new Domain(manifest, 6180), size, z, null, (rows, first, mu) => {
    heard(mu);
    heard(rows);
    return Int16Array.from(rows, (_, j) => symbol(j, first));
  });
  heard(y);
  if (crc !== manifest.known_answer) {
    throw new InexactDeviceError("this browser does not compute whole numbers exactly, so that it cannot decode");
  }
}

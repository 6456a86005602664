/**
 * TensorFlow Lite itself, as the WebAssembly of @tensorflow/tfjs-tflite, for tests that compare with it. The module's own loader
 * wants a browser; here its script runs in a function scope of its own with the binary handed in, so nothing becomes global.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Value } from '../../compiler/ops/operator.ts';

interface TensorInfo {
  data(): Value;
  readonly shape: string;
}
interface List {
  size(): number;
  get(i: number): TensorInfo;
  delete(): void;
}
interface Runner {
  GetInputs(): List;
  GetOutputs(): List;
  Infer(): boolean;
  GetProfilingResults(): Nodes;
  delete(): void;
}
interface Nodes {
  size(): number;
  get(i: number): { readonly nodeType: string };
  delete(): void;
}
interface Made {
  ok(): boolean;
  errorMessage(): string;
  value(): Runner;
  delete(): void;
}
interface Module {
  readonly HEAPU8: Uint8Array;
  _malloc(size: number): number;
  _free(at: number): void;
  readonly TFLiteWebModelRunner: {
    CreateFromBufferAndOptions(at: number, size: number, options: object): Made;
  };
}
type Factory = (options: object) => Promise<Module>;

export interface Answer {
  readonly outputs: readonly Value[];
  /** What ran, in TFLite's words: builtin operators, or a delegate that took them over. */
  readonly kernels: readonly string[];
}
export interface Tflite {
  /** Outputs of a model for its inputs in order, or why TFLite refuses it. */
  run(model: Uint8Array, inputs: readonly Value[]): Answer | { readonly refused: string };
}

/** Starts TFLite. The script and binary come from node_modules; nothing is fetched. */
export async function loadTflite(): Promise<Tflite> {
  const folder = join(dirname(createRequire(import.meta.url).resolve('@tensorflow/tfjs-tflite')), '../wasm');
  const script = readFileSync(join(folder, 'tflite_web_api_cc_simd.js'), 'utf8');
  // No `process`, `module` or `document` in scope: the script takes neither Node's nor the browser's way to find files.
  const hidden = ['process', 'module', 'exports', 'define', 'document'];
  // A clock that always moves on: the profile, which says what ran, leaves out what took no time.
  let ticks = 0;
  const clock = { now: () => ticks++ };
  const make = new Function('performance', 'Date', ...hidden, `${script}\nreturn tflite_web_api_ModuleFactory;`);
  const factory = make(clock, clock) as Factory;
  const said: string[] = [];
  const module = await factory({
    wasmBinary: readFileSync(join(folder, 'tflite_web_api_cc_simd.wasm')),
    print: () => undefined,
    printErr: (line: string) => said.push(line),
  });
  return { run: (model, inputs) => run(module, said, model, inputs) };
}

function run(module: Module, said: string[], model: Uint8Array, inputs: readonly Value[]): ReturnType<Tflite['run']> {
  said.length = 0;
  const at = module._malloc(model.length);
  module.HEAPU8.set(model, at);
  const options = { numThreads: 1, enableProfiling: true, maxProfilingBufferEntries: 1024 };
  const made = module.TFLiteWebModelRunner.CreateFromBufferAndOptions(at, model.length, options);
  try {
    if (!made.ok()) return { refused: [made.errorMessage(), ...said].join('; ') };
    const runner = made.value();
    try {
      each(runner.GetInputs(), (t, i) => (t.data() as Int8Array).set(inputs[i] as Int8Array));
      if (!runner.Infer()) return { refused: said.join('; ') };
      return { outputs: each(runner.GetOutputs(), (t) => t.data().slice()), kernels: nodeTypes(runner) };
    } finally {
      runner.delete();
    }
  } finally {
    made.delete();
    module._free(at);
  }
}

function each<T>(list: List, use: (t: TensorInfo, i: number) => T): readonly T[] {
  const out = Array.from({ length: list.size() }, (_, i) => use(list.get(i), i));
  list.delete();
  return out;
}
function nodeTypes(runner: Runner): readonly string[] {
  const list = runner.GetProfilingResults();
  const out = Array.from({ length: list.size() }, (_, i) => list.get(i).nodeType);
  list.delete();
  return out;
}

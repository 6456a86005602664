/** Puts an emitted library into a folder, compiles it as a user would, and runs its example program. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { emitLibrary, type Library, networkOf } from '../../compiler/emit/index.ts';
import { elements, type Graph, type Tensor } from '../../compiler/graph/graph.ts';
import type { Value } from '../../compiler/ops/operator.ts';
import { runReference } from '../../compiler/ops/run-reference.ts';
import { emptyValue } from '../../compiler/ops/values.ts';
import { type Schedules, schedulesFor } from '../schedules.ts';

/** What the emitted C must pass without a word. */
export const strict = ['-std=c99', '-Wall', '-Wextra', '-Wconversion', '-Wpedantic', '-Werror'];

/** CPU features whose instructions have plain C beside them, so that any machine runs their schedules. */
export const features = ['dsp', 'fpu'];

export function libraryOf(graph: Graph, which: Schedules): Library {
  const choices = schedulesFor(graph, features, which).map((s) => s.choice);
  return emitLibrary(networkOf(graph, 'net', choices), { board: 'test' });
}

/** Runs `f` on a folder that holds the library. */
export function inFolder<T>(library: Library, f: (dir: string) => T): T {
  const dir = mkdtempSync(join(tmpdir(), 'mt-emit-'));
  try {
    for (const [path, text] of library.files) {
      mkdirSync(dirname(join(dir, path)), { recursive: true });
      writeFileSync(join(dir, path), text);
    }
    return f(dir);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Runs a tool; its complaints become the error's message. */
export function tool(dir: string, command: readonly string[]): string {
  const [program = '', ...args] = command;
  return execFileSync(program, args, { cwd: dir, encoding: 'utf8', stdio: 'pipe', maxBuffer: 1 << 26 });
}

/** What the example prints when it is compiled with undefined behaviour as an error. */
export function exampleSays(library: Library): readonly string[] {
  return inFolder(library, (dir) => {
    const checks = ['-O1', '-fsanitize=undefined', '-fno-sanitize-recover=all'];
    const sources = [...library.sources.map((s) => s.path), 'example_main.c'];
    tool(dir, ['gcc', ...strict, ...checks, '-I', '.', '-I', 'include', ...sources, '-o', 'example']);
    return tool(dir, ['./example']).split('\n').slice(0, -1);
  });
}

/** What the reference says to the example's inputs, in the example's words. */
export function exampleShouldSay(graph: Graph): readonly string[] {
  const inputs = graph.inputs.map((id) => pattern(graph.tensors[id] as Tensor));
  const { outputs } = runReference(graph, inputs, { rounding: 'double' });
  return outputs.flatMap((v) =>
    Array.from(v as Int8Array, (x) => (v instanceof Float32Array ? nineDigits(x) : `${x}`)),
  );
}
function pattern(t: Tensor): Value {
  const v = emptyValue(t.dtype, elements(t.shape));
  for (let i = 0; i < v.length; i++) (v as Int8Array)[i] = i % 64;
  return v;
}
/** C's %.9g. */
function nineDigits(x: number): string {
  const [mantissa = '', exponent = '0'] = x.toExponential(8).split('e');
  const e = Number(exponent);
  const trim = (s: string): string => (s.includes('.') ? s.replace(/\.?0+$/, '') : s);
  if (x === 0) return '0';
  if (e < -4 || e >= 9) return `${trim(mantissa)}e${e < 0 ? '-' : '+'}${String(Math.abs(e)).padStart(2, '0')}`;
  return trim(x.toFixed(8 - e));
}

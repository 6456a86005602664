/** The MLPerf Tiny networks with golden outputs, where they are at hand (--models DIR); tests skip with a line otherwise. */
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fillBytes } from '../tuner/measure/bench.ts';

export interface GoldenVector {
  readonly seed: number;
  readonly shr: number;
  readonly out_crc32: number;
  readonly out_hex?: string;
  readonly ops?: readonly {
    readonly index: number;
    readonly op: string;
    readonly out_bytes: number;
    readonly out_crc32: number;
  }[];
}
export interface GoldenModel {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly golden: {
    readonly input_bytes: number;
    readonly output_bytes: number;
    readonly vectors: readonly GoldenVector[];
  };
}
const flag = process.argv.indexOf('--models');
export const modelsDir = resolve(
  flag > 0 ? (process.argv[flag + 1] ?? '') : join(import.meta.dirname, '../../shared/models'),
);

export const networkNames = ['vww', 'ic', 'kws', 'ad'] as const;
export type NetworkName = (typeof networkNames)[number];

/** Undefined (and the caller skips) when the folder is absent. */
export function goldenModel(name: NetworkName): GoldenModel | undefined {
  const file = join(modelsDir, `${name}_int8.tflite`);
  const golden = join(modelsDir, 'golden', `${name}_int8.json`);
  if (!existsSync(file) || !existsSync(golden)) return undefined;
  return { name, bytes: readFileSync(file), golden: JSON.parse(readFileSync(golden, 'utf8')) };
}

/** The input generator of the golden files: FILL's bytes as int8, shifted right. */
export function generateInput(bytes: number, seed: number, shr: number): Int8Array {
  return Int8Array.from(new Int8Array(fillBytes(bytes, seed).buffer), (v) => v >> shr);
}

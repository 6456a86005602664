/**
 * Your own recordings instead of generated signals: a folder with one file a class (`healthy.f32`, `inner.f32`, …), each raw
 * little-endian float32 samples in g at `sampleRate`. The last fifth of every file is held out, so that the test never sees
 * a moment that training saw.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { classes, clip, type Example, windowLength } from './signals.ts';

export interface Split {
  readonly training: readonly Example[];
  readonly test: readonly Example[];
}

/** Windows side by side; what is left at the end is dropped. */
export function windowsOf(bytes: Uint8Array, label: number): readonly Example[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const sample = (i: number): number => clip(view.getFloat32(4 * i, true));
  return Array.from({ length: Math.floor(bytes.length / 4 / windowLength) }, (_, w) => ({
    label,
    signal: Float64Array.from({ length: windowLength }, (_, i) => sample(w * windowLength + i)),
  }));
}

/** All classes of a folder, or what is wrong with it. */
export function readRecordings(
  dir: string,
): { readonly ok: true; readonly value: Split } | { readonly ok: false; readonly reason: string } {
  const split: { training: Example[]; test: Example[] } = { training: [], test: [] };
  for (const [label, name] of classes.entries()) {
    const path = join(dir, `${name}.f32`);
    if (!existsSync(path)) return { ok: false, reason: `${path} is missing; every class needs a recording` };
    const windows = windowsOf(readFileSync(path), label);
    const held = Math.ceil(windows.length / 5);
    if (windows.length < 10)
      return { ok: false, reason: `${path} holds ${windows.length} windows of ${windowLength} samples, 10 are needed` };
    if (windows.some((w) => w.signal.some(Number.isNaN)))
      return { ok: false, reason: `${path} holds values that are no numbers; it must be little-endian float32` };
    split.training.push(...windows.slice(0, -held));
    split.test.push(...windows.slice(-held));
  }
  return { ok: true, value: split };
}

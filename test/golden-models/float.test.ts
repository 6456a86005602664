/** The MLPerf Tiny networks in float32 are refused, and the words lead on: which operator, where, and what to do. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { importModel } from '../../compiler/import/index.ts';
import { modelsDir } from '../models.ts';

for (const [name, first] of [
  ['kws', 'CONV_2D'],
  ['ic', 'CONV_2D'],
  ['vww', 'CONV_2D'],
  ['ad', 'FULLY_CONNECTED'],
] as const) {
  const file = join(modelsDir, `${name}_float32.tflite`);
  test.skipIf(!existsSync(file))(`${name} in float32 is refused with a way on`, () => {
    const read = importModel(readFileSync(file), name);
    expect(read.ok ? 'read' : read.error.code).toBe('TYPE_UNSUPPORTED');
    expect(read.ok ? '' : read.error.detail.replace(/byte \d+/, 'byte N')).toBe(
      `${first} (operator 0, byte N): operands of type float32 are not supported, int8 is; convert the model with full int8 quantization`,
    );
  });
}

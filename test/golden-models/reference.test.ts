/** The MLPerf Tiny networks through the references: every golden output of nine vectors, and every operator's CRC of the first. */
import { crc32 } from 'node:zlib';
import { expect, test } from 'vitest';
import { importModel } from '../../compiler/import/index.ts';
import { runReference } from '../../compiler/ops/run-reference.ts';
import { encode } from '../../compiler/ops/values.ts';
import { generateInput, goldenModel } from '../models.ts';

for (const name of ['kws', 'ic', 'vww', 'ad'] as const) {
  const model = goldenModel(name);
  test.skipIf(model === undefined)(`${name}: the reference gives the golden bytes`, () => {
    if (model === undefined) return;
    const graph = importModel(model.bytes, name);
    if (!graph.ok) throw new Error(graph.error.detail);
    for (const v of model.golden.vectors) {
      const run = runReference(graph.value, [generateInput(model.golden.input_bytes, v.seed, v.shr)], {
        rounding: 'double',
      });
      const [out] = run.outputs.map(encode);
      if (v.out_hex !== undefined)
        expect(Buffer.from(out ?? []).toString('hex'), `seed ${v.seed} shr ${v.shr}`).toBe(v.out_hex);
      expect(crc32(out ?? new Uint8Array())).toBe(v.out_crc32);
      for (const op of v.ops ?? [])
        expect([op.index, crc32(encode(run.nodes[op.index]?.[0] ?? new Int8Array()))]).toEqual([
          op.index,
          op.out_crc32,
        ]);
    }
  });
}

/** The MLPerf Tiny networks through the references: nine golden outputs, every operator's CRC, before and after all passes. */
import { crc32 } from 'node:zlib';
import { expect, test } from 'vitest';
import type { Graph } from '../../compiler/graph/graph.ts';
import { runReference } from '../../compiler/ops/run-reference.ts';
import { encode } from '../../compiler/ops/values.ts';
import { tasksOf } from '../../compiler/tasks.ts';
import { graphOf } from '../golden-run.ts';
import { type GoldenModel, generateInput, goldenModel } from '../models.ts';

/** Compares all outputs, and the CRC of every operator that the graph still has as it was ('every'), or of none. */
function expectGolden(model: GoldenModel, graph: Graph, operators: 'every' | 'none'): void {
  for (const v of model.golden.vectors) {
    const input = generateInput(model.golden.input_bytes, v.seed, v.shr);
    const run = runReference(graph, [input], { rounding: 'double' });
    const [out = new Uint8Array()] = run.outputs.map(encode);
    const label = `seed ${v.seed} shr ${v.shr}`;
    if (v.out_hex !== undefined) expect(Buffer.from(out).toString('hex'), label).toBe(v.out_hex);
    expect(crc32(out), label).toBe(v.out_crc32);
    if (operators === 'none') continue;
    const crcs = graph.nodes.map((n, i) => [n.source.index, crc32(encode(run.nodes[i]?.[0] ?? new Int8Array()))]);
    for (const op of v.ops ?? []) expect(crcs, label).toContainEqual([op.index, op.out_crc32]);
  }
}
const macsOf = (graph: Graph): number =>
  tasksOf(graph, { rounding: 'double' })
    .filter((t) => ['conv2d', 'depthwise_conv2d', 'fully_connected'].includes(t.workload.op))
    .reduce((n, t) => n + t.macs * t.occurrences.length, 0);

for (const name of ['kws', 'ic', 'vww', 'ad'] as const) {
  const model = goldenModel(name);
  if (model === undefined) console.log(`${name}: the golden model is not at hand (--models DIR)`);

  test.skipIf(model === undefined)(`${name} without optional passes: outputs and every operator's CRC`, () => {
    if (model !== undefined) expectGolden(model, graphOf(model, 'none'), 'every');
  });
  test.skipIf(model === undefined)(`${name} after all passes: the same outputs`, () => {
    if (model !== undefined) expectGolden(model, graphOf(model, 'all'), 'none');
  });
}

const vww = goldenModel('vww');
test.skipIf(vww === undefined)('vww: half of it is dead', () => {
  if (vww === undefined) return;
  expect(macsOf(graphOf(vww, 'none'))).toBe(7_489_664);
  expect(macsOf(graphOf(vww, 'all'))).toBeLessThanOrEqual(3_870_000);
});

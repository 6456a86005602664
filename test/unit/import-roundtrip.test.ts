/** The TFLite writer against the reader: what is written reads back as it was, node by node and byte by byte. */
import { expect, test } from 'vitest';
import type { Graph, Node } from '../../compiler/graph/graph.ts';
import { printGraph } from '../../compiler/graph/print.ts';
import { importModel } from '../../compiler/import/index.ts';
import { writeTflite } from '../../compiler/import/tflite/write.ts';
import { operators } from '../../compiler/ops/index.ts';
import { goldenModel } from '../models.ts';
import { samples } from '../samples.ts';
import { randomNetwork, randomNode } from './graphs.ts';
import { Random } from './random.ts';

function read(bytes: Uint8Array, name: string): Graph {
  const graph = importModel(bytes, name);
  if (!graph.ok) throw new Error(`${graph.error.code} ${graph.error.detail}`);
  return graph.value;
}

for (const name of ['kws', 'ic', 'vww', 'ad'] as const) {
  const model = goldenModel(name);
  test.skipIf(model === undefined)(`${name}: read, written, read again is the same graph`, () => {
    if (model === undefined) return;
    const first = read(model.bytes, name);
    const again = read(writeTflite(first), name);
    expect(again.nodes).toEqual(first.nodes);
    expect(again.tensors.slice(0, first.tensors.length)).toEqual(first.tensors);
    expect(printGraph(again).split('\n').slice(1)).toEqual(printGraph(first).split('\n').slice(1));
    expect(writeTflite(first)).toEqual(writeTflite(first));
  });
}

/** What a node says, without the name that only the file knows. */
const said = ({ op, attrs, inputs, outputs }: Node) => ({ op, attrs, inputs, outputs });

function expectSame(graph: Graph, label: string): void {
  const again = read(writeTflite(graph), graph.name);
  expect(again.nodes.map(said), label).toEqual(graph.nodes.map(said));
  // Attributes that are operands in the file come back as constants behind the tensors that were there.
  expect(again.tensors.slice(0, graph.tensors.length), label).toEqual(graph.tensors);
  expect([again.inputs, again.outputs], label).toEqual([graph.inputs, graph.outputs]);
}

test('every operator with random attributes, and random networks, read back as they were', () => {
  for (let seed = 1; seed <= samples(60, 3000); seed++) {
    for (const op of Object.keys(operators)) expectSame(randomNode(op, new Random(seed)), `${op} ${seed}`);
    expectSame(randomNetwork(new Random(seed)), `network ${seed}`);
  }
});

/** The TFLite writer against the reader: what is written reads back as it was, node by node and byte by byte. */
import { expect, test } from 'vitest';
import type { Graph } from '../../compiler/graph/graph.ts';
import { printGraph } from '../../compiler/graph/print.ts';
import { importModel } from '../../compiler/import/index.ts';
import { writeTflite } from '../../compiler/import/tflite/write.ts';
import { goldenModel } from '../models.ts';

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

/**
 * Every operator in C: random nodes, their naive programs printed and compiled for the PC (undefined-behaviour checks on), give
 * the bytes of the reference. Borders too: float32, uint8, int8 and int16 in and out.
 */
import { describe, expect, test } from 'vitest';
import type { Graph, Node } from '../../compiler/graph/graph.ts';
import { printGraph } from '../../compiler/graph/print.ts';
import { importModel } from '../../compiler/import/index.ts';
import { writeTflite } from '../../compiler/import/tflite/write.ts';
import { operatorOf, operators } from '../../compiler/ops/index.ts';
import type { Value } from '../../compiler/ops/operator.ts';
import { runReference } from '../../compiler/ops/run-reference.ts';
import { encode } from '../../compiler/ops/values.ts';
import { bind } from '../../compiler/program/index.ts';
import type { Rounding } from '../../compiler/workload.ts';
import { samples } from '../samples.ts';
import { randomInputs, randomNode } from '../unit/graphs.ts';
import { Random } from '../unit/random.ts';
import { type Case, expectCases } from './kernels-cases.ts';
import { kernelRun, runOnHost } from './kernels-machine.ts';

/** A node as kernels, one an algorithm, with what the reference says. */
function casesOf(graph: Graph, inputs: readonly Value[], rounding: Rounding, symbol: string): readonly Case[] {
  const node = graph.nodes[0] as Node;
  const { workload, constants } = operatorOf(node.op).lower(node, graph, { rounding });
  const fed = node.inputs.filter((id) => id >= 0 && graph.tensors[id]?.data === undefined);
  const [out] = runReference(graph, inputs, { rounding }).outputs;
  const want = Buffer.from(encode(out ?? new Int8Array())).toString('hex');
  return Object.entries(operatorOf(node.op).programs(workload)).map(([algorithm, naive]) => {
    const names = naive.buffers.filter((b) => b.space === 'in').map((b) => b.name);
    const given = names.map((name, i) => [name, inputs[graph.inputs.indexOf(fed[i] ?? -1)] as ArrayLike<number>]);
    const run = kernelRun(bind(naive, constants), `${symbol}_${algorithm}`, Object.fromEntries(given));
    return { label: `${symbol} ${rounding}\n${printGraph(graph)}${run.kernel.source}`, run, want };
  });
}

describe.each(Object.keys(operators))('%s', (op) => {
  test('in C gives the bytes of the reference', () => {
    const cases = Array.from({ length: samples(4, 150) }, (_, i) => {
      const random = new Random(i + 1);
      const graph = randomNode(op, random, 'any');
      return casesOf(graph, randomInputs(graph, random), i % 3 === 2 ? 'single' : 'double', `k${i}`);
    });
    expectCases(cases.flat(), [runOnHost]);
  });
});

describe('models between types', () => {
  const integer = { int8: [-128, 127], uint8: [0, 255], int16: [-32768, 32767] } as const;
  const types = ['float32', 'uint8', 'int8', 'int16'] as const;
  const pairs = types.flatMap((from) => types.map((to) => [from, to] as const));

  /** from -> to in one node, as an importer would see it. */
  function border(from: (typeof types)[number], to: (typeof types)[number]): Graph {
    const quant = (t: (typeof types)[number]) =>
      t === 'float32'
        ? {}
        : {
            quant: {
              scale: [Math.fround(6 / (integer[t][1] - integer[t][0]))],
              zeroPoint: [t === 'uint8' ? 120 : t === 'int8' ? -7 : 0],
              axis: 0,
            },
          };
    return {
      name: 'border',
      tensors: [
        { name: 'x', dtype: from, shape: [2, 3, 40], ...quant(from) },
        { name: 'y', dtype: to, shape: [2, 3, 40], ...quant(to) },
      ],
      nodes: [
        {
          op: to === 'float32' ? 'dequantize' : 'quantize',
          attrs: {},
          inputs: [0],
          outputs: [1],
          source: { index: 0, name: '' },
        },
      ],
      inputs: [0],
      outputs: [1],
    };
  }

  test('every pair that means something is imported, run and compiled', () => {
    const cases = pairs.flatMap(([from, to], i) => {
      const read = importModel(writeTflite(border(from, to)), 'border');
      expect(read.ok, `${from} to ${to}`).toBe(!(from === 'float32' && to === 'float32'));
      if (!read.ok) return [];
      return casesOf(read.value, randomInputs(read.value, new Random(i + 1)), 'double', `b${i}`);
    });
    expect(cases.length).toBe(15);
    expectCases(cases, [runOnHost]);
  });
});

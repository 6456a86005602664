/** Every operator says its result twice, written apart: reference() and the naive program must agree byte for byte. */
import { describe, expect, test } from 'vitest';
import type { Graph, Node } from '../../compiler/graph/graph.ts';
import { printGraph } from '../../compiler/graph/print.ts';
import { checkGraph } from '../../compiler/import/index.ts';
import { operatorOf, operators } from '../../compiler/ops/index.ts';
import type { Value } from '../../compiler/ops/operator.ts';
import { runReference } from '../../compiler/ops/run-reference.ts';
import { bind, interpret } from '../../compiler/program/index.ts';
import type { Rounding } from '../../compiler/workload.ts';
import { samples } from '../samples.ts';
import { growers } from './graph-layers.ts';
import { randomInputs, randomNode } from './graphs.ts';
import { Random } from './random.ts';

/** The one node's naive programs on the graph's inputs: output elements by algorithm. */
function programsOf(
  graph: Graph,
  inputs: readonly Value[],
  rounding: Rounding,
): Readonly<Record<string, ArrayLike<number>>> {
  const node = graph.nodes[0] as Node;
  const { workload, constants } = operatorOf(node.op).lower(node, graph, { rounding });
  const fed = node.inputs.filter((id) => id >= 0 && graph.tensors[id]?.data === undefined);
  const programs = Object.entries(operatorOf(node.op).programs(workload));
  return Object.fromEntries(
    programs.map(([algorithm, naive]) => {
      const buffers = naive.buffers.filter((b) => b.space === 'in');
      expect(buffers.length).toBe(fed.length);
      const given = buffers.map((b, i) => [b.name, inputs[graph.inputs.indexOf(fed[i] ?? -1)] as ArrayLike<number>]);
      const out = interpret(bind(naive, constants), Object.fromEntries(given));
      return [algorithm, Object.values(out)[0] as ArrayLike<number>];
    }),
  );
}

test('every operator can be drawn at random', () => {
  expect(Object.keys(growers).sort()).toEqual(Object.keys(operators).sort());
});

describe.each(Object.keys(operators))('%s', (op) => {
  test('the naive programs compute what the reference says', () => {
    for (let seed = 1; seed <= samples(150, 3000); seed++) {
      const random = new Random(seed);
      const graph = randomNode(op, random, 'any');
      const checked = checkGraph(graph);
      expect(checked.ok ? '' : checked.error.detail, `seed ${seed}\n${printGraph(graph)}`).toBe('');
      const inputs = randomInputs(graph, random);
      for (const rounding of ['double', 'single'] as const) {
        const [want] = runReference(graph, inputs, { rounding }).outputs as readonly ArrayLike<number>[];
        for (const [algorithm, got] of Object.entries(programsOf(graph, inputs, rounding)))
          expect(Array.from(got), `seed ${seed} ${rounding} ${algorithm}\n${printGraph(graph)}`).toEqual(
            Array.from(want ?? []),
          );
      }
    }
  });

  test('outputs are not all alike: the samples say something', () => {
    const seen = new Set<number>();
    for (let seed = 1; seed <= 40; seed++) {
      const random = new Random(seed);
      const graph = randomNode(op, random, 'any');
      const [out] = runReference(graph, randomInputs(graph, random), { rounding: 'double' }).outputs;
      for (const v of out as ArrayLike<number> & Iterable<number>) seen.add(v);
    }
    expect(seen.size).toBeGreaterThan(50);
  });
});

/** Every pass is exact: on random graphs the outputs stay as they were for random inputs. Then what each is for, as printed graphs. */
import { describe, expect, test } from 'vitest';
import { elements, type Graph } from '../../compiler/graph/graph.ts';
import { printGraph } from '../../compiler/graph/print.ts';
import { verifyGraph } from '../../compiler/graph/verify.ts';
import { checkGraph } from '../../compiler/import/index.ts';
import type { Value } from '../../compiler/ops/operator.ts';
import { runReference } from '../../compiler/ops/run-reference.ts';
import { decode, encode, numbers, rangeOf } from '../../compiler/ops/values.ts';
import { boundsOf } from '../../compiler/passes/bounds.ts';
import { passes, runPasses } from '../../compiler/passes/index.ts';
import { samples } from '../samples.ts';
import { Draft, randomInputs, randomNetwork } from './graphs.ts';
import { channelNetwork, withDeadChannels, withFrozenInputs, withStuckChannels } from './passes-graphs.ts';
import { Random } from './random.ts';

/** Inputs that depend on the seed alone: three random ones, the lowest, the highest, and a wild mix of both. */
function inputsOf(g: Graph, seed: number): readonly (readonly Value[])[] {
  const drawn = [1, 2, 3, 4].map((n) => randomInputs(g, new Random(seed * 7 + n)));
  const ends = (pick: (i: number, lo: number, hi: number) => number): readonly Value[] =>
    (drawn[3] ?? []).map((v, k) => {
      const [lo, hi] = rangeOf(g.tensors[g.inputs[k] ?? -1]?.dtype ?? 'int8');
      return v instanceof Float32Array ? v : (v as Int8Array).map((x, i) => pick(i + x, lo, hi));
    });
  return [
    ...drawn.slice(0, 3),
    ends((_, lo) => lo),
    ends((_, __, hi) => hi),
    ends((n, lo, hi) => (n % 3 === 0 ? lo : hi)),
  ];
}

/** Output bytes for those inputs. */
function answers(g: Graph, seed: number): string {
  return inputsOf(g, seed)
    .flatMap((inputs) => runReference(g, inputs, { rounding: 'double' }).outputs)
    .map((v) => Buffer.from(encode(v)).toString('hex'))
    .join(' ');
}

/** A network for a seed. Some scales and operands are refused at import: then the next that is not. */
function networkOf(seed: number): Graph {
  for (let r = new Random(seed); ; ) {
    const plain = r.next() < 0.6 ? channelNetwork(r) : randomNetwork(r);
    const dead = withFrozenInputs(withDeadChannels(plain, r), r);
    const graph = r.next() < 0.6 ? withStuckChannels(dead, r) : dead;
    if (checkGraph(graph).ok) return graph;
  }
}
const channelCount = (g: Graph): number =>
  g.tensors.reduce((n, t) => n + (t.data === undefined ? (t.shape.at(-1) ?? 1) : 0), 0);

describe('on random graphs', () => {
  const count = samples(200, 5_000);

  test('every value lies within its bounds, whatever the input, and where they are equal it never changes', () => {
    let settled = 0;
    for (let seed = 1; seed <= count; seed++) {
      const graph = networkOf(seed);
      for (const rounding of ['double', 'single'] as const) {
        const bounds = boundsOf(graph, rounding);
        for (const inputs of inputsOf(graph, seed)) {
          const { nodes } = runReference(graph, inputs, { rounding });
          graph.nodes.forEach((node, k) => {
            node.outputs.forEach((id, i) => {
              const [low, high] = [bounds[id]?.low, bounds[id]?.high].map((v) => numbers(v as Value));
              const values = numbers(nodes[k]?.[i] as Value);
              for (let at = 0; at < values.length; at++) {
                const [lo, v, hi] = [low?.[at], values[at], high?.[at]] as [number, number, number];
                if (lo === hi) settled++;
                // Of a float, not a number is anything.
                if (!(v >= lo && v <= hi) && !Number.isNaN(v))
                  expect.fail(`seed ${seed}: ${node.op} gives ${v}, not ${lo}..${hi}\n${printGraph(graph)}`);
              }
            });
          });
        }
      }
    }
    expect(settled).toBeGreaterThan(0);
  });

  test('every pass keeps the outputs, the structure, and what operators ask of their nodes', () => {
    const changed = new Map(passes.map((p) => [p.name, 0]));
    for (let seed = 1; seed <= count; seed++) {
      let graph = networkOf(seed);
      const want = answers(graph, seed);
      for (const pass of passes) {
        const after = pass.run(graph, 'double');
        const label = `seed ${seed}, ${pass.name}\n${printGraph(graph)}${printGraph(after)}`;
        expect(verifyGraph(after), label).toBeUndefined();
        expect(answers(after, seed), label).toBe(want);
        const checked = checkGraph(after);
        if (!checked.ok) expect(checked.error.detail, label).toBe('');
        if (printGraph(after) !== printGraph(graph)) changed.set(pass.name, (changed.get(pass.name) ?? 0) + 1);
        graph = after;
      }
    }
    // A pass that never had anything to do was not tested.
    for (const [name, times] of changed) expect([name, times > count / 200]).toEqual([name, true]);
  });

  test('dead channels go in one go: a second time there is nothing left', () => {
    let removed = 0;
    for (let seed = 1; seed <= samples(200, 5_000); seed++) {
      const graph = networkOf(seed);
      const once = runPasses(graph, { optional: 'all' });
      expect(apply('remove-dead-channels', once), `seed ${seed}`).toBe(once);
      removed += channelCount(graph) - channelCount(once);
    }
    expect(removed).toBeGreaterThan(0);
  });

  test('without the optional passes only constants are folded', () => {
    for (let seed = 1; seed <= samples(100, 5_000); seed++) {
      const graph = networkOf(seed);
      const folded = passes.filter((p) => p.required).reduce((g, p) => p.run(g, 'double'), graph);
      expect(printGraph(runPasses(graph, { optional: 'none' }))).toBe(printGraph(folded));
    }
  });
});

const quant = (scale: number, zero: number) => ({ scale: [scale], zeroPoint: [zero], axis: 0 });

/** A graph written by hand: what `build` puts behind an image of 1x6x6x4 with zero point 3. */
function graphOf(build: (d: Draft, x: number) => number): Graph {
  const d = new Draft(new Random(1), 'any');
  return d.finish('g', [build(d, d.input('int8', [1, 6, 6, 4], quant(0.5, 3)))]);
}
function given(d: Draft, shape: readonly number[], values: Int8Array | Int32Array): number {
  const id = d.constant(values instanceof Int8Array ? 'int8' : 'int32', shape, [0, 0], quant(0.01, 0));
  d.at(id).data?.set(encode(values));
  return id;
}
/** A convolution by its weight for each result channel and channel, the same for each tap. Scales are such that 100 adds 2. */
function conv(
  d: Draft,
  x: number,
  weights: readonly (readonly number[])[],
  rest: { readonly kernel?: number; readonly pad?: number; readonly bias?: readonly number[] } = {},
): number {
  const { kernel = 1, pad = 0 } = rest;
  const values = weights.flatMap((row) => Array.from({ length: kernel * kernel }, () => row).flat());
  const w = given(d, [weights.length, kernel, kernel, d.at(x).shape[3] ?? 1], Int8Array.from(values));
  const b = given(
    d,
    [weights.length],
    Int32Array.from(weights, (_, o) => rest.bias?.[o] ?? 0),
  );
  const attrs = { stride: [1, 1], dilation: [1, 1], pad: [pad, pad, pad, pad], activation: 'none' };
  return d.node('conv2d', attrs, [x, w, b], { dtype: 'int8', quant: quant(0.25, 3) });
}
function depthwise(d: Draft, x: number): number {
  const c = d.at(x).shape[3] ?? 1;
  const w = given(d, [1, 3, 3, c], new Int8Array(9 * c).fill(5));
  const attrs = { multiplier: 1, stride: [1, 1], dilation: [1, 1], pad: [1, 1, 1, 1], activation: 'none' };
  return d.node('depthwise_conv2d', attrs, [x, w, -1], { dtype: 'int8', quant: quant(0.5, 3) });
}
const [live, dead] = [
  [9, -8, 7, 6],
  [0, 0, 0, 0],
];

const nodesOf = (g: Graph): readonly string[] =>
  printGraph(g)
    .trim()
    .split('\n')
    .slice(1)
    .map((l) => l.trim());
function apply(name: string, g: Graph): Graph {
  const pass = passes.find((p) => p.name === name);
  if (pass === undefined) throw new Error(`no pass ${name}`);
  return pass.run(g, 'double');
}
/** Channels of every computed tensor, in order. */
const widths = (g: Graph): readonly number[] => g.nodes.map((n) => g.tensors[n.outputs[0] ?? -1]?.shape.at(-1) ?? 0);
const biasOf = (g: Graph, node: number): readonly number[] => {
  const t = g.tensors[g.nodes[node]?.inputs[2] ?? -1];
  return t === undefined ? [] : [...(decode(t) as Int32Array)];
};

describe('remove-dead-channels', () => {
  const widthsAfter = (g: Graph): readonly number[] => widths(apply('remove-dead-channels', g));

  test('a channel without weights goes, and what it holds goes into the bias of its reader', () => {
    const g = graphOf((d, x) => {
      const a = conv(d, x, [live, dead, live], { bias: [0, 1000, 0] });
      return conv(d, a, [
        [1, 2, 3],
        [0, -4, 0],
      ]);
    });
    const done = apply('remove-dead-channels', g);
    expect(widths(done)).toEqual([2, 2]);
    // 1000 at scale 0.5 * 0.01 is 5, and at the result's scale of 0.25 it is 20.
    expect(biasOf(done, 1)).toEqual([2 * 20, -4 * 20]);
  });

  test('a channel goes that its bias holds at the clamp for every input; one that a single input could move stays', () => {
    // Inputs take at most 22 * 131 + 8 * 124 off the bias, and a sum of 6175 or more (times 0.02, plus 3) is 127.
    const chain = (bias: number) =>
      graphOf((d, x) =>
        conv(d, conv(d, x, [live, live], { bias: [0, bias] }), [
          [1, 2],
          [0, -4],
        ]),
      );
    const least = 6175 + 8 * 124 + 22 * 131;
    const stuck = apply('remove-dead-channels', chain(least));
    expect(widths(stuck)).toEqual([1, 2]);
    expect(biasOf(stuck, 1)).toEqual([2 * (127 - 3), -4 * (127 - 3)]);
    expect(widthsAfter(chain(least - 1))).toEqual([2, 2]);
  });

  test('a channel that nobody reads goes, whatever it holds', () => {
    const unread = (d: Draft, x: number): number => conv(d, conv(d, x, [live, live, live]), [[1, 0, 3]]);
    expect(widthsAfter(graphOf(unread))).toEqual([2, 1]);
  });

  test('through a depthwise layer with a border: its values differ there, so only a zero point can go', () => {
    const chain = (bias: number) =>
      graphOf((d, x) => conv(d, depthwise(d, conv(d, x, [live, dead, live], { bias: [0, bias, 0] })), [[1, 2, 3]]));
    expect(widthsAfter(chain(0))).toEqual([2, 2, 1]);
    expect(widthsAfter(chain(1000))).toEqual([3, 3, 1]);
  });

  test('into a convolution with a border only a zero point can go', () => {
    const chain = (bias: number) =>
      graphOf((d, x) => conv(d, conv(d, x, [live, dead], { bias: [0, bias] }), [[1, 2]], { kernel: 3, pad: 1 }));
    expect(widthsAfter(chain(0))).toEqual([1, 1]);
    expect(widthsAfter(chain(1000))).toEqual([2, 1]);
  });

  test('into a fully connected layer every value can go: it has a weight for each pixel', () => {
    const g = graphOf((d, x) => {
      const a = depthwise(d, conv(d, x, [live, dead], { bias: [0, 1000] }));
      const w = given(
        d,
        [2, 72],
        Int8Array.from({ length: 144 }, (_, i) => (i % 11) - 5),
      );
      return d.node('fully_connected', { keepDims: false, activation: 'none' }, [a, w, -1], {
        dtype: 'int8',
        quant: quant(1, 0),
      });
    });
    expect(widthsAfter(g)).toEqual([1, 1, 2]);
    expect(answers(apply('remove-dead-channels', g), 1)).toBe(answers(g, 1));
  });

  test('a sum keeps a channel that one side still computes; outputs keep theirs', () => {
    const sum = (left: readonly number[], right: readonly number[]) =>
      graphOf((d, x) => {
        const [a, b] = [conv(d, x, [live, left]), conv(d, x, [live, right])];
        const y = d.node('add', { activation: 'none' }, [a, b], { dtype: 'int8', quant: quant(0.5, 0) });
        return conv(d, y, [[1, 2]]);
      });
    expect(widthsAfter(sum(dead as number[], live as number[]))).toEqual([2, 2, 2, 1]);
    expect(widthsAfter(sum(dead as number[], dead as number[]))).toEqual([1, 1, 1, 1]);
    expect(widthsAfter(graphOf((d, x) => conv(d, x, [live, dead])))).toEqual([2]);
  });
});

describe('the other passes, as printed', () => {
  test('fold-constants: what reads only constants becomes one', () => {
    const g = graphOf((d, x) => {
      const c = given(d, [4], Int8Array.of(1, -2, 3, 100));
      const clamped = d.node('relu', {}, [c], { dtype: 'int8', quant: quant(0.01, 0) });
      return d.node('add', { activation: 'none' }, [x, clamped], { dtype: 'int8', quant: quant(0.5, 3) });
    });
    expect(nodesOf(apply('fold-constants', g))).toEqual([
      '%3: int8[1,6,6,4] = add(%0, %2:const int8[4]) activation=none',
    ]);
  });

  test('fuse-padding: a PAD that writes the zero point becomes the border of what reads it', () => {
    const padded = (value: number) =>
      graphOf((d, x) => {
        const y = d.node('pad', { pads: [0, 0, 1, 1, 0, 2, 0, 0], value }, [x], {
          dtype: 'int8',
          quant: quant(0.5, 3),
        });
        return conv(d, y, [live], { kernel: 3 });
      });
    expect(nodesOf(apply('remove-unused', apply('fuse-padding', padded(3))))).toEqual([
      '%3: int8[1,6,6,1] = conv2d(%0, %1:const int8[1,3,3,4], %2:const int32[1]) stride=[1,1] dilation=[1,1] pad=[1,1,0,2] activation=none',
    ]);
    expect(apply('fuse-padding', padded(0))).toEqual(padded(0));
  });

  test('fuse-activation: a RELU of the same scale becomes the clamp of the node before it', () => {
    const clamped = (scale: number) =>
      graphOf((d, x) => d.node('relu', {}, [conv(d, x, [live])], { dtype: 'int8', quant: quant(scale, 3) }));
    expect(nodesOf(apply('fuse-activation', clamped(0.25)))).toEqual([
      '%4: int8[1,6,6,1] = conv2d(%0, %1:const int8[1,1,1,4], %2:const int32[1]) stride=[1,1] dilation=[1,1] pad=[0,0,0,0] activation=relu',
    ]);
    expect(apply('fuse-activation', clamped(0.5))).toEqual(clamped(0.5));
  });

  test('remove-views, remove-unused: readers look through a reshape, and it is gone', () => {
    const g = graphOf((d, x) => {
      const flat = d.node('reshape', { shape: [1, 144] }, [x], {
        dtype: 'int8',
        shape: [1, 144],
        quant: quant(0.5, 3),
      });
      const w = given(d, [2, elements(d.at(x).shape)], new Int8Array(288).fill(1));
      return d.node('fully_connected', { keepDims: false, activation: 'none' }, [flat, w, -1], {
        dtype: 'int8',
        quant: quant(1, 0),
      });
    });
    expect(nodesOf(apply('remove-unused', apply('remove-views', g)))).toEqual([
      '%2: int8[1,2] = fully_connected(%0, %1:const int8[2,144], -) keepDims=false activation=none',
    ]);
  });
});

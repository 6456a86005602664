/**
 * Output and input that share memory: the distance that is computed keeps every byte until its last read, in whatever order a
 * schedule goes, and is what rows and parts need.
 */
import { expect, test } from 'vitest';
import { leastDistance } from '../../compiler/plan/overlap.ts';
import { apply } from '../../compiler/program/arithmetic.ts';
import { type Buffer, type Expr, type Program, replay, type Step, type Stmt } from '../../compiler/program/index.ts';
import { inlineCall } from '../../compiler/program/inline.ts';
import { accesses, elements } from '../../compiler/program/walk.ts';
import { templatesFor } from '../../kernels/index.ts';
import { type Kind, kinds, sample } from '../host/kernels-workloads.ts';
import { samples } from '../samples.ts';
import { addRow, conv3x3, depthwise, pointwise } from './naive.ts';
import { Random } from './random.ts';

type Iters = ReadonlyMap<string, number>;
function indexAt(e: Expr, iters: Iters): number {
  switch (e.kind) {
    case 'const':
      return e.value;
    case 'iter':
      return iters.get(e.name) ?? Number.NaN;
    case 'binary':
      return apply(e.op, indexAt(e.a, iters), indexAt(e.b, iters));
    default:
      throw new Error(`an index of ${e.kind}`);
  }
}

/** A store or a call: the first byte of x that it reads, and the byte after the last of y that it writes. */
interface Touched {
  from: number;
  to: number;
}
/** Runs a program, one element at a time, and notes only which bytes are touched. */
function trace(p: Program, xs: ReadonlySet<string>, y: string): readonly Touched[] {
  const shapes = new Map(p.buffers.map((b) => [b.name, b.shape]));
  const touch = (now: Touched, s: Stmt, iters: Iters): void => {
    if (s.kind === 'loop') {
      for (let i = 0; i < s.extent; i++) for (const b of s.body) touch(now, b, new Map([...iters, [s.iter, i]]));
      return;
    }
    for (const { buf, index, how } of accesses([s])) {
      if (!xs.has(buf) && (buf !== y || how === 'read')) continue;
      const [shape, at] = [shapes.get(buf) ?? [], index.map((e) => indexAt(e, iters))];
      if (at.some((i, d) => i < 0 || i >= (shape[d] ?? 0))) continue;
      const place = at.reduce((sum, i, d) => sum * (shape[d] ?? 1) + i, 0);
      if (buf === y) now.to = Math.max(now.to, place + 1);
      else now.from = Math.min(now.from, place);
    }
  };
  const run = (stmts: readonly Stmt[], iters: Iters): readonly Touched[] =>
    stmts.flatMap((s): readonly Touched[] => {
      if (s.kind === 'loop')
        return Array.from({ length: s.extent }, (_, i) => run(s.body, new Map([...iters, [s.iter, i]]))).flat();
      const now = { from: Number.POSITIVE_INFINITY, to: Number.NEGATIVE_INFINITY };
      for (const part of s.kind === 'call' ? inlineCall(s, 't') : [s]) touch(now, part, iters);
      return [now];
    });
  return run(p.body, new Map());
}
/** By definition: no byte is written before or while a byte at its place, or above, is read. */
function distanceBy(steps: readonly Touched[]): number {
  let distance = Number.NEGATIVE_INFINITY;
  steps.forEach(({ to }, i) => {
    if (to > 0) for (const { from } of steps.slice(i)) distance = Math.max(distance, to - from);
  });
  return distance;
}

const only = new Set(['x']);
const replayed = (p: Program, steps: readonly Step[]): Program => {
  const done = replay(p, steps);
  if (!done.ok) throw new Error(done.reason);
  return done.program;
};

test('layers as they are: a row of pixels, and what borders or strides need beyond', () => {
  // A pixel's input is read for the last of its outputs; the last but one is the furthest that is written before.
  expect(leastDistance(pointwise(7, 6, 6).program, only, 'y')).toBe(5);
  expect(leastDistance(pointwise(7, 6, 4).program, only, 'y')).toBe(3);
  // The output grows faster than the input goes: at the last pixel it is furthest ahead.
  expect(leastDistance(pointwise(7, 4, 6).program, only, 'y')).toBe(6 * 6 + 5 - 6 * 4);
  // A row and a pixel back as well.
  expect(leastDistance(conv3x3(5, 4, 2, 2).program, only, 'y')).toBe(4 * 2 + 2 + 1);
});

test('what is copied out first may be written over at once, and parts one after another', () => {
  const fold: Step = { primitive: 'foldOffset', acc: 'acc', as: 'bias_z' };
  const stage = (at: string): Step => ({
    primitive: 'stage',
    buf: 'x',
    at,
    as: 'xw',
    loops: ['a', 'b'],
    dtype: 'i16',
  });
  const parts = (tail: 'exact' | 'overlap', size: number, pixels = 12): number => {
    const cut: Step = { primitive: 'split', loop: 'p', factor: size, into: ['po', 'pi'], tail };
    return leastDistance(replayed(pointwise(pixels, 6, 6).program, [fold, cut, stage('po')]), only, 'y');
  };
  expect(leastDistance(replayed(pointwise(12, 6, 6).program, [fold, stage('')]), only, 'y')).toBeLessThanOrEqual(-72);
  expect(parts('exact', 4)).toBe(0);
  // The last part begins 2 pixels within the one before.
  expect(parts('overlap', 4, 10)).toBe(2 * 6);
});

test('several inputs: each by itself, and both where they are one memory', () => {
  const { program } = addRow(3, 4);
  expect(leastDistance(program, new Set(['x0']), 'y')).toBe(1);
  // A row that is read every time must lie above all that is written before its last time.
  expect(leastDistance(program, new Set(['x1']), 'y')).toBe(9);
  expect(leastDistance(program, new Set(['x0', 'x1']), 'y')).toBe(9);
});

test('elements of other sizes and orders stay apart', () => {
  const { program } = pointwise(7, 8, 8);
  const others: readonly Partial<Buffer>[] = [{ dtype: 'i32' }, { layout: { kind: 'quad', order: [0, 2, 1, 3] } }];
  for (const other of others) {
    const buffers = program.buffers.map((b) => (b.name === 'y' ? { ...b, ...other } : b));
    expect(leastDistance({ ...program, buffers }, only, 'y')).toBe(Number.POSITIVE_INFINITY);
  }
});

test('loops of more iterations than are told apart cost distance, not bytes', () => {
  const { program } = depthwise(20, 20, 3, 1);
  const [exact, known] = [distanceBy(trace(program, only, 'y')), leastDistance(program, only, 'y')];
  expect(known).toBeGreaterThanOrEqual(exact);
  expect(known).toBeLessThanOrEqual(exact + 20 * 3);
});

test('every template on random layers: never less than what a run of the program shows', () => {
  let shared = 0;
  for (const kind of Object.keys(kinds) as Kind[]) {
    for (let seed = 1; seed <= samples(2, 60); seed++) {
      const { workload, program } = sample(kind, 2000 + seed);
      const r = new Random(seed);
      const features = seed % 2 === 0 ? [] : ['dsp', 'fpu', 'places'];
      for (const { template, knobs } of templatesFor(workload, features)) {
        const setting = Object.fromEntries(knobs.map((k) => [k.name, r.pick(k.values)]));
        const done = replay(program, template.schedule(workload, setting).steps);
        if (!done.ok) continue;
        const inputs = done.program.buffers.filter((b) => b.space === 'in').map((b) => b.name);
        for (const x of inputs) {
          const known = leastDistance(done.program, new Set([x]), 'y');
          const label = `${kind} ${seed} ${template.name} ${JSON.stringify(setting)}`;
          expect(known, label).toBeGreaterThanOrEqual(distanceBy(trace(done.program, new Set([x]), 'y')));
          if (known < elements(workload.outputs[0]?.shape ?? [])) shared++;
        }
      }
    }
  }
  expect(shared).toBeGreaterThan(20);
});

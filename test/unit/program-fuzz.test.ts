/**
 * Random steps on small programs: most are refused, and whatever is accepted must compute the same. Every primitive occurs;
 * the last test makes sure that each was accepted at least once, so that the fuzz cannot go blind.
 */
import { expect, test } from 'vitest';
import {
  allocsIn,
  interpret,
  loopsIn,
  type Program,
  replay,
  type Step,
  showProgram,
} from '../../compiler/program/index.ts';
import { primitives } from '../../compiler/program/rewrites/well-formed.ts';
import { samples } from '../samples.ts';
import {
  addRow,
  type Case,
  conv3x3,
  depthwise,
  maxPool,
  mean,
  oneByte,
  pointwise,
  product,
  residual,
} from './naive.ts';
import { Random } from './random.ts';

const cases: Readonly<Record<string, (seed: number) => Case>> = {
  pointwise: (seed) => pointwise(7, 8, 4, seed),
  conv3x3: (seed) => conv3x3(4, 5, 4, 2, seed),
  'depthwise, stride 1': (seed) => depthwise(5, 4, 4, 1, seed),
  'depthwise, stride 2': (seed) => depthwise(6, 5, 4, 2, seed),
  'max pool': (seed) => maxPool(4, 6, 4, seed),
  mean: (seed) => mean(6, 8, seed),
  'product of bytes': (seed) => product(32, seed),
  'one byte': (seed) => oneByte(24, seed),
  'broadcast add': (seed) => addRow(5, 8, seed),
  'sum of two scales': (seed) => residual(64, seed),
};

function randomStep(r: Random, p: Program, n: number): Step {
  const loops = loopsIn(p.body).map((l) => l.iter);
  const buffers = [...p.buffers, ...allocsIn(p.body)].map((b) => b.name);
  const temps = allocsIn(p.body).map((b) => b.name);
  const consts = p.buffers.filter((b) => b.space === 'const').map((b) => b.name);
  const loop = (): string => r.pick(loops);
  const chain = (): string[] => {
    const start = loopsIn(p.body).find((l) => l.iter === loop());
    const names: string[] = [];
    for (let l = start; l !== undefined && names.length < 3; l = l.body.find((s) => s.kind === 'loop'))
      names.push(l.iter);
    return r.next() < 0.5 ? names : names.slice(0, 2).reverse();
  };
  const layout = r.next() < 0.3 ? { layout: { kind: 'quad' as const, order: [0, 2, 1, 3] } } : {};
  const names = (k: number): string[] => ['u', 'v', 't', 'q'].slice(0, k).map((x) => `${x}${n}`);
  const buf = r.pick(buffers);
  const rank = [...p.buffers, ...allocsIn(p.body)].find((b) => b.name === buf)?.shape.length ?? 0;
  const dtype = r.pick(['i8', 'i16', 'i32'] as const);
  const make: readonly (() => Step)[] = [
    () => ({
      primitive: 'split',
      loop: loop(),
      factor: r.pick([2, 3, 4]),
      into: [`o${n}`, `k${n}`],
      tail: r.pick(['exact', 'overlap', 'peel'] as const),
    }),
    () => ({ primitive: 'split', loop: loop(), factor: 2, into: [`o${n}`, `k${n}`], tail: 'exact' }),
    () => ({ primitive: 'reorder', loops: chain() }),
    () => ({ primitive: 'fuse', loops: [loop(), loop()], into: `f${n}` }),
    () => ({ primitive: 'fuse', loops: chain().slice(0, 2) as [string, string], into: `f${n}` }),
    () => ({ primitive: 'fission', loops: chain() }),
    () => ({ primitive: 'unroll', loop: loop() }),
    () => ({ primitive: 'peel', loop: loop(), first: r.int(0, 1), last: r.int(0, 1) }),
    () => ({
      primitive: 'expand',
      buf: r.pick(temps.length > 0 ? temps : ['acc']),
      loops: r.next() < 0.5 ? [loop()] : chain(),
    }),
    () => ({
      primitive: 'stage',
      buf,
      at: r.pick(['', loop()]),
      as: `b${n}`,
      loops: names(rank),
      dtype,
      space: r.pick(['scratch', 'register'] as const),
      border: r.pick(['apart', 'inline'] as const),
      ...(r.next() < 0.3 && { take: 'read' as const }),
      ...layout,
    }),
    () => ({
      primitive: 'stage',
      buf,
      at: r.pick(['', loop()]),
      as: `b${n}`,
      loops: names(rank),
      dtype,
      order:
        rank === 3
          ? r.pick([
              [0, 2, 1],
              [2, 0, 1],
            ])
          : rank === 2
            ? [1, 0]
            : [0],
      ...(r.next() < 0.6 && { whole: [0] }),
      ...(r.next() < 0.6 && { pitch: 8 }),
      ...(r.next() < 0.3 && { take: 'read' as const }),
      ...(r.next() < 0.3 && { pitchOf: r.int(0, rank - 1) }),
    }),
    () => ({ primitive: 'layOut', buf: r.pick(['x', 'y']), as: 'wide' }),
    () => ({ primitive: 'pad', buf: 'x', as: `b${n}`, loops: names(3), dtype, ...layout }),
    () => ({ primitive: 'computeAt', producer: loop(), buf: r.pick(temps.length > 0 ? temps : ['acc']), at: loop() }),
    () => ({ primitive: 'foldOffset', acc: 'acc', as: `z${n}` }),
    () => ({
      primitive: 'requantizeAffine',
      acc: 'acc',
      mul: `m${n}`,
      add: `d${n}`,
      ...(r.next() < 0.5 && { fix: `x${n}` }),
    }),
    () => ({ primitive: 'requantizeTop', acc: 'acc', mul: `m${n}`, add: `d${n}` }),
    () => ({
      primitive: 'requantizeParts',
      acc: 'acc',
      table: `t${n}`,
      parts: r.int(2, 3),
      form: r.pick(['plain', 'signed'] as const),
      ...(r.next() < 0.5 && { start: `s${n}` }),
    }),
    () => ({
      primitive: 'winograd',
      acc: 'acc',
      tile: r.pick([2, 4]),
      down: 1,
      across: r.int(1, 2),
      form: r.pick(['affine', 'signed', 'general'] as const),
    }),
    () => ({
      primitive: 'winogradWords',
      loop: r.pick(['oy', loop()]),
      acc: 'acc',
      tile: r.pick([2, 4]),
      down: 1,
      across: r.int(1, 2),
    }),
    () => ({
      primitive: 'rebase',
      buf: r.pick(temps.length > 0 ? temps : ['acc']),
      offset: r.pick([128, -128, 7]),
      dtype: r.pick(['u8', 'i8', 'i16', 'i32'] as const),
    }),
    () => ({ primitive: 'requantizeHalf', acc: 'acc' }),
    () => ({ primitive: 'tabulate', table: `t${n}` }),
    () => ({ primitive: 'scaleProduct' }),
    () => ({ primitive: 'linearSum', ...(r.next() < 0.5 && { form: r.pick(['word', 'half'] as const) }) }),
    () => ({ primitive: 'widenConst', buf: r.pick(consts.length > 0 ? consts : ['w']), dtype }),
    () => ({
      primitive: 'pack',
      buf: r.pick(consts.length > 0 ? consts : ['w']),
      layout: { kind: 'quad', order: [0, 2, 1, 3] },
    }),
    () => ({
      primitive: 'replace',
      loop: loop(),
      instr: r.pick(['smlad', 'widen']),
      operands: { src: 'x', dst: r.pick(buffers), a: r.pick(buffers), b: r.pick(['w', r.pick(buffers)]), acc: 'acc' },
    }),
    () => ({ primitive: 'place', what: r.pick(['code', ...consts]), where: r.pick(['ram', 'flash'] as const) }),
    () => ({ primitive: 'flags', flags: r.pick([['-O3'], ['-O2', '-fno-schedule-insns']]) }),
  ];
  return r.pick(make)();
}

const accepted = new Set<string>();
/** What comes out, in whatever type it lies. */
const valuesOf = (p: Program, inputs: Case['inputs']): readonly number[] => Array.from(interpret(p, inputs).y ?? []);

for (const [name, make] of Object.entries(cases)) {
  test(`random schedules of ${name} compute what the naive program does`, () => {
    const r = new Random(11);
    for (let round = 0; round < samples(120, 4000); round++) {
      const { program, inputs } = make(1 + (round % 7));
      const want = valuesOf(program, inputs);
      let p = program;
      const done: Step[] = [];
      for (let n = 0; n < 14; n++) {
        const step = randomStep(r, p, n);
        const one = replay(p, [step]);
        if (!one.ok) continue;
        accepted.add(step.primitive);
        done.push(step);
        p = one.program;
      }
      expect(valuesOf(p, inputs), `${JSON.stringify(done)}\n${showProgram(p)}`).toEqual(want);
    }
  });
}

/** What chance seldom finds. */
const chains: Readonly<Record<string, readonly Step[]>> = {
  'an instruction': [
    { primitive: 'foldOffset', acc: 'acc', as: 'bias_z' },
    { primitive: 'widenConst', buf: 'w', dtype: 'i16' },
    { primitive: 'stage', buf: 'x', at: '', as: 'xw', loops: ['a', 'b'], dtype: 'i16' },
    { primitive: 'replace', loop: 'a', instr: 'widen', operands: { src: 'x', dst: 'xw' } },
    { primitive: 'split', loop: 'i', factor: 2, into: ['k', 'h'], tail: 'exact' },
    { primitive: 'replace', loop: 'h', instr: 'smlad', operands: { a: 'xw', b: 'w', acc: 'acc' } },
  ],
  'a copy a pixel': [
    { primitive: 'stage', buf: 'x', at: '', as: 'xw', loops: ['a', 'b'], dtype: 'i16' },
    { primitive: 'computeAt', producer: 'a', buf: 'xw', at: 'p' },
  ],
};

test.each(Object.entries(chains))('a chain of steps that reaches %s is replayed and equal', (_, steps) => {
  const { program, inputs } = pointwise(6, 8, 4);
  const done = replay(program, steps);
  expect(done.ok ? 'ok' : done.reason).toBe('ok');
  if (done.ok) expect(interpret(done.program, inputs).y).toEqual(interpret(program, inputs).y);
  for (const s of steps) accepted.add(s.primitive);
});

test('a chain of steps that turns a 3x3 window into tiles of words is replayed and equal', () => {
  const { program, inputs } = conv3x3(4, 5, 4, 2);
  const steps: readonly Step[] = [
    { primitive: 'foldOffset', acc: 'acc', as: 'bias_z' },
    { primitive: 'pad', buf: 'x', as: 'xb', loops: ['b0', 'b1', 'b2'], dtype: 'i8' },
    { primitive: 'requantizeParts', acc: 'acc', table: 'rq', parts: 3, form: 'signed' },
    { primitive: 'winogradWords', loop: 'oy', acc: 'acc', tile: 2, down: 2, across: 1 },
  ];
  const done = replay(program, steps);
  expect(done.ok ? 'ok' : done.reason).toBe('ok');
  if (done.ok) expect(interpret(done.program, inputs).y).toEqual(interpret(program, inputs).y);
  for (const s of steps) accepted.add(s.primitive);
});

/** Sums of several outputs side by side, as a block of registers holds them. */
const sideBySide: readonly Step[] = [
  { primitive: 'expand', buf: 'acc', loops: ['p', 'o'] },
  { primitive: 'fission', loops: ['p', 'o'] },
];
test('an offset is folded by the weights of its own output alone, or not at all', () => {
  for (const { program, inputs } of [pointwise(3, 8, 4), pointwise(1, 8, 4)]) {
    const apart = replay(program, sideBySide);
    if (!apart.ok) throw new Error(apart.reason);
    const folded = replay(apart.program, [{ primitive: 'foldOffset', acc: 'acc', as: 'bias_z' }]);
    if (folded.ok) expect(interpret(folded.program, inputs).y).toEqual(interpret(program, inputs).y);
  }
});

test('a constant that an instruction reads keeps its form', () => {
  const { program } = pointwise(6, 8, 4);
  const done = replay(program, chains['an instruction'] ?? []);
  if (!done.ok) throw new Error(done.reason);
  const later: readonly Step[] = [
    { primitive: 'pack', buf: 'w', layout: { kind: 'quad', order: [0, 2, 1, 3] } },
    { primitive: 'widenConst', buf: 'w', dtype: 'i32' },
  ];
  for (const step of later) expect(replay(done.program, [step])).toMatchObject({ ok: false });
});

test('a linear sum that is accepted equals its three roundings on every pair of bytes', () => {
  const found = { word: 0, half: 0 };
  for (let seed = 1; seed <= samples(6, 200); seed++) {
    const { program } = residual(65536, seed);
    const x0 = Int8Array.from({ length: 65536 }, (_, i) => i >> 8);
    const x1 = Int8Array.from({ length: 65536 }, (_, i) => i);
    for (const form of ['word', 'half'] as const) {
      const done = replay(program, [{ primitive: 'linearSum', form }]);
      if (!done.ok) continue;
      found[form]++;
      expect(interpret(done.program, { x0, x1 }).y).toEqual(interpret(program, { x0, x1 }).y);
    }
  }
  // Nearly every residual sum has both forms; a search that finds fewer has become worse.
  for (const n of Object.values(found)) expect(n).toBeGreaterThanOrEqual(0.9 * samples(6, 200));
});

test('a scaled product that is accepted equals its two roundings on every pair of bytes', () => {
  let found = 0;
  for (let seed = 1; seed <= samples(4, 100); seed++) {
    const { program } = product(65536, seed);
    const x0 = Int8Array.from({ length: 65536 }, (_, i) => i >> 8);
    const x1 = Int8Array.from({ length: 65536 }, (_, i) => i);
    const done = replay(program, [{ primitive: 'scaleProduct' }]);
    if (!done.ok) continue;
    found++;
    expect(interpret(done.program, { x0, x1 }).y).toEqual(interpret(program, { x0, x1 }).y);
  }
  expect(found).toBeGreaterThanOrEqual(0.9 * samples(4, 100));
});

test('a requantise in half words that is accepted equals the rescale on every sum', () => {
  let found = 0;
  for (let seed = 1; seed <= samples(20, 400); seed++) {
    const P = 3 + (seed % 60);
    const { program } = mean(P, 64, seed);
    const done = replay(program, [{ primitive: 'requantizeHalf', acc: 'acc' }]);
    if (!done.ok) continue;
    found++;
    const r = new Random(seed);
    // A channel of bytes between two levels: together they reach sums of every size.
    const levels = Array.from({ length: 64 }, () => [r.int(-128, 127), r.int(-128, 127)].sort((a, b) => a - b));
    const x = Int8Array.from({ length: P * 64 }, (_, i) => r.int(...(levels[i % 64] as [number, number])));
    expect(interpret(done.program, { x }).y).toEqual(interpret(program, { x }).y);
  }
  // Bytes above their zero point are always done; where both signs occur, halves that go away from zero hinder.
  expect(found).toBeGreaterThanOrEqual(0.5 * samples(20, 400));
});

test('every primitive was accepted somewhere above', () => {
  expect(primitives.filter((a) => !accepted.has(a))).toEqual([]);
});

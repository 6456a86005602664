/**
 * Schedules come from files and databases: the parameters of an instruction may be any numbers. What nobody chose is refused, or
 * computes what the nest computes; nothing else happens.
 */
import { expect, test } from 'vitest';
import { instruction, recipe, recipes } from '../../compiler/instructions/index.ts';
import type { Params } from '../../compiler/instructions/instruction.ts';
import { Illegal } from '../../compiler/program/build.ts';
import { elements, type Program, replay, type Step, type Stmt } from '../../compiler/program/index.ts';
import { callsIn } from '../../compiler/program/walk.ts';
import { templatesFor } from '../../kernels/index.ts';
import { samples } from '../samples.ts';
import { callOf, valuesFor } from './instruction-calls.ts';
import { type Case, expectCases, meant } from './kernels-cases.ts';
import { kernelRun, runOnBoard, runOnHost } from './kernels-machine.ts';
import { type Kind, kinds, sample } from './kernels-workloads.ts';
import { inputsOf, random } from './print-c-nests.ts';

type Draw = () => number;
const pick = <T>(r: Draw, of: readonly T[]): T => of[Math.floor(r() * of.length)] as T;

/** Another value for one or two of `names`: a neighbour, a sign, nothing, or one far too large. */
function changed(r: Draw, params: Params, names: readonly string[]): Params {
  const one = (): Params => {
    const name = pick(r, names);
    const old = params[name] ?? 1;
    const near = [old + 1, old - 1, 2 * old, -old, old + 4, old - 4];
    return { [name]: pick(r, [...near, 0, 1, 2, 3, -1, -2, 5, 16, 33, 64, 100, 300, 4100, 70_000]) };
  };
  return { ...one(), ...(r() < 0.5 && one()) };
}
const namesOf = (name: string): readonly string[] => [...new Set(recipe(name).examples.flatMap((e) => Object.keys(e)))];

/** Cases that are compiled and linked together. */
const batch = 60;
const compare = (cases: readonly Case[]): void => expectCases(cases, [runOnHost, runOnBoard], batch);

/** What a refusal is: a value for a schedule, an Illegal for a recipe. Anything else that is thrown fails the test. */
function unlessIllegal<T>(make: () => T): T | undefined {
  try {
    return make();
  } catch (error) {
    if (error instanceof Illegal) return undefined;
    throw error;
  }
}
const rounds = (body: readonly Stmt[]): number =>
  body.reduce((n, s) => n + (s.kind === 'loop' ? s.extent * rounds(s.body) : 1), 0);

test('instructions of any parameters are refused, or do what they mean', () => {
  const cases: Case[] = [];
  const drawn = recipes.flatMap(({ name, examples }) => examples.map((params) => ({ name, params })));
  const texts = new Map<string, string>();
  for (let n = 0; n < drawn.length * samples(1, 12); n++) {
    const r = random(40_000 + n);
    const { name, params } = drawn[n % drawn.length] as (typeof drawn)[number];
    const other = { ...params, ...changed(r, params, namesOf(name)) };
    const made = unlessIllegal(() => instruction(name, other));
    // Too large to compute here: that its text can be made is what is tested.
    const text = JSON.stringify([made?.function, made?.prelude]);
    if (made === undefined || made.meaning.buffers.some((b) => elements(b.shape) > 5000)) continue;
    if (rounds(made.meaning.body) > 50_000) continue;
    const label = `${name} ${JSON.stringify(other)}`;
    expect(texts.get(made.symbol) ?? text, `two texts of one name: ${label}`).toBe(text);
    texts.set(made.symbol, text);
    const p = unlessIllegal(() => callOf(name, other, r));
    if (p === undefined || n % samples(2, 1) > 0) continue;
    const inputs = valuesFor(p, made.operands, r);
    cases.push({ label, run: kernelRun(p, `k${cases.length}`, inputs), want: meant(p, inputs) });
  }
  expect(cases.length).toBeGreaterThan(20);
  compare(cases);
});

test.each<[string, Params]>([
  ['mac_block', { D: 1, PB: 2, OB: 2, C: 8, R: 5 }],
  ['mac_block', { D: 1, PB: 2, OB: 2, C: 8, R: -3 }],
  ['mac_block', { D: 1, PB: 2, OB: 2, C: 8, quad: 1, weight: 3 }],
  ['packed_block', { P: 2, OB: 1, C: 2, N: 1, form: 0, right: 5, SX: 5 }],
  ['packed_block', { P: 2, OB: 1, C: 2, N: 1, form: 0, right: 5, R: 70_000 }],
  ['first_conv', { R: 2, P: 7, N: 5, KH: -1, KW: 5, C: 1, XW: 12, lanes: 3, pass: 1, right: 8 }],
  ['first_conv', { R: 5, P: 2, N: 2, KH: 4, KW: -4, C: 1, SY: 2, SX: 2, XW: 8 }],
  ['planes', { rows: 2, width: 48, channels: 4, pitch: 52, padded: 1, zero: 128 }],
  ['column_sweep', { OH: 4, OW: 1, KH: 1, KW: 2, SY: 1, SX: -1, pitch: 4 }],
  ['fc_stream', { P: 1, K: -1, N: 7, R: 6, unroll: 2, form: 2, zero: -3 }],
  [
    'depthwise_sweep',
    { H: 5, planes: 1, pitch: 8, OH: 5, OW: 2, channels: 3, KH: 3, KW: 3, top: 1, padded: 1, xZero: 70_000 },
  ],
])('%s of %j, which was taken once, is refused', (name, params) => {
  expect(() => instruction(name, params)).toThrow(Illegal);
});

/** A setting of a template that is legal for this layer, or nothing. */
function legal(
  kind: Kind,
  seed: number,
  r: Draw,
): { readonly naive: Program; readonly steps: readonly Step[]; readonly done: Program } | undefined {
  const { workload, program } = sample(kind, seed);
  const found = [[], ['dsp', 'fpu', 'places']].flatMap((cpu) => templatesFor(workload, cpu));
  if (found.length === 0) return undefined;
  const { template, knobs } = pick(r, found);
  const setting = Object.fromEntries(knobs.map((k) => [k.name, (r() < 0.5 ? k.values[0] : pick(r, k.values)) ?? 0]));
  const { steps } = template.schedule(workload, setting);
  const done = replay(program, steps);
  return done.ok ? { naive: program, steps, done: done.program } : undefined;
}

test.each(Object.keys(kinds) as Kind[])('%s: schedules with other parameters are refused, or exact', (kind) => {
  const cases: Case[] = [];
  for (let seed = 60_000; seed < 60_000 + samples(3, 40); seed++) {
    const r = random(seed);
    const found = legal(kind, seed, r);
    if (found === undefined) continue;
    const { naive, steps, done } = found;
    const calls = callsIn(done.body);
    if (calls.length === 0) continue;
    for (let n = 0; n < 8; n++) {
      const { instr, params } = pick(r, calls);
      const change = changed(r, params, [...new Set([...Object.keys(params), ...namesOf(instr)])]);
      const hostile = steps.map(
        (s): Step =>
          s.primitive === 'replace' && s.instr === instr ? { ...s, params: { ...s.params, ...change } } : s,
      );
      const replayed = replay(naive, hostile);
      if (!replayed.ok) continue;
      const inputs = inputsOf(naive, seed);
      const label = `${kind} ${seed} ${instr} ${JSON.stringify(change)}`;
      const want = meant(naive, inputs);
      expect(meant(replayed.program, inputs), label).toBe(want);
      cases.push({ label, run: kernelRun(replayed.program, `k${cases.length}`, inputs), want });
    }
  }
  compare(cases.slice(0, samples(6, 400)));
});

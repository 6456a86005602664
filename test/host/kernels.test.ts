/**
 * Templates and default schedules on random small workloads: a setting is refused with a reason, or what it makes computes what
 * the naive program does: interpreted, compiled for the PC (with the plain C of every instruction), on the Cortex-M4, and what
 * needs no feature as code of a Cortex-M0+.
 */
import { describe, expect, test } from 'vitest';
import { type Program, replay } from '../../compiler/program/index.ts';
import {
  defaultSchedule,
  describeSchedule,
  type Features,
  type Knob,
  type Knobs,
  type Layouts,
  templates,
  templatesFor,
} from '../../kernels/index.ts';
import { samples } from '../samples.ts';
import { type Case, expectCases, inputsAs, meant, outputAs } from './kernels-cases.ts';
import { kernelRun, runOnBoard, runOnHost, runOnSmallCore } from './kernels-machine.ts';
import { type Kind, kinds, sample } from './kernels-workloads.ts';
import { inputsOf, random } from './print-c-nests.ts';

/** Settings of a template: its own default, each value of each knob once, and random ones. */
function settings(knobs: readonly Knob[], seed: number): readonly Knobs[] {
  const r = random(seed);
  const base: Knobs = Object.fromEntries(knobs.map((k) => [k.name, k.values[0] ?? 0]));
  const any = (): Knobs =>
    Object.fromEntries(knobs.map((k) => [k.name, k.values[Math.floor(r() * k.values.length)] ?? 0]));
  const knob = knobs[Math.floor(r() * knobs.length)];
  const each = (knob?.values ?? []).map((v): Knobs => ({ ...base, [knob?.name ?? '']: v }));
  return [base, ...each, ...Array.from({ length: 4 }, any)];
}

/** Every combination of layouts, each with the default or with random knobs. */
function laidOutSettings(knobs: readonly Knob[], { x = [], y = [] }: Layouts, seed: number): readonly Knobs[] {
  const some = settings(knobs, seed + 1);
  const both = [undefined, ...x].flatMap((from) => [undefined, ...y].map((to) => ({ from, to }))).slice(1);
  return both.map(({ from, to }, i) => ({
    ...some[i % some.length],
    ...(from !== undefined && { x: from }),
    ...(to !== undefined && { y: to }),
  }));
}

interface Tried extends Case {
  readonly features: Features;
}

function casesOf(
  kind: Kind,
  seeds: readonly number[],
): { readonly cases: readonly Tried[]; readonly refused: readonly string[] } {
  const cases: Tried[] = [];
  const refused: string[] = [];
  for (const seed of seeds) {
    const { workload, program, programs } = sample(kind, seed);
    const inputs = inputsOf(program, seed);
    const want = meant(program, inputs);
    const plain = replay(program, defaultSchedule(workload, []).steps);
    expect(plain.ok, JSON.stringify(plain.ok ? '' : plain)).toBe(true);
    const add = (label: string, p: Program, features: Features): void => {
      const [given, out] = [inputsAs(p, inputs), outputAs(p, want)];
      expect(meant(p, given), label).toBe(out);
      cases.push({ features, label, want: out, run: kernelRun(p, `k${cases.length}`, given) });
    };
    if (plain.ok) add(`${kind} ${seed} default`, plain.program, []);
    for (const features of [[], ['dsp', 'fpu', 'places']] as const) {
      for (const { template, knobs } of templatesFor(workload, features)) {
        if (features.length > 0 && template.knobs(workload, []) !== undefined) continue;
        const laid = laidOutSettings(knobs, template.layouts?.(workload) ?? {}, seed);
        for (const k of [...settings(knobs, seed), ...laid]) {
          const { algorithm, steps } = template.schedule(workload, k);
          const done = replay(programs[algorithm] as Program, steps);
          const label = `${kind} ${seed} ${template.name} ${JSON.stringify(k)}`;
          expect(describeSchedule({ template: template.name, knobs: k })).toContain(template.name);
          if (done.ok) add(label, done.program, features);
          else refused.push(`${template.name}: ${done.reason}`);
        }
      }
    }
  }
  return { cases, refused };
}

/** Compiling is dear: of what was interpreted, every n-th is compiled. */
const thin = (cases: readonly Tried[], most: number): readonly Tried[] => {
  const step = Math.max(1, cases.length / most);
  return Array.from({ length: Math.min(most, cases.length) }, (_, i) => cases[Math.floor(i * step)] as Tried);
};

describe.each(Object.keys(kinds) as Kind[])('%s', (kind) => {
  test('every accepted setting computes the same', () => {
    const seeds = Array.from({ length: samples(4, 40) }, (_, i) => 1000 + i);
    const { cases, refused } = casesOf(kind, seeds);
    expect(cases.length).toBeGreaterThan(refused.length);
    // Only proofs over constants and alignment may say no; anything else is a template that does not know its layer.
    for (const reason of refused) expect(reason).toMatch(knownRefusal);
    const compiled = thin(cases, samples(12, 200)).map((c, i) => ({
      ...c,
      run: kernelRun(c.run.program, `k${i}`, c.run.inputs),
    }));
    expectCases(compiled, [runOnHost, runOnBoard]);
    expectCases(
      compiled.filter((c) => c.features.length === 0),
      [runOnSmallCore],
    );
  });
});
const knownRefusal =
  /requantize(Affine|Top|Parts)|requantizeHalf|linearSum|scaleProduct|lanes of|winograd: no form|too large for tiles|immediate|aligned|border of x|registers|24 bits|may hold|survive the packing/;

test('every template applies to some of these workloads', () => {
  const applied = (Object.keys(kinds) as Kind[]).flatMap((kind) =>
    Array.from({ length: 20 }, (_, i) => sample(kind, 1000 + i).workload),
  );
  const cpus = [[], ['dsp', 'fpu', 'places']];
  const idle = templates.filter((t) => applied.every((w) => cpus.every((f) => t.knobs(w, f) === undefined)));
  expect(idle.map((t) => t.name)).toEqual([]);
});

test('names are unique, and a template names each knob once', () => {
  expect(new Set(templates.map((t) => t.name)).size).toBe(templates.length);
  for (const kind of Object.keys(kinds) as Kind[]) {
    for (const { knobs } of templatesFor(sample(kind, 3).workload, ['dsp'])) {
      expect(new Set(knobs.map((k) => k.name)).size).toBe(knobs.length);
      for (const k of knobs)
        expect([k.name, k.values.length > 0, new Set(k.values).size]).toEqual([k.name, true, k.values.length]);
    }
  }
});

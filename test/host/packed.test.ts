/**
 * The packed template on random layers, in their thousands when run at length: whatever a setting is accepted for computes the
 * naive program's bytes, in plain C on the PC and in assembly on the emulated Cortex-M4.
 */
import { expect, test } from 'vitest';
import { interpret, type Program, replay } from '../../compiler/program/index.ts';
import type { Knobs } from '../../kernels/index.ts';
import { packed } from '../../kernels/packed.ts';
import { samples } from '../samples.ts';
import { kernelRun, runOnBoard, runOnHost } from './kernels-machine.ts';
import { type Kind, sample } from './kernels-workloads.ts';
import { inputsOf, random } from './print-c-nests.ts';

interface Case {
  readonly label: string;
  readonly naive: Program;
  readonly program: Program;
  readonly seed: number;
}

/** A random setting on a random layer; undefined where there is none, or constants refuse it. */
function draw(kind: Kind, seed: number): Case | undefined {
  const { workload, program } = sample(kind, seed);
  const knobs = packed.knobs(workload, ['dsp', 'fpu', 'places']);
  if (knobs === undefined) return undefined;
  const r = random(seed);
  const setting: Knobs = Object.fromEntries(
    knobs.map(({ name, values }) => [name, values[Math.floor(r() * values.length)] ?? 0]),
  );
  const done = replay(program, packed.schedule(workload, setting).steps);
  if (!done.ok) return undefined;
  return { label: `${kind} ${seed} ${JSON.stringify(setting)}`, naive: program, program: done.program, seed };
}

function compare(cases: readonly Case[]): void {
  const runs = cases.map((c, i) => kernelRun(c.program, `k${i}`, inputsOf(c.naive, c.seed)));
  const want = cases.map((c) => [...(interpret(c.naive, inputsOf(c.naive, c.seed)).y ?? [])]);
  for (const machine of [runOnHost, runOnBoard]) {
    machine(runs).forEach((got, i) => {
      expect([[...new Int8Array(got.bytes)], got.contained], cases[i]?.label).toEqual([want[i], true]);
    });
  }
}

/** Layers that are compiled and linked together. */
const batch = 50;

test.each(['pointwise', 'fullyConnected', 'conv', 'convWindows'] as const)('%s layers', (kind) => {
  const layers = samples(16, 600);
  const cases = Array.from({ length: layers }, (_, n) => draw(kind, 50_000 + n)).filter((c) => c !== undefined);
  expect(cases.length).toBeGreaterThan(layers / 5);
  for (let n = 0; n < cases.length; n += batch) compare(cases.slice(n, n + batch));
});

/**
 * The packed template on random layers, in their thousands when run at length: whatever a setting is accepted for computes the
 * naive program's bytes, in plain C on the PC and in assembly on the emulated Cortex-M4.
 */
import { expect, test } from 'vitest';
import { replay } from '../../compiler/program/index.ts';
import type { Knobs } from '../../kernels/index.ts';
import { packed } from '../../kernels/packed.ts';
import { samples } from '../samples.ts';
import { type Case, expectCases, meant } from './kernels-cases.ts';
import { kernelRun, runOnBoard, runOnHost } from './kernels-machine.ts';
import { type Kind, sample } from './kernels-workloads.ts';
import { inputsOf, random } from './print-c-nests.ts';

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
  const inputs = inputsOf(program, seed);
  return {
    label: `${kind} ${seed} ${JSON.stringify(setting)}`,
    run: kernelRun(done.program, `k${seed}`, inputs),
    want: meant(program, inputs),
  };
}

/** Layers that are compiled and linked together. */
const batch = 50;

test.each(['pointwise', 'fullyConnected', 'conv', 'convWindows'] as const)('%s layers', (kind) => {
  const layers = samples(16, 600);
  const cases = Array.from({ length: layers }, (_, n) => draw(kind, 50_000 + n)).filter((c) => c !== undefined);
  expect(cases.length).toBeGreaterThan(layers / 5);
  expectCases(cases, [runOnHost, runOnBoard], batch);
});

/**
 * The C printer against the interpreter: naive programs and whatever random legal schedules make of them, compiled by gcc with
 * undefined-behaviour checks, and by the Cortex-M4 compiler and run on its emulator, give the same bytes; no warnings.
 */
import { expect, test } from 'vitest';
import { type Program, replay, type Step } from '../../compiler/program/index.ts';
import { printC, printTrialEntry } from '../../compiler/program/print-c.ts';
import { expectCases, meant } from './kernels-cases.ts';
import { kernelRun, runOnBoard, runOnHost } from './kernels-machine.ts';
import { conv, depthwise, elementwise, floats, gemm, inputsOf, pool, random } from './print-c-nests.ts';

/** Both compilers, all bytes. */
function expectEqual(programs: readonly Program[]): void {
  const cases = programs.map((p, i) => {
    const run = kernelRun(p, `k${i}`, inputsOf(p, i + 1));
    return { label: run.kernel.source, run, want: meant(p, run.inputs) };
  });
  expectCases(cases, [runOnHost, runOnBoard]);
}

test('naive programs', () => {
  expectEqual([
    gemm(5, 8, 4, { rounding: 'double', shift: -6 }),
    gemm(5, 8, 4, { rounding: 'double', shift: 1 }),
    gemm(3, 7, 3, { rounding: 'single', shift: -4 }),
    conv({ H: 5, W: 4, C: 3, N: 4, K: 3, stride: 1, pad: 1 }),
    conv({ H: 6, W: 5, C: 2, N: 3, K: 3, stride: 2, pad: 1 }),
    depthwise({ H: 5, W: 4, C: 5, K: 3, stride: 1, pad: 1 }),
    elementwise(37),
    pool(4, 5, 3),
    floats(23),
  ]);
});

/** Steps tried at random: most are refused, what is accepted is printed. */
function randomSchedule(naive: Program, seed: number): { readonly program: Program; readonly steps: readonly Step[] } {
  const r = random(seed);
  const pick = <T>(a: readonly T[]): T => a[Math.floor(r() * a.length)] as T;
  const steps: Step[] = [];
  let program = naive;
  for (let n = 0; n < 14; n++) {
    const loops = loopNames(program);
    const [a, b] = [pick(loops), pick(loops)];
    const step = pick<Step>([
      {
        primitive: 'split',
        loop: a,
        factor: pick([2, 3, 4]),
        into: [`s${n}`, `t${n}`],
        tail: pick(['exact', 'overlap', 'peel']),
      },
      { primitive: 'reorder', loops: [a, b] },
      { primitive: 'expand', buf: 'acc', loops: pick([[a], [a, b]]) },
      { primitive: 'fission', loops: pick([[a], [a, b]]) },
      { primitive: 'unroll', loop: a },
      { primitive: 'peel', loop: a, first: pick([0, 1]), last: pick([0, 1]) },
      { primitive: 'foldOffset', acc: 'acc', as: 'folded' },
      { primitive: 'widenConst', buf: 'w', dtype: 'i16' },
      {
        primitive: 'stage',
        buf: pick(['x', 'w']),
        at: pick(['', a]),
        as: `b${n}`,
        loops: names(n, program, 'x'),
        dtype: 'i16',
        space: pick(['scratch', 'register']),
      },
      { primitive: 'requantizeAffine', acc: 'acc', mul: 'mul', add: 'add', fix: 'fix' },
    ]);
    const done = replay(program, [step]);
    if (!done.ok) continue;
    program = done.program;
    steps.push(step);
  }
  return { program, steps };
}
const names = (n: number, p: Program, buf: string): readonly string[] =>
  (p.buffers.find((b) => b.name === buf)?.shape ?? []).map((_, d) => `u${n}_${d}`);
function loopNames(p: Program): readonly string[] {
  const out: string[] = [];
  JSON.stringify(p.body, (key, value: unknown) => {
    if (typeof value === 'object' && value !== null && 'iter' in value && 'extent' in value)
      out.push(String(value.iter));
    return key === 'values' ? undefined : value;
  });
  return out;
}

test('random schedules', () => {
  const shapes = [
    gemm(7, 8, 4, { rounding: 'double', shift: -6 }),
    conv({ H: 5, W: 4, C: 2, N: 3, K: 3, stride: 1, pad: 1 }),
    depthwise({ H: 5, W: 4, C: 4, K: 3, stride: 2, pad: 1 }),
    pool(4, 5, 3),
  ];
  const found = Array.from({ length: 24 }, (_, i) => randomSchedule(shapes[i % shapes.length] as Program, 100 + i));
  expect(found.filter((f) => f.steps.length >= 2).length).toBeGreaterThan(12);
  expectEqual(found.map((f) => f.program));
});

test('a kernel says what the caller must provide', () => {
  const kernel = printC(gemm(5, 8, 4, { rounding: 'double', shift: -6 }), 'layer0', {
    notes: ['plain loops'],
    runtime: 'include',
  });
  expect(kernel.prototype).toBe('void layer0(const int8_t *x, int8_t *y)');
  expect(kernel.constants.map((c) => [c.symbol, c.ctype, c.bytes.length])).toEqual([
    ['layer0_w', 'int8_t', 32],
    ['layer0_bias', 'int32_t', 16],
    ['layer0_mult', 'int32_t', 16],
    ['layer0_shift', 'int32_t', 16],
  ]);
  expect(kernel.source).toContain('#include "mt_kernel.h"');
  expect(kernel.source).toContain(' * plain loops\n');
  expect(printTrialEntry(kernel)).toContain('layer0((const int8_t *)(uintptr_t)a[0], (int8_t *)(uintptr_t)a[1])');
});

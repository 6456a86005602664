/**
 * The runtime header (compiler/emit/runtime) against compiler/program/arithmetic.ts: every operation of the IR on edges and
 * random words, interpreted, compiled for the PC with undefined-behaviour checks, and on the emulated Cortex-M4, where some
 * of the same functions are single instructions.
 */
import { expect, test } from 'vitest';
import { runtimeHeader } from '../../compiler/emit/runtime/index.ts';
import { bin, buffer, clamp, iter, load, loop, num, program, store } from '../../compiler/program/build.ts';
import { type Expr, interpret, type Program, type Stmt } from '../../compiler/program/index.ts';
import type { BinaryOp } from '../../compiler/program/program.ts';
import type { Rounding } from '../../compiler/workload.ts';
import { samples } from '../samples.ts';
import { type KernelRun, kernelRun, runOnBoard, runOnHost } from './kernels-machine.ts';
import { random } from './print-c-nests.ts';

const count = 400;
const at = iter('i');
const [a, b, c] = [load('a', at), load('b', at), load('c', at)];
const shift = bin('&', b, num(31));

/** y[i] = value(a[i], b[i], c[i]) for words of any value. */
const words = (name: string, value: Expr): Program =>
  program(
    name,
    [...['a', 'b', 'c'].map((n) => buffer(n, 'i32', [count], 'in')), buffer('y', 'i32', [count], 'out')],
    loop('i', count, store('y', [at], value)),
  );

const operands: { readonly [Op in BinaryOp]: readonly [Expr, Expr] } = {
  '+': [a, b],
  '-': [a, b],
  '*': [a, b],
  '<<': [a, shift],
  '>>': [a, shift],
  '&': [a, b],
  '|': [a, b],
  '^': [a, b],
  min: [a, b],
  max: [a, b],
  div: [a, b],
  mulhi: [a, b],
  rdmulh: [a, b],
};

/** A multiplier and a shift of their own for each element. */
const requantize = (rounding: Rounding): Program =>
  words(`requantize_${rounding}`, {
    ...requantized(rounding),
    // Not -2^31, and shifts of -31..30.
    mult: bin('max', b, num(-2147483647)),
    shift: bin('min', bin('-', bin('&', c, num(63)), num(31)), num(30)),
  });

/** One constant multiplier and shift for all: then a cheaper form is printed. */
function requantizeBy(rounding: Rounding, mult: number, right: number): Program {
  const constant = (name: string, v: number) => ({ ...buffer(name, 'i32', [], 'const'), values: Int32Array.of(v) });
  const base = words(`requantize_${rounding}_${mult}_${right}`, requantized(rounding));
  return { ...base, buffers: [...base.buffers, constant('mult', mult), constant('shift', -right)] };
}
const requantized = (rounding: Rounding): Expr & { readonly kind: 'requantize' } => ({
  kind: 'requantize',
  acc: a,
  mult: load('mult'),
  shift: load('shift'),
  zero: 3,
  min: -120,
  max: 127,
  rounding,
});
/** The first ones halve, so that there are many halves to round. */
const constants = [
  [2 ** 30, 1],
  [2 ** 30, 2],
  [2 ** 30, 4],
  [1518500250, 23],
  [2 ** 31 - 1, 31],
] as const;

/** Every saturating shift by a constant: one instruction where the CPU has it. */
function saturations(): Program {
  const shifts = Array.from({ length: 31 }, (_, n) => n + 1);
  const stores = shifts.map((n): Stmt => store('y', [num(n - 1), at], clamp(bin('>>', a, num(n)), -128, 127)));
  const buffers = [buffer('a', 'i32', [count], 'in'), buffer('y', 'i8', [shifts.length, count], 'out')];
  return program('saturations', buffers, loop('i', count, ...stores));
}

const programs: readonly Program[] = [
  ...Object.entries(operands).map(([op, [x, y]], i) => words(`binary_${i}`, bin(op as BinaryOp, x, y))),
  words('mulhi_add', bin('+', bin('mulhi', a, b), c)),
  words('clz', { kind: 'clz', a }),
  words('clamp', clamp(a, -1000, 70_000)),
  saturations(),
  ...(['double', 'single'] as const).flatMap((r) => [
    requantize(r),
    ...constants.map(([mult, right]) => requantizeBy(r, mult, right)),
  ]),
];

const edges = [
  0,
  1,
  -1,
  2,
  -2,
  31,
  2 ** 30,
  2 ** 30 - 1,
  -(2 ** 30),
  2 ** 31 - 1,
  -(2 ** 31),
  -(2 ** 31) + 1,
  65535,
  -65536,
];

/** Pairs of edges first, then words of any size: small ones are as likely as large ones. */
function inputsOf(p: Program, seed: number): KernelRun['inputs'] {
  const r = random(seed);
  const word = (): number => Math.floor((r() * 2 - 1) * 2 ** 32) >> Math.floor(r() * 32);
  const edge = (i: number, k: number): number | undefined =>
    i < edges.length ** 2 ? edges[Math.floor(i / edges.length ** k) % edges.length] : undefined;
  const list = (k: number): number[] =>
    Array.from({ length: count }, (_, i) => (seed === 1 ? edge(i, k) : undefined) ?? word());
  const names = p.buffers.filter((buf) => buf.space === 'in').map((buf) => buf.name);
  return Object.fromEntries(names.map((name, k) => [name, k < 2 ? list(k) : Array.from({ length: count }, word)]));
}

test('every operation is the same interpreted, in plain C, and as instructions', () => {
  for (let seed = 1; seed <= samples(2, 60); seed++) {
    const runs = programs.map((p, i) => kernelRun(p, `k${i}`, inputsOf(p, seed)));
    for (const machine of [runOnHost, runOnBoard]) {
      machine(runs).forEach((got, i) => {
        const { program: p, inputs } = runs[i] as KernelRun;
        const y = interpret(p, inputs).y as ArrayLike<number>;
        const answer = (y.length === got.bytes.length ? Int8Array : Int32Array).from(y);
        expect(Buffer.from(got.bytes).toString('hex'), `${p.name} seed ${seed}`).toBe(
          Buffer.from(answer.buffer).toString('hex'),
        );
      });
    }
  }
});

test('every function of the header is called by one of them', () => {
  const defined = [...runtimeHeader.matchAll(/static inline \w+ (mt_\w+)\(/g)].map((m) => m[1] ?? '');
  const text = programs.map((p, i) => kernelRun(p, `k${i}`, {}).kernel.source.replace(runtimeHeader, '')).join('\n');
  const inner = runtimeHeader.replaceAll(/static inline \w+ mt_\w+\(/g, '');
  // Covered elsewhere: floats in print-c.test.ts, pairs of int16 in instructions.test.ts.
  const elsewhere = ['mt_quantize', 'mt_dequantize', 'mt_pair'];
  const called = (name: string): boolean => text.includes(`${name}(`) || inner.includes(`${name}(`);
  expect(defined.filter((name) => !elsewhere.includes(name) && !called(name))).toEqual([]);
});

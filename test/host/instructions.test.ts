/**
 * Every instruction against its own meaning: a program that only calls it is interpreted, compiled with its plain C for the
 * PC, and with its assembly for the emulated Cortex-M4, Thumb-1 also as code of a Cortex-M0+. All give the same bytes.
 */
import { expect, test } from 'vitest';
import { instruction, recipes } from '../../compiler/instructions/index.ts';
import type { Instruction, Operand, Params } from '../../compiler/instructions/instruction.ts';
import type { Packing } from '../../compiler/instructions/packings/index.ts';
import { buffer, iter, load, loop, num, program, store } from '../../compiler/program/build.ts';
import { type Buffer, elements, interpret, type Program, type Stmt, spanOf } from '../../compiler/program/index.ts';
import { packingIn } from '../../compiler/program/layouts.ts';
import { verifyProgram } from '../../compiler/program/verify.ts';
import { rename } from '../../compiler/program/walk.ts';
import { samples } from '../samples.ts';
import { type KernelRun, kernelRun, runOnBoard, runOnHost, runOnSmallCore } from './kernels-machine.ts';
import { random } from './print-c-nests.ts';

const examples = recipes.flatMap(({ name, examples: list }) => list.map((params) => ({ name, params })));

/** Loops over a shape; opened where one side lies in registers, which have no addresses. */
const copy = (to: string, from: string, shape: readonly number[], side: Operand): Stmt => {
  const names = shape.map((_, d) => `${to}_${d}`);
  const at = names.map(iter);
  return names.reduceRight<Stmt>(
    (body, n, d) => ({ ...loop(n, shape[d] ?? 1, body), ...(side.cells && { unroll: 'full' as const }) }),
    store(to, at, load(from, ...at)),
  );
};

const draw = (r: () => number, [lo, hi]: readonly [number, number]): number => Math.floor(lo + r() * (hi - lo + 1));

/** What a packing cannot hold is never put in: zeros in the place of values that do not come back. */
function surviving(packing: Packing, values: Int32Array, shape: readonly number[]): Int32Array {
  const back = packing.decode(packing.encode(values, shape), shape);
  const kept = values.map((v, i) => (back[i] === v ? v : 0));
  return kept.every((v, i) => v === values[i]) ? values : surviving(packing, kept, shape);
}

/**
 * Operands copied to where the instruction wants them, the call, and what it wrote copied out. A constant that it wants
 * packed is one with any values: nothing but the instruction can write or read such a buffer. One that it wants derived has
 * what is derived of those.
 */
function callOf(name: string, params: Params, r: () => number): Program {
  const { meaning, operands } = instruction(name, params);
  const role = (b: Buffer): Operand => operands[b.name] ?? { dtype: b.dtype };
  const constant = (b: Buffer): boolean => role(b).layout?.kind === 'packed' || role(b).derived !== undefined;
  const own = (b: Buffer): Stmt => {
    const { layout, cells } = role(b);
    const space = cells ? 'register' : 'scratch';
    return { kind: 'alloc', buffer: { ...b, name: `t_${b.name}`, space, ...(layout !== undefined && { layout }) } };
  };
  const drawn = new Map(
    meaning.buffers.filter(constant).map((b) => {
      const any = Int32Array.from({ length: elements(b.shape) }, () => draw(r, role(b).span ?? spanOf(b.dtype)));
      const { layout } = role(b);
      const packing = layout === undefined ? undefined : packingIn({ layout, shape: b.shape });
      return [b.name, packing === undefined ? any : surviving(packing, any, b.shape)];
    }),
  );
  const bound = (b: Buffer): Buffer => {
    const values = role(b).derived?.((name) => drawn.get(name) ?? new Int32Array(0)) ?? drawn.get(b.name);
    const { layout } = role(b);
    return {
      ...buffer(`t_${b.name}`, b.dtype, b.shape, 'const'),
      ...(layout !== undefined && { layout }),
      ...(values !== undefined && { values }),
    };
  };
  const buffers = meaning.buffers;
  const copied = buffers.filter((b) => !constant(b));
  const outs = buffers.filter((b) => b.space === 'out');
  return verifyProgram(
    program(
      name,
      [
        ...copied.map((b) => buffer(`from_${b.name}`, b.dtype, b.shape, 'in')),
        ...outs.map((b) => buffer(`to_${b.name}`, b.dtype, b.shape, 'out')),
        ...buffers.filter(constant).map(bound),
      ],
      ...copied.map(own),
      ...copied.map((b) => copy(`t_${b.name}`, `from_${b.name}`, b.shape, role(b))),
      {
        kind: 'call',
        instr: name,
        params,
        operands: Object.fromEntries(
          buffers.map((b) => [b.name, { buf: `t_${b.name}`, origin: b.shape.map(() => num(0)) }]),
        ),
      },
      ...outs.map((b) => copy(`to_${b.name}`, `t_${b.name}`, b.shape, role(b))),
    ),
  );
}

/** The same with each output where an input of its type and shape lies, one input after another. */
function inPlace(p: Program, { meaning, inPlace: may }: Instruction): readonly Program[] {
  const like = (y: Buffer): readonly Buffer[] =>
    meaning.buffers.filter((b) => b.space === 'in' && b.dtype === y.dtype && `${b.shape}` === `${y.shape}`);
  const pairs = meaning.buffers
    .filter((b) => b.space === 'out' && may === true)
    .flatMap((y) => like(y).map((x) => [y.name, x.name] as const));
  return pairs.map(([y, x]) => {
    const [from, to] = [`t_${y}`, `t_${x}`];
    const kept = p.body.filter((s) => s.kind !== 'alloc' || s.buffer.name !== from);
    const over = rename(
      kept,
      (b) => (b === from ? to : b),
      (i) => i,
    );
    return verifyProgram({ ...p, body: over });
  });
}

/** Any values that each operand may hold. */
function inputsOf(p: Program, operands: Instruction['operands'], r: () => number): KernelRun['inputs'] {
  const span = (b: Buffer): readonly [number, number] => operands[b.name.replace('from_', '')]?.span ?? spanOf(b.dtype);
  const ins = p.buffers.filter((b) => b.space === 'in');
  return Object.fromEntries(
    ins.map((b) => [b.name, Array.from({ length: elements(b.shape) }, () => draw(r, span(b)))]),
  );
}

test('every instruction has examples', () => {
  for (const r of recipes) expect([r.name, r.examples.length]).not.toEqual([r.name, 0]);
});

const features = (i: number): readonly string[] => {
  const { name = '', params = {} } = examples[i] ?? {};
  return instruction(name, params).features;
};

test('assembly and plain C compute what the meaning says', () => {
  const draws = Array.from({ length: samples(1, 4) }, () => examples).flat();
  const runs = draws.map(({ name, params }, i) => {
    const r = random(i + 1);
    const p = callOf(name, params, r);
    return kernelRun(p, `k${i}`, inputsOf(p, instruction(name, params).operands, r));
  });
  for (const { name, params } of examples) {
    const r = random(runs.length);
    const made = instruction(name, params);
    for (const p of inPlace(callOf(name, params, r), made))
      runs.push(kernelRun(p, `k${runs.length}`, inputsOf(p, made.operands, r)));
  }
  const thumb = runs.filter((_, i) => i < draws.length && features(i % examples.length).includes('thumb'));
  for (const [of, machine] of [
    [runs, runOnHost],
    [runs, runOnBoard],
    [thumb, runOnSmallCore],
  ] as const) {
    machine(of).forEach((got, i) => {
      const run = of[i];
      if (run === undefined) return;
      const want = Object.values(interpret(run.program, run.inputs)).flatMap((a) => [...new Uint8Array(a.buffer)]);
      expect([[...got.bytes], got.contained], run.kernel.source).toEqual([want, true]);
    });
  }
});

test('what needs a CPU feature has plain C beside it', () => {
  for (const { name, params } of examples) {
    const i: Instruction = instruction(name, params);
    const plain = `${i.portable}${i.function?.plain ?? ''}`;
    expect([name, plain.includes('__asm__')]).toEqual([name, false]);
    expect([name, plain !== '']).toEqual([name, i.features.length > 0 || i.prelude !== '' || i.function !== undefined]);
  }
});

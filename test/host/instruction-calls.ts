/**
 * Programs that only call an instruction, as tests of instructions interpret, compile and run them: operands are what it asks for, and
 * nothing more.
 */
import { instruction } from '../../compiler/instructions/index.ts';
import type { Instruction, Operand, Params } from '../../compiler/instructions/instruction.ts';
import type { Packing } from '../../compiler/instructions/packings/index.ts';
import { buffer, iter, load, loop, num, program, store } from '../../compiler/program/build.ts';
import { type Buffer, elements, type Program, type Stmt, spanOf } from '../../compiler/program/index.ts';
import { packingIn } from '../../compiler/program/layouts.ts';
import { verifyProgram } from '../../compiler/program/verify.ts';
import type { KernelRun } from './kernels-machine.ts';

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
export function callOf(name: string, params: Params, r: () => number): Program {
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

/** Any values that each operand may hold. */
export function valuesFor(p: Program, operands: Instruction['operands'], r: () => number): KernelRun['inputs'] {
  const span = (b: Buffer): readonly [number, number] => operands[b.name.replace('from_', '')]?.span ?? spanOf(b.dtype);
  const ins = p.buffers.filter((b) => b.space === 'in');
  return Object.fromEntries(
    ins.map((b) => [b.name, Array.from({ length: elements(b.shape) }, () => draw(r, span(b)))]),
  );
}

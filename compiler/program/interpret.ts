/**
 * The ground truth: what a program computes. Calls run as their meaning, laid-out buffers are really addressed through
 * their layout, and temporaries start as garbage, so that a schedule that forgets to write one is found out.
 */
import { affine, flat } from './affine.ts';
import { apply, clamp, dequantize, multiplyQuantized, quantize } from './arithmetic.ts';
import { inlineCalls } from './inline.ts';
import { position, storage } from './layouts.ts';
import type { Buffer, Expr, Program, Stmt } from './program.ts';
import { elements } from './walk.ts';

type Cells = ReturnType<typeof storage>;
type Thunk = () => number;

/** Values of the out buffers by name. `inputs` holds the in buffers' elements in logical order. */
export function interpret(
  program: Program,
  inputs: Readonly<Record<string, ArrayLike<number>>>,
): Readonly<Record<string, Cells>> {
  const p = inlineCalls(program);
  const machine = new Machine();
  for (const b of p.buffers) {
    const cells = machine.declare(b);
    const given = b.space === 'in' ? inputs[b.name] : b.values;
    if (given === undefined && b.space !== 'out') throw new Error(`${p.name}: no values for ${b.name}`);
    for (let i = 0; given !== undefined && i < cells.length; i++) cells[position(b.layout, i)] = given[i] ?? 0;
  }
  machine.compile(p.body)();
  const outs = p.buffers.filter((b) => b.space === 'out');
  return Object.fromEntries(outs.map((b) => [b.name, machine.read(b)]));
}

/** Compiles statements to closures over one register file of iterators and one store of buffers. */
class Machine {
  private readonly iters = new Map<string, number>();
  private readonly env: number[] = [];
  private readonly buffers = new Map<string, { readonly buffer: Buffer; readonly cells: Cells }>();

  declare(buffer: Buffer): Cells {
    const cells = storage(buffer.dtype, elements(buffer.shape));
    this.buffers.set(buffer.name, { buffer, cells });
    return cells;
  }

  read(b: Buffer): Cells {
    const { cells } = this.of(b.name);
    const out = storage(b.dtype, cells.length);
    for (let i = 0; i < out.length; i++) out[i] = cells[position(b.layout, i)] as number;
    return out;
  }

  compile(body: readonly Stmt[]): () => void {
    const steps = body.map((s) => this.statement(s));
    const [only] = steps;
    if (steps.length === 1 && only !== undefined) return only;
    return () => {
      for (const step of steps) step();
    };
  }

  private of(name: string): { readonly buffer: Buffer; readonly cells: Cells } {
    const found = this.buffers.get(name);
    if (found === undefined) throw new Error(`no buffer ${name}`);
    return found;
  }

  private slot(name: string): number {
    const slot = this.iters.get(name);
    if (slot === undefined) throw new Error(`iterator ${name} is not bound`);
    return slot;
  }

  private statement(s: Stmt): () => void {
    switch (s.kind) {
      case 'alloc': {
        const cells = this.declare(s.buffer);
        return () => {
          cells.fill(0x5a5a5a5a);
        };
      }
      case 'loop': {
        const slot = this.env.push(0) - 1;
        this.iters.set(s.iter, slot);
        const body = this.compile(s.body);
        const { env } = this;
        return () => {
          for (let i = 0; i < s.extent; i++) {
            env[slot] = i;
            body();
          }
        };
      }
      case 'call':
        throw new Error('calls are inlined before');
      case 'store': {
        const { buffer, cells } = this.of(s.buf);
        const at = this.place(buffer, s.index);
        const value = this.value(s.value);
        if (s.reduce === undefined) {
          return () => {
            cells[at()] = value();
          };
        }
        const op = s.reduce;
        return () => {
          const i = at();
          cells[i] = apply(op, cells[i] as number, value());
        };
      }
    }
  }

  /** Stored position of an element, checked against the buffer's bounds. */
  private place(b: Buffer, index: readonly Expr[]): Thunk {
    const at = this.index(flat(b.shape, index));
    const size = elements(b.shape);
    return () => {
      const i = at();
      if (i < 0 || i >= size) throw new RangeError(`${b.name}[${i}] of ${size}`);
      return position(b.layout, i);
    };
  }

  private index(e: Expr): Thunk {
    const terms = [...affine(e).values()].map(({ coef, atom }): Thunk => {
      if (atom.kind === 'const') return () => coef * atom.value;
      const value = this.value(atom);
      return () => coef * value();
    });
    const [a, b, c] = terms;
    if (a === undefined) return () => 0;
    if (b === undefined) return a;
    if (c === undefined) return () => a() + b();
    return () => terms.reduce((sum, t) => sum + t(), 0);
  }

  private value(e: Expr): Thunk {
    switch (e.kind) {
      case 'const': {
        const { value } = e;
        return () => value;
      }
      case 'iter': {
        const slot = this.slot(e.name);
        const { env } = this;
        return () => env[slot] as number;
      }
      case 'load':
        return this.load(e.buf, e.index, e.outside);
      case 'binary': {
        const a = this.value(e.a);
        const b = this.value(e.b);
        const { op } = e;
        return () => apply(op, a(), b());
      }
      case 'clz': {
        const a = this.value(e.a);
        return () => Math.clz32(a());
      }
      case 'requantize': {
        const [acc, mult, shift] = [this.value(e.acc), this.value(e.mult), this.value(e.shift)];
        return () => clamp((multiplyQuantized(acc(), mult(), shift(), e.rounding) + e.zero) | 0, e.min, e.max);
      }
      case 'quantize': {
        const value = this.value(e.value);
        return () => quantize(value(), e.scale, e.zero, e.min, e.max);
      }
      case 'dequantize': {
        const value = this.value(e.value);
        return () => dequantize(value(), e.scale, e.zero);
      }
    }
  }

  private load(buf: string, index: readonly Expr[], outside: number | undefined): Thunk {
    const { buffer, cells } = this.of(buf);
    const at = this.place(buffer, index);
    if (outside === undefined) return () => cells[at()] as number;
    const dims = index.map((x) => this.index(x));
    return () => {
      for (let d = 0; d < dims.length; d++) {
        const i = (dims[d] as Thunk)();
        if (i < 0 || i >= (buffer.shape[d] as number)) return outside;
      }
      return cells[at()] as number;
    };
  }
}

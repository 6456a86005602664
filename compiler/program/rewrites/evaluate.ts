/** Values made of one or two small numbers, and what they compute: for the proofs that try every number. */
import { apply, clamp, multiplyQuantized } from '../arithmetic.ts';
import { iter, num, refuse } from '../build.ts';
import type { Buffer, Expr } from '../program.ts';
import { show } from '../show.ts';
import { mapExpr } from '../walk.ts';

export type Load = Expr & { readonly kind: 'load' };
/** Buffers by name. */
export type Table = ReadonlyMap<string, Buffer>;

/** A value with constants in place of scalar buffers, and iterators in place of what else it loads: `names[k]` for `loads[k]`. */
export interface Bare {
  readonly value: Expr;
  readonly loads: readonly Load[];
}
/** Loads beyond the names have a name that no evaluator knows. */
export function bareValue(e: Expr, table: Table, names: readonly string[]): Bare {
  const loads = new Map<string, Load>();
  const value = mapExpr(e, (l) => {
    if (l.kind !== 'load') return l;
    const values = table.get(l.buf)?.values;
    if (values?.length === 1) return num(values[0] ?? 0);
    loads.set(show(l), l);
    return iter(names[[...loads.keys()].indexOf(show(l))] ?? 'more');
  });
  return { value, loads: [...loads.values()] };
}

/** The iterator that stands for a number, and the number's lowest and highest value. */
export interface Unknown {
  readonly name: string;
  readonly span: readonly [number, number];
}
type Evaluate = (x: number, z: number) => number;
/** What an expression depends on, as bits: 1 for the first number, 2 for the second. */
interface Compiled {
  readonly on: number;
  readonly f: Evaluate;
}

/** The expression as a function of one or two numbers. Refuses loads, floats and other iterators. Parts of one number are tabulated. */
export function evaluator(e: Expr, unknowns: readonly Unknown[]): Evaluate {
  const go = (part: Expr): Compiled => {
    switch (part.kind) {
      case 'const':
        return { on: 0, f: () => part.value };
      case 'iter': {
        const which = unknowns.findIndex((u) => u.name === part.name);
        if (which < 0) return refuse(`what is stored depends on ${part.name}`);
        return { on: 1 << which, f: which === 0 ? (x) => x : (_, z) => z };
      }
      case 'binary': {
        const [a, b] = [go(part.a), go(part.b)];
        return tabulated({ on: a.on | b.on, f: (x, z) => apply(part.op, a.f(x, z), b.f(x, z)) }, unknowns);
      }
      case 'requantize': {
        const [acc, mult, shift] = [go(part.acc), go(part.mult), go(part.shift)];
        const f: Evaluate = (x, z) => {
          const scaled = multiplyQuantized(acc.f(x, z), mult.f(x, z), shift.f(x, z), part.rounding);
          return clamp((scaled + part.zero) | 0, part.min, part.max);
        };
        return tabulated({ on: acc.on | mult.on | shift.on, f }, unknowns);
      }
      default:
        return refuse(`${part.kind} is not made of constants`);
    }
  };
  return go(e).f;
}

/** A part of one number, as a table of its values; a part of both as it is. */
function tabulated({ on, f }: Compiled, unknowns: readonly Unknown[]): Compiled {
  const span = on === 1 || on === 2 ? unknowns[on - 1]?.span : undefined;
  if (span === undefined) return { on, f };
  const [low, high] = span;
  const table = Int32Array.from({ length: high - low + 1 }, (_, i) => f(low + i, low + i));
  return { on, f: on === 1 ? (x) => table[x - low] as number : (_, z) => table[z - low] as number };
}

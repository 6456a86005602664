/**
 * Features of a candidate, read from its Program: what is executed how often, what moves between which memories, how much
 * code and how many registers that takes. Counts are logarithms, so that trees split them evenly.
 * Example: a pointwise layer of 125 x 64 x 64 in blocks of 2 x 2 with SMLAD has 256,000 multiply pairs (instr:smlad 18.0).
 */
import { instruction, recipes } from '../../compiler/instructions/index.ts';
import type { Buffer, Expr, Program, Stmt } from '../../compiler/program/index.ts';
import { buffersOf, bytesOf, elements } from '../../compiler/program/index.ts';
import type { KernelC } from '../../compiler/program/print-c.ts';
import { flagSets } from '../../kernels/steps.ts';
import type { StaticCycles } from './static-cycles.ts';

const instructions = recipes.map((r) => r.name);
const spaces = ['in', 'out', 'const', 'scratch', 'register'] as const;
const flagNames = [...new Set(flagSets.flatMap((set) => set.split(' ')))].filter((f) => f !== '-O2');

/** Executions (weighted by trip counts) and static occurrences. */
interface Counts {
  readonly dynamic: Map<string, number>;
  readonly fixed: Map<string, number>;
}

/** Names of the values of featuresOf, in order. */
export const featureNames: readonly string[] = [
  ...spaces.flatMap((s) => [`reads:${s}`, `writes:${s}`]),
  'ops:mul',
  'ops:other',
  'requantize',
  'mulhi',
  'outside',
  'loops',
  'iterations',
  'unrolled',
  'calls',
  ...instructions.flatMap((i) => [`instr:${i}`, `param-sum:${i}`]),
  'param:PB',
  'param:OB',
  'param:depth',
  'depth',
  'scratch',
  'constants',
  'registers',
  'text',
  'ram-code',
  'ram-constants',
  'estimate',
  'bound',
  ...flagNames.map((f) => `flag:${f}`),
];

const log = (n: number): number => Math.log2(1 + n);

export function featuresOf(p: Program, kernel: KernelC, cycles: StaticCycles): Float64Array {
  const c: Counts = { dynamic: new Map(), fixed: new Map() };
  const table = new Map(buffersOf(p).map((b) => [b.name, b]));
  let deepest = 0;
  const walk = (stmts: readonly Stmt[], times: number, copies: number, depth: number): void => {
    deepest = Math.max(deepest, depth);
    for (const s of stmts) {
      switch (s.kind) {
        case 'loop': {
          bump(c, 'loops', times, 1);
          if (s.unroll === 'full') bump(c, 'unrolled', times, s.extent);
          else bump(c, 'iterations', times * s.extent, 1);
          walk(s.body, times * s.extent, s.unroll === 'full' ? copies * s.extent : copies, depth + 1);
          break;
        }
        case 'store':
          count(c, s.value, table, times, copies);
          bump(c, `writes:${table.get(s.buf)?.space ?? 'scratch'}`, times, copies);
          if (s.reduce !== undefined) bump(c, 'ops:other', times, copies);
          break;
        case 'call': {
          bump(c, 'calls', times, copies);
          bump(c, `instr:${s.instr}`, times, copies);
          const work = instructionWork(s.instr, s.params);
          c.dynamic.set(`param-sum:${s.instr}`, Math.max(c.dynamic.get(`param-sum:${s.instr}`) ?? 0, times * work));
          for (const [k, v] of Object.entries(s.params)) c.fixed.set(`param:${k}`, v);
          break;
        }
        case 'alloc':
          if (s.buffer.space === 'register') bump(c, 'registers', 0, elements(s.buffer.shape));
      }
    }
  };
  walk(p.body, 1, 1, 0);
  const value = (name: string): number => {
    if (name.startsWith('flag:')) return p.flags.includes(name.slice(5)) ? 1 : 0;
    if (name.startsWith('param:')) return c.fixed.get(name) ?? 0;
    switch (name) {
      case 'depth':
        return deepest;
      case 'scratch':
        return log(kernel.scratchBytes);
      case 'constants':
        return log(kernel.constants.reduce((n, k) => n + k.bytes.length, 0));
      case 'registers':
        return c.fixed.get('registers') ?? 0;
      case 'text':
        return log(kernel.source.length);
      case 'ram-code':
        return kernel.codePlace === 'ram' ? 1 : 0;
      case 'ram-constants':
        return kernel.constants.filter((k) => k.place === 'ram').length;
      case 'estimate':
        return log(cycles.estimate);
      case 'bound':
        return log(cycles.bound);
      default:
        return log(c.dynamic.get(name) ?? 0);
    }
  };
  return Float64Array.from(featureNames, value);
}

function bump(c: Counts, name: string, dynamic: number, fixed: number): void {
  c.dynamic.set(name, (c.dynamic.get(name) ?? 0) + dynamic);
  c.fixed.set(name, (c.fixed.get(name) ?? 0) + fixed);
}

/** Elements that an instruction's operands span: how much one call does. */
function instructionWork(name: string, params: Readonly<Record<string, number>>): number {
  return instruction(name, params).meaning.buffers.reduce(
    (n, b: Buffer) => n + elements(b.shape) * bytesOf(b.dtype),
    0,
  );
}

function count(c: Counts, e: Expr, table: ReadonlyMap<string, Buffer>, times: number, copies: number): void {
  const go = (x: Expr): void => {
    switch (x.kind) {
      case 'const':
      case 'iter':
        return;
      case 'load':
        bump(c, `reads:${table.get(x.buf)?.space ?? 'scratch'}`, times, copies);
        if (x.outside !== undefined) bump(c, 'outside', times, copies);
        return;
      case 'binary':
        bump(
          c,
          x.op === '*' ? 'ops:mul' : x.op === 'mulhi' || x.op === 'rdmulh' ? 'mulhi' : 'ops:other',
          times,
          copies,
        );
        go(x.a);
        return go(x.b);
      case 'clz':
        return go(x.a);
      case 'requantize':
        bump(c, 'requantize', times, copies);
        go(x.acc);
        go(x.mult);
        return go(x.shift);
      case 'quantize':
      case 'dequantize':
        return go(x.value);
    }
  };
  go(e);
}

/**
 * What can be said of a candidate's cycles before it is compiled. The estimate ranks: what each instruction says of its text, a
 * rough cost of everything that a compiler makes of the rest, waits for flash. The bound prunes: work that no compiler and no memory takes
 * away. Must stay true: bound <= what is measured, wherever cycles are counted (test/unit/static-cycles.test.ts holds it
 * against all records that ship).
 */
import type { Board } from '../../boards/board.ts';
import { instruction } from '../../compiler/instructions/index.ts';
import {
  accesses,
  type Buffer,
  buffersOf,
  bytesOf,
  callsIn,
  type Expr,
  type Loop,
  type Program,
  type Stmt,
  visitExpr,
} from '../../compiler/program/index.ts';
import type { KernelC } from '../../compiler/program/print-c.ts';

export interface StaticCycles {
  readonly estimate: number;
  readonly bound: number;
}

/** Rough costs in C, cycles: a value loaded or stored with its address, an operator, a lap of a loop, a call. */
const cost = { memory: 2, operator: 1, requantize: 12, lap: 3, call: 30 };
/**
 * What an instruction says of itself counts branches as taken and knows no overlap, and a compiler may find that a border needs no
 * work: of all that, this much is certain.
 */
const certain = 0.8;
/** An instruction that says nothing of itself, for each product of its meaning, or as a share of what the meaning would take in C. */
const unstated = { product: 0.85, share: 0.125 };
/** Cycles that a word of a constant or of code waits where it lies in flash and no cache has it. */
const flashWord = 1.5;
/** Code that the cache of a flash holds; what is larger is fetched again in every lap. */
const cachedCode = 1024;

/** Cores of which it is certain that they start one instruction at a time. */
const oneAtATime: readonly string[] = ['cortex-m0', 'cortex-m0plus', 'cortex-m3', 'cortex-m4'];
/** Instructions that a core starts at once at most; what block kernels say of themselves is about Arm's. */
function width(cpu: string): number {
  if (!cpu.startsWith('cortex-m')) return Number.POSITIVE_INFINITY;
  return oneAtATime.includes(cpu) ? 1 : 2;
}

/** Sums over a program, each statement times its executions. */
interface Sums {
  readonly instructions: number;
  readonly rest: number;
  readonly products: number;
  /** Values that a lap of a loop cannot take over from the lap before. */
  readonly loads: number;
  /** Bytes of constants read by the compiler's own code. */
  readonly constants: number;
}
const nothing: Sums = { instructions: 0, rest: 0, products: 0, loads: 0, constants: 0 };
const plus = (a: Sums, b: Sums): Sums => ({
  instructions: a.instructions + b.instructions,
  rest: a.rest + b.rest,
  products: a.products + b.products,
  loads: a.loads + b.loads,
  constants: a.constants + b.constants,
});
const times = (n: number, a: Sums): Sums => ({
  instructions: n * a.instructions,
  rest: n * a.rest,
  products: n * a.products,
  loads: n * a.loads,
  constants: n * a.constants,
});

type Buffers = ReadonlyMap<string, Buffer>;

/** `board`: whose counts are meant. Where they are no cycles (instructions, a host's clock) the bound is 0 and prunes nothing. */
export function staticCycles(p: Program, kernel: KernelC, board: Pick<Board, 'kind' | 'cpu'>): StaticCycles {
  const buffers = new Map(buffersOf(p).map((b) => [b.name, b]));
  const s = sumsOf(p.body, buffers);
  const counted = board.kind === 'model' || board.kind === 'silicon';
  const certainly = (certain * (s.instructions + s.products + s.loads)) / width(board.cpu);
  return {
    estimate: s.instructions + s.rest + waits(s, kernel),
    bound: counted ? Math.floor(certainly) : 0,
  };
}

/** Constants are read from flash at least once, those of unrolled C as often as it says; large code once more. */
function waits({ constants }: Sums, kernel: KernelC): number {
  const words = kernel.constants.reduce((n, c) => n + (c.place === 'flash' ? c.bytes.length / 4 : 0), 0);
  const code = kernel.codePlace === 'flash' ? Math.max(0, kernel.source.length / 8 - cachedCode) : 0;
  return flashWord * (Math.max(words, constants / 8) + code / 4);
}

const sumsOf = (stmts: readonly Stmt[], buffers: Buffers): Sums =>
  stmts.reduce((sum, s) => plus(sum, sumsOfOne(s, buffers)), nothing);

function sumsOfOne(s: Stmt, buffers: Buffers): Sums {
  switch (s.kind) {
    case 'loop': {
      const lap = s.unroll === 'full' ? nothing : { ...nothing, rest: cost.lap, loads: certainLoads(s, buffers) };
      return times(s.extent, plus(sumsOf(s.body, buffers), lap));
    }
    case 'store': {
      const stored = buffers.get(s.buf)?.space === 'register' ? 0 : cost.memory;
      const reduced = s.reduce === undefined ? 0 : cost.operator;
      return plus(ofExpr(s.value, buffers), { ...nothing, rest: stored + reduced });
    }
    case 'call': {
      const made = instruction(s.instr, s.params);
      return made.cycles === undefined
        ? { ...nothing, rest: meant(made.meaning) }
        : { ...nothing, instructions: made.cycles, rest: cost.call };
    }
    case 'alloc':
      return nothing;
  }
}

/**
 * Loads that no compiler saves in a lap: of each buffer of bytes or half words, in the laps of no inner loop, as many as have different
 * places by dimensions that do not move with the laps. What moves with them may be left from the lap before.
 */
function certainLoads(lap: Loop, buffers: Buffers): number {
  if (callsIn(lap.body).length > 0) return 0;
  const most = new Map<string, number>();
  for (const { buf, index, how, loops, outside } of accesses(lap.body)) {
    const b = buffers.get(buf);
    const narrow = b !== undefined && b.space !== 'register' && bytesOf(b.dtype) < 4;
    const moving = index.filter((e) => mentions(e, lap.iter));
    const saved = how !== 'read' || !narrow || outside !== undefined || moving.length === 0;
    if (saved || loops.some((l) => l.unroll !== 'full')) continue;
    const still = index.filter((e) => !moving.includes(e));
    const apart = loops.filter(
      (l) => still.some((e) => mentions(e, l.iter)) && !moving.some((e) => mentions(e, l.iter)),
    );
    most.set(buf, Math.max(most.get(buf) ?? 0, product(apart.map((l) => l.extent))));
  }
  return [...most.values()].reduce((n, loads) => n + loads, 0);
}
function mentions(e: Expr, name: string): boolean {
  let found = false;
  visitExpr(e, (x) => {
    found ||= x.kind === 'iter' && x.name === name;
  });
  return found;
}
const product = (values: readonly number[]): number => values.reduce((n, v) => n * v, 1);

/** What an instruction that says nothing of itself may take: by its meaning. */
function meant(meaning: Program): number {
  const { products, rest } = sumsOf(meaning.body, new Map(buffersOf(meaning).map((b) => [b.name, b])));
  return products > 0 ? products * unstated.product : rest * unstated.share;
}

function ofExpr(e: Expr, buffers: Buffers): Sums {
  switch (e.kind) {
    case 'const':
    case 'iter':
      return nothing;
    case 'load': {
      const b = buffers.get(e.buf);
      const constants = b?.space === 'const' ? bytesOf(b.dtype) : 0;
      return { ...nothing, rest: b?.space === 'register' ? 0 : cost.memory, constants };
    }
    case 'binary': {
      const both = plus(ofExpr(e.a, buffers), ofExpr(e.b, buffers));
      const product = e.op === '*' && loads(e.a) && loads(e.b) ? 1 : 0;
      return plus(both, { ...nothing, rest: cost.operator - product, products: product });
    }
    case 'clz':
      return ofExpr(e.a, buffers);
    case 'requantize':
      return [e.acc, e.mult, e.shift].reduce((sum, x) => plus(sum, ofExpr(x, buffers)), {
        ...nothing,
        rest: cost.requantize,
      });
    case 'quantize':
    case 'dequantize':
      return ofExpr(e.value, buffers);
  }
}

/** Does a value come from memory? Only then is a product not one that a compiler folds or moves out of a loop. */
function loads(e: Expr): boolean {
  switch (e.kind) {
    case 'const':
    case 'iter':
      return false;
    case 'load':
      return true;
    case 'binary':
      return loads(e.a) || loads(e.b);
    case 'clz':
      return loads(e.a);
    case 'requantize':
      return true;
    case 'quantize':
    case 'dequantize':
      return loads(e.value);
  }
}

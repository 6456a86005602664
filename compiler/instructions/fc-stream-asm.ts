/**
 * The assembly of fc_stream: groups of rows of weights, each over all of K, for every row of x.
 *
 * Registers: r0 x, r1 weights; words of x and of weights first (short encodings), the sums in the last ones. Between groups
 * everything else waits in floating-point registers, which cost a cycle to reach, not two.
 */
import { advance, list, park, unpark } from './asm-lines.ts';
import {
  constantRegisters,
  prepareLines,
  type Requantize,
  requantizeLines,
  requantizeOperands,
  takesScaled,
} from './requantize-lines.ts';
import { straightCycles } from './static-cycles.ts';

export interface FcStream {
  /** Rows of x, and their length; outputs. */
  readonly P: number;
  readonly K: number;
  readonly N: number;
  /** Rows of weights in a group. */
  readonly R: number;
  /** Steps of the summing loop that are written out. */
  readonly unroll: number;
  /** 1: x in quads 0 2 1 3. */
  readonly quad: number;
  readonly q: Requantize;
}

const pool = ['r2', 'r3', 'r4', 'r5', 'r6', 'r7', 'r8', 'r9', 'r10', 'r11', 'r12', 'lr'] as const;
/** Four registers stay for words of x and weights, and for the constants of the requantise. */
export const maxSums = pool.length - 4;
const parked = { y: 's0', bias: 's1', constants: ['s2', 's3', 's4'], x: 's5', end: 's6', weights: 's7', groups: 's8' };
/** What the stack holds above the arguments' place: r4-r11 and lr. */
export const saved = 36;

/** One group's registers: `here` rows of weights. */
interface Block {
  readonly s: FcStream;
  readonly here: number;
  /** Words of weights for a pair of elements. */
  readonly words: number;
  /** Pairs of elements in a step. */
  readonly step: number;
  sum(p: number, row: number): string;
  readonly x: readonly string[];
  readonly w: readonly string[];
}

function blockOf(s: FcStream, here: number): Block {
  const words = Math.ceil(here / 2);
  const sums = s.P * 2 * words;
  const free = pool.slice(0, pool.length - sums);
  // As many pairs as leave registers for at least as many weights: loads in groups cost one cycle more than they are.
  const step = Math.max(1, Math.min(4, Math.floor(free.length / (2 * s.P))));
  return {
    s,
    here,
    words,
    step,
    sum: (p, row) => pool[pool.length - sums + p * 2 * words + row] as string,
    x: free.slice(0, step * s.P),
    w: free.slice(step * s.P),
  };
}

/** Biases into the sums: the odd rows' sums begin at even + 256 * odd. */
function begin(b: Block): readonly string[] {
  const rows = Array.from({ length: b.here }, (_, row) => b.sum(0, row));
  const lanes = Array.from({ length: b.words }, (_, j) => {
    const [even, odd] = [b.sum(0, 2 * j), b.sum(0, 2 * j + 1)];
    return 2 * j + 1 < b.here ? `add ${odd}, ${even}, ${odd}, lsl #8` : `mov ${odd}, ${even}`;
  });
  const copies = Array.from({ length: b.s.P - 1 }, (_, p) =>
    Array.from({ length: 2 * b.words }, (_r, row) => `mov ${b.sum(p + 1, row)}, ${b.sum(0, row)}`),
  );
  return [
    unpark('r0', parked.bias),
    `ldm r0!, {${rows.join(', ')}}`,
    park(parked.bias, 'r0'),
    ...lanes,
    ...copies.flat(),
    unpark('r0', parked.x),
  ];
}

/** `pairs` pairs of elements of x, and all their weights, into the sums. */
function stepLines(b: Block, pairs: number): readonly string[] {
  const { P, K } = b.s;
  const x = (p: number, pair: number): string => b.x[p * pairs + pair] as string;
  const out: string[] = [];
  for (let p = P - 1; p >= 1; p--)
    for (let i = 0; i < pairs; i++) out.push(`ldr ${x(p, i)}, [r0, #${2 * K * p + 4 * i}]`);
  out.push(`ldm r0!, {${list(b.x.slice(0, pairs))}}`);
  const total = pairs * b.words;
  for (let from = 0; from < total; from += b.w.length) {
    const some = b.w.slice(0, Math.min(b.w.length, total - from));
    out.push(`ldm r1!, {${list(some)}}`);
    some.forEach((w, n) => {
      const [pair, j] = [Math.floor((from + n) / b.words), (from + n) % b.words];
      out.push(...multiply(b, w, j, (p) => x(p, pair)));
    });
  }
  return out;
}
/** A word of weights times a word of each row of x. */
function multiply(b: Block, w: string, j: number, x: (p: number) => string): readonly string[] {
  const into = (row: number): readonly string[] =>
    Array.from({ length: b.s.P }, (_, p) => `smlad ${b.sum(p, row)}, ${x(p)}, ${w}, ${b.sum(p, row)}`);
  return [...into(2 * j + 1), `sxtb16 ${w}, ${w}`, ...into(2 * j)];
}

/** The last element of an odd K stands alone: its word of weights has 0 in the other lane. */
function lastElement(b: Block): readonly string[] {
  const [x = ''] = b.x;
  const words = Array.from({ length: b.words }, (_, j) => {
    const [w = ''] = b.w;
    return [`ldr ${w}, [r1], #4`, ...multiply(b, w, j, () => x)];
  });
  return [`ldrsh ${x}, [r0]`, ...words.flat()];
}

/** How the pairs of elements are cut: passes of a loop, then single steps, then an element alone. */
function cut(b: Block): { readonly passes: number; readonly rest: readonly number[]; readonly alone: boolean } {
  const pairs = Math.floor(b.s.K / 2);
  const passes = Math.floor(pairs / (b.step * b.s.unroll));
  let left = pairs - passes * b.step * b.s.unroll;
  const rest: number[] = [];
  for (; left > 0; left -= b.step) rest.push(Math.min(left, b.step));
  return { passes, rest, alone: b.s.K % 2 === 1 };
}

const passLines = (b: Block): readonly string[] =>
  Array.from({ length: b.s.unroll }, () => stepLines(b, b.step)).flat();

/** The sums over all of K. */
function sumLines(b: Block): readonly string[] {
  const { passes, rest, alone } = cut(b);
  const [end = ''] = b.w;
  const again = [unpark(end, parked.end), `cmp r0, ${end}`, 'bne 2b'];
  return [
    ...(passes > 1 ? ['.balign 4', '2:'] : []),
    ...(passes > 0 ? passLines(b) : []),
    ...(passes > 1 ? again : []),
    ...rest.flatMap((pairs) => stepLines(b, pairs)),
    ...(alone ? lastElement(b) : []),
  ];
}

/** Lanes apart, and each sum as the requantise wants it. */
function partLines(b: Block): readonly string[] {
  const scaled = takesScaled(b.s.q);
  return Array.from({ length: b.s.P * b.words }, (_, n) => {
    const [p, j] = [Math.floor(n / b.words), n % b.words];
    const [even, odd] = [b.sum(p, 2 * j), b.sum(p, 2 * j + 1)];
    return [
      ...(2 * j + 1 < b.here ? [`sub ${odd}, ${odd}, ${even}`, ...(scaled ? [] : [`asr ${odd}, ${odd}, #8`])] : []),
      ...(scaled ? [`lsl ${even}, ${even}, #8`] : []),
    ];
  }).flat();
}

/** Sums to bytes: the constants' addresses are r0, r1 and, for a third one, where its value goes. */
function requantizeAll(b: Block): readonly string[] {
  const { q, P } = b.s;
  const roles = Object.keys(requantizeOperands(q)).length;
  const [first = '', second = '', third = '', temp = ''] = pool;
  const constants = [first, second, third].slice(0, constantRegisters(q));
  const channel = (row: number): readonly string[] => [
    ...(roles > 2 ? [unpark(third, parked.constants[2] ?? '')] : []),
    `ldr ${first}, [r0], #4`,
    `ldr ${second}, [r1], #4`,
    ...(roles > 2 ? [`ldr ${third}, [${third}, #${4 * row}]`] : []),
    ...prepareLines(q, { constants, temp }),
    ...Array.from({ length: P }, (_, p) => requantizeLines(q, b.sum(p, row), { constants, temp })).flat(),
  ];
  const [s0 = '', s1 = '', s2 = ''] = parked.constants;
  return [
    park(parked.weights, 'r1'),
    unpark('r0', s0),
    unpark('r1', s1),
    ...Array.from({ length: b.here }, (_, row) => channel(row)).flat(),
    park(s0, 'r0'),
    park(s1, 'r1'),
    ...(roles > 2 ? [unpark('r0', s2), ...advance('r0', 4 * b.here), park(s2, 'r0')] : []),
    unpark('r1', parked.weights),
  ];
}

function storeLines(b: Block): readonly string[] {
  const { P, N } = b.s;
  const bytes = Array.from({ length: P * b.here }, (_, n) => {
    const [p, row] = [Math.floor(n / b.here), n % b.here];
    return `strb ${b.sum(p, row)}, [r0, #${p * N + row}]`;
  });
  return [unpark('r0', parked.y), ...bytes, ...advance('r0', b.here), park(parked.y, 'r0')];
}

const finish = (b: Block): readonly string[] => [...partLines(b), ...requantizeAll(b), ...storeLines(b)];
const groupLines = (b: Block): readonly string[] => [...begin(b), ...sumLines(b), ...finish(b)];

/** Blocks of whole groups and of the rows that are left, with how often each runs. */
function groupsOf(s: FcStream): readonly { readonly block: Block; readonly times: number }[] {
  const [whole, left] = [Math.floor(s.N / s.R), s.N % s.R];
  return [
    { block: blockOf(s, s.R), times: whole },
    { block: blockOf(s, left), times: left > 0 ? 1 : 0 },
  ].filter(({ times }) => times > 0);
}

/** Where a block's loop over x ends, if it has one. */
function endLines(b: Block): readonly string[] {
  const { passes } = cut(b);
  return passes > 1 ? ['mov r4, r0', ...advance('r4', 4 * passes * b.step * b.s.unroll), park(parked.end, 'r4')] : [];
}

export function fcStreamLines(s: FcStream): readonly string[] {
  const roles = Object.keys(requantizeOperands(s.q));
  const groups = groupsOf(s).flatMap(({ block, times }) => [
    unpark('r0', parked.x),
    ...endLines(block),
    ...(times > 1 ? [`movw r4, #${times}`, park(parked.groups, 'r4'), '1:'] : []),
    ...groupLines(block),
    ...(times > 1 ? [unpark('r2', parked.groups), 'subs r2, r2, #1', park(parked.groups, 'r2'), 'bne 1b'] : []),
  ]);
  return [
    'push {r4-r11, lr}',
    ...roles.flatMap((_, n) => [`ldr r4, [sp, #${saved + 4 * n}]`, park(parked.constants[n] ?? '', 'r4')]),
    park(parked.x, 'r0'),
    park(parked.bias, 'r2'),
    park(parked.y, 'r3'),
    ...groups,
    'pop {r4-r11, pc}',
  ];
}

/** Cycles of a call that waits for no memory. */
export function fcStreamCycles(s: FcStream): number {
  const groups = groupsOf(s).map(({ block, times }) => {
    const { passes } = cut(block);
    const more = Math.max(0, passes - 1) * (straightCycles(passLines(block)) + 4);
    return times * (straightCycles(groupLines(block)) + more + 5);
  });
  return groups.reduce((a, b) => a + b, 40);
}

/**
 * fc_stream: a fully connected layer for P input rows: bias, sum, requantise and store of all N outputs. Weights are read once, from
 * front to back, R rows side by side (packing lane_groups). Two rows share the lanes of a word: SMLAD with the word sums
 * even + 256 * odd, SXTB16 leaves the even row alone, and the difference is 256 * odd, as the short requantise forms want it.
 * Must stay true: x holds bytes, and |sum| < 2^23 where a form needs the sum itself.
 */
import { buffer, iter, load, loop, mul, program, refuse, register, store } from '../program/build.ts';
import type { Loop, Program } from '../program/program.ts';
import { advance, list, park, unpark } from './asm-lines.ts';
import type { AsmFunction, Instruction, Operand, Params, Recipe } from './instruction.ts';
import { quad as quads } from './mac-block.ts';
import {
  constantRegisters,
  inferRequantize,
  prepareLines,
  type Requantize,
  requantizeLines,
  requantizeMeaning,
  requantizeOf,
  requantizeOperands,
  requantizePlain,
  requantizeTag,
  takesScaled,
} from './requantize-lines.ts';
import { straightCycles } from './static-cycles.ts';

interface Shape {
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

function shapeOf(params: Params): Shape {
  const { P = 1, K = 1, N = 1, R = 8, unroll = 4, quad = 0 } = params;
  const need = (holds: boolean, why: string): void => {
    if (!holds) refuse(`fc_stream: ${why}`);
  };
  need(
    R >= 2 && R % 2 === 0 && P <= 3 && P * R <= maxSums,
    `${P} rows of x by ${R} of weights do not fit the registers`,
  );
  need(P === 1 || K % 2 === 0, 'rows of x begin at words');
  need(quad === 0 || K % 4 === 0, 'quads of elements');
  need(2 * K * P < 4096, 'x is too far for an immediate offset');
  need(unroll >= 1, 'at least one step');
  return { P, K, N, R, unroll, quad, q: requantizeOf(params) };
}

/*
 * Registers: r0 x, r1 weights; words of x and weights first (short encodings), the sums in the last ones. Between groups of rows
 * everything else waits in floating-point registers, which cost a cycle to reach, not two.
 */
const pool = ['r2', 'r3', 'r4', 'r5', 'r6', 'r7', 'r8', 'r9', 'r10', 'r11', 'r12', 'lr'] as const;
/** Four registers stay for words of x and weights, and for the constants of the requantise. */
const maxSums = pool.length - 4;
const parked = { y: 's0', bias: 's1', constants: ['s2', 's3', 's4'], x: 's5', end: 's6', weights: 's7', groups: 's8' };
/** What the stack holds above the arguments' place: r4-r11 and lr. */
const saved = 36;

/** One group's registers: `here` rows of weights. */
interface Block {
  readonly s: Shape;
  readonly here: number;
  /** Words of weights for a pair of elements. */
  readonly words: number;
  /** Pairs of elements in a step. */
  readonly step: number;
  sum(p: number, row: number): string;
  readonly x: readonly string[];
  readonly w: readonly string[];
}

function blockOf(s: Shape, here: number): Block {
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
function groupsOf(s: Shape): readonly { readonly block: Block; readonly times: number }[] {
  const [whole, left] = [Math.floor(s.N / s.R), s.N % s.R];
  return [
    { block: blockOf(s, s.R), times: whole },
    { block: blockOf(s, left), times: left > 0 ? 1 : 0 },
  ].filter(({ times }) => times > 0);
}

/** Where a block's loop over x ends, if it has one. */
function endLines(b: Block): readonly string[] {
  const { passes } = cut(b);
  return passes > 1 ? [`addw r4, r0, #${4 * passes * b.step * b.s.unroll}`, park(parked.end, 'r4')] : [];
}

function assembly(s: Shape): readonly string[] {
  const roles = Object.keys(requantizeOperands(s.q));
  const groups = groupsOf(s).flatMap(({ block, times }) => [
    unpark('r0', parked.x),
    ...endLines(block),
    ...(times > 1 ? [`mov r4, #${times}`, park(parked.groups, 'r4'), '1:'] : []),
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
function cycles(s: Shape): number {
  const groups = groupsOf(s).map(({ block, times }) => {
    const { passes } = cut(block);
    const more = Math.max(0, passes - 1) * (straightCycles(passLines(block)) + 4);
    return times * (straightCycles(groupLines(block)) + more + 5);
  });
  return groups.reduce((a, b) => a + b, 40);
}

/** x and w are read in the order in which they are stored. */
function plain(s: Shape): string {
  const pairs = Math.ceil(s.K / 2);
  return `  const int16_t *const lanes = (const int16_t *)(const void *)w;
  int32_t p, o, k;
  for (p = 0; p < ${s.P}; p++) {
    for (o = 0; o < ${s.N}; o++) {
      const int32_t first = o - o % ${s.R};
      const int32_t words = (mt_min(${s.R}, ${s.N} - first) + 1) / 2;
      const int16_t *const own = lanes + first * ${pairs} + o % ${s.R} / 2 * 2;
      int32_t acc = bias[o];
      for (k = 0; k < ${s.K}; k++) {
        const int32_t both = own[k / 2 * words * 2 + k % 2];
        const int32_t even = (int8_t)both;
        acc = mt_add(acc, x[p * ${s.K} + k] * (o % 2 == 0 ? even : (both - even) >> 8));
      }
      y[p * ${s.N} + o] = (int8_t)${requantizePlain(s.q, 'acc', 'o')};
    }
  }
`;
}

function functionOf(s: Shape): AsmFunction {
  const roles = Object.keys(requantizeOperands(s.q)).map((role) => `const int32_t *${role}`);
  return {
    params: ['const int16_t *x', 'const uint8_t *w', 'const int32_t *bias', 'int8_t *y', ...roles],
    lines: assembly(s),
    plain: plain(s),
  };
}

function meaning(s: Shape): Program {
  const [p, o, i] = [iter('p'), iter('o'), iter('i')];
  const constants = Object.keys(requantizeOperands(s.q)).map((role) => buffer(role, 'i32', [s.N], 'const'));
  return program(
    'fc_stream',
    [
      buffer('x', 'i16', [s.P, s.K], 'in'),
      buffer('w', 'i8', [s.N, s.K], 'const'),
      buffer('bias', 'i32', [s.N], 'const'),
      buffer('y', 'i8', [s.P, s.N], 'out'),
      ...constants,
    ],
    loop(
      'p',
      s.P,
      loop(
        'o',
        s.N,
        register('acc'),
        store('acc', [], load('bias', o)),
        loop('i', s.K, store('acc', [], mul(load('x', p, i), load('w', o, i)), '+')),
        store('y', [p, o], requantizeMeaning(s.q, load('acc'), o)),
      ),
    ),
  );
}

const byte = [-128, 127] as const;
/** What biases may be where their layer's sums are shown to stay below 2^23. */
const biasSpan = [-(2 ** 22), 2 ** 22] as const;

function operands(s: Shape): Readonly<Record<string, Operand>> {
  return {
    x: { dtype: 'i16', align: 4, span: byte, ...(s.quad === 1 && { layout: quads }) },
    w: {
      dtype: 'i8',
      align: 8,
      layout: { kind: 'packed', packing: 'lane_groups', params: { rows: s.R, quad: s.quad } },
      span: [-127, 127],
    },
    bias: { dtype: 'i32', ...(s.q.form !== 'affine' && { span: biasSpan }) },
    y: { dtype: 'i8' },
    ...requantizeOperands(s.q),
  };
}

/** The largest |sum| that bytes can make. */
function requires({ K, q }: Shape, values: (role: string) => Int32Array): string | undefined {
  if (q.form === 'affine') return undefined;
  const [w, bias] = [values('w'), values('bias')];
  const most = bias.reduce((top, b, o) => {
    let sum = Math.abs(b);
    for (let i = 0; i < K; i++) sum += 128 * Math.abs(w[o * K + i] ?? 0);
    return Math.max(top, sum);
  }, 0);
  return most < 2 ** 23 ? undefined : `a sum may reach ${most}`;
}

function infer(nest: Loop): Params {
  const [outputs] = nest.body;
  const inner = outputs?.kind === 'loop' ? outputs.body.filter((x) => x.kind !== 'alloc') : [];
  const [, sum, last] = inner;
  if (outputs?.kind !== 'loop' || sum?.kind !== 'loop' || last?.kind !== 'store')
    return refuse('fc_stream: loops over rows, outputs and inputs');
  return { P: nest.extent, N: outputs.extent, K: sum.extent, ...inferRequantize(last.value) };
}

function make(params: Params): Instruction {
  const s = shapeOf(params);
  const roles = Object.keys(requantizeOperands(s.q));
  const tag = [`${s.P}x${s.K}x${s.N}`, `r${s.R}u${s.unroll}${s.quad === 1 ? 'q' : ''}`, requantizeTag(s.q)];
  return {
    symbol: `mt_fc_${tag.join('_')}`,
    features: ['dsp', 'fpu'],
    stackBytes: saved,
    cycles: cycles(s),
    meaning: meaning(s),
    operands: operands(s),
    requires: (values) => requires(s, values),
    c: (at) => `${at.function}(${['x', 'w', 'bias', 'y', ...roles].map((role) => at[role]).join(', ')});`,
    function: functionOf(s),
    prelude: '',
    portable: '',
  };
}

export const fcStream: Recipe = {
  name: 'fc_stream',
  examples: [
    { P: 1, K: 8, N: 8, right: 9, unroll: 1, quad: 1 },
    { P: 1, K: 21, N: 13, right: 7, unroll: 2 },
    { P: 1, K: 36, N: 5, R: 4, right: 8, unroll: 2, quad: 1, form: 1 },
    { P: 2, K: 22, N: 7, R: 4, right: 8, unroll: 1, max: 60 },
    { P: 1, K: 12, N: 7, R: 6, unroll: 2, form: 2, zero: -3 },
    { P: 3, K: 12, N: 3, R: 2, unroll: 2, form: 2, zero: 5, min: 5, quad: 1 },
  ],
  infer,
  make,
};

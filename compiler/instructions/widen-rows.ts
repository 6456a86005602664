/**
 * widen_rows: rows of an image from int8 to int16, in order, with their border made real: what lies beside or above the image is
 * one value. The rows may begin anywhere, also outside: where, is known only when it runs.
 */
import { affine } from '../program/affine.ts';
import { add, buffer, iter, load, loadOr, loop, num, program, refuse, store } from '../program/build.ts';
import type { Expr, Loop, Program, Store } from '../program/program.ts';
import { advance, park, unpark } from './asm-lines.ts';
import type { Instruction, Params, Recipe } from './instruction.ts';
import { straightCycles } from './static-cycles.ts';
import { halves } from './widen.ts';

interface Shape {
  /** Of the image. */
  readonly H: number;
  readonly W: number;
  readonly C: number;
  /** Rows and columns of the copy; `left` columns of it lie before the image. */
  readonly R: number;
  readonly XW: number;
  readonly left: number;
  /** The border's value; undefined where nothing lies outside. */
  readonly value: number | undefined;
}

function shapeOf({ H = 1, W = 1, C = 1, R = 1, XW = 1, left = 0, bordered = 0, value = 0 }: Params): Shape {
  const need = (holds: boolean, why: string): void => {
    if (!holds) refuse(`widen_rows: ${why}`);
  };
  need(left >= 0 && left < XW, 'the copy begins before the image or with it');
  need(bordered === 1 || (left === 0 && XW <= W), 'without a border rows lie inside');
  need(value >= -32768 && value <= 32767, 'the border is int16');
  need((XW * C) % 2 === 0, 'rows begin at words');
  need(Math.max(H, W * C, XW * C) < 65536, 'lengths are 16 bits');
  return { H, W, C, R, XW, left, value: bordered === 0 ? undefined : value };
}

function infer(nest: Loop, shape: (role: string) => readonly number[]): Params {
  const [columns] = nest.body;
  const channels = columns?.kind === 'loop' ? columns.body[0] : undefined;
  const only = channels?.kind === 'loop' ? channels.body[0] : undefined;
  if (columns?.kind !== 'loop' || channels?.kind !== 'loop' || only?.kind !== 'store')
    return refuse('widen_rows: loops over rows, columns and channels');
  const [H = 1, W = 1, C = 1] = shape('src').slice(-3);
  return { H, W, C, R: nest.extent, XW: columns.extent, ...borderOf(only) };
}
function borderOf({ value }: Store): Params {
  if (value.kind !== 'load') return refuse('widen_rows: a copy');
  const shift = affine(value.index.at(-2) ?? num(0)).get('')?.coef ?? 0;
  return { left: -shift, ...(value.outside === undefined ? {} : { bordered: 1, value: value.outside }) };
}

/** Elements of a row of the copy: before the image, of it, behind it. */
interface Row {
  readonly before: number;
  readonly inside: number;
  readonly behind: number;
}
function rowOf(s: Shape): Row {
  const inside = Math.min(s.W, s.XW - s.left);
  return { before: s.left * s.C, inside: inside * s.C, behind: (s.XW - s.left - inside) * s.C };
}

/*
 * Registers: r0 source, r1 target, r2 the row of the image, r12 the border's value in both halves; r3-r11 and lr are free. The
 * image's address and the rows that are left wait in s0 and s1.
 */
const again = (label: string): readonly string[] => ['subs lr, lr, #1', `bne ${label}b`];
const one = ['ldrsb r3, [r0], #1', 'strh r3, [r1], #2'];
const words = ['r3', 'r5', 'r7', 'r9'];

/** Sixteen elements. Only LDR reads from any address. */
const sixteen = (aligned: boolean): readonly string[] => [
  ...(aligned ? [`ldmia r0!, {${words.join(', ')}}`] : words.map((w) => `ldr ${w}, [r0], #4`)),
  ...[3, 5, 7, 9].flatMap((n) => halves(0, `r${n}`, `r${n + 1}`)),
  'stmia r1!, {r3-r10}',
];
const four = ['ldr r3, [r0], #4', ...halves(0, 'r3', 'r4'), 'stmia r1!, {r3, r4}'];
const times = (n: number, lines: readonly string[]): readonly string[] => Array.from({ length: n }, () => lines).flat();

/** How a row is cut: an element that brings the target to a word, sixteens in a loop, fours, the rest. */
function cut(s: Shape): { readonly lead: number; readonly aligned: boolean; readonly parts: readonly number[] } {
  const { before, inside } = rowOf(s);
  const lead = Math.min(inside, before % 2);
  const left = inside - lead;
  return { lead, aligned: lead === 0 && (s.W * s.C) % 4 === 0, parts: [left >> 4, (left & 15) >> 2, left & 3] };
}

function copyLines(s: Shape): readonly string[] {
  const { lead, aligned, parts } = cut(s);
  const [sixteens = 0, fours = 0, ones = 0] = parts;
  const loops = [`movw lr, #${sixteens}`, '.balign 4', '3:', ...sixteen(aligned), ...again('3')];
  return [
    ...times(lead, one),
    ...(sixteens > 1 ? loops : times(sixteens, sixteen(aligned))),
    ...times(fours, four),
    ...times(ones, one),
  ];
}

/** `n` elements of the border. */
const borderLines = (n: number): readonly string[] =>
  n <= 6 ? times(n, ['strh r12, [r1], #2']) : [`movw lr, #${n}`, '4:', 'strh r12, [r1], #2', ...again('4')];

function assembly(s: Shape): readonly string[] {
  const { before, behind } = rowOf(s);
  const value = (s.value ?? 0) & 0xffff;
  const pairs = (s.XW * s.C) / 2;
  return [
    'push {r4-r11, lr}',
    park('s0', 'r0'),
    `movw r12, #${value}`,
    `movt r12, #${value}`,
    `movw r3, #${s.R}`,
    '1:',
    park('s1', 'r3'),
    `movw r4, #${s.H}`,
    'cmp r2, r4',
    // As unsigned numbers rows above the image are large, too.
    'bhs 5f',
    ...borderLines(before),
    unpark('r0', 's0'),
    `movw r4, #${s.W * s.C}`,
    'mla r0, r2, r4, r0',
    ...copyLines(s),
    ...borderLines(behind),
    'b 7f',
    '5:',
    `movw lr, #${pairs}`,
    '6:',
    'str r12, [r1], #4',
    ...again('6'),
    '7:',
    ...advance('r2', 1),
    unpark('r3', 's1'),
    'subs r3, r3, #1',
    'bne 1b',
    'pop {r4-r11, pc}',
  ];
}

/** Cycles of a call all of whose rows lie inside. */
function cycles(s: Shape): number {
  const { before, behind } = rowOf(s);
  const { aligned, parts } = cut(s);
  const loops = Math.max(0, (parts[0] ?? 0) - 1) * (straightCycles(sixteen(aligned)) + 3);
  return 30 + s.R * (straightCycles(copyLines(s)) + loops + 2 * (before + behind) + 14);
}

const plain = (s: Shape): string => {
  const { before, inside } = rowOf(s);
  return `  int32_t r, i;
  for (r = row; r < row + ${s.R}; r++) {
    for (i = 0; i < ${s.XW * s.C}; i++) {
      const int32_t from = i - ${before};
      *dst++ = r >= 0 && r < ${s.H} && from >= 0 && from < ${inside} ? src[${s.W * s.C} * r + from] : ${s.value ?? 0};
    }
  }
`;
};

function meaning(s: Shape): Program {
  const [a, b, c] = ['a', 'b', 'c'].map(iter) as [Expr, Expr, Expr];
  const from = [a, add(b, num(-s.left)), c];
  const value = s.value === undefined ? load('src', ...from) : loadOr(s.value, 'src', ...from);
  return program(
    'widen_rows',
    [buffer('src', 'i8', [s.H, s.W, s.C], 'in'), buffer('dst', 'i16', [s.R, s.XW, s.C], 'out')],
    loop('a', s.R, loop('b', s.XW, loop('c', s.C, store('dst', [a, b, c], value)))),
  );
}

const symbolOf = (s: Shape): string =>
  `mt_widen_rows_${s.H}x${s.W}x${s.C}_${s.R}x${s.XW}_l${s.left}_v${s.value ?? 'none'}`.replaceAll('-', 'm');

/** dst[a, b, c] = src[a, b - left, c], or the border's value where that lies outside the image. */
export const widenRows: Recipe = {
  name: 'widen_rows',
  examples: [
    { H: 4, W: 12, C: 3, R: 4, XW: 12 },
    { H: 5, W: 9, C: 3, R: 6, XW: 12, left: 1, bordered: 1, value: -7 },
    { H: 3, W: 40, C: 1, R: 4, XW: 54, left: 2, bordered: 1, value: 100 },
  ],
  infer,
  make(params): Instruction {
    const s = shapeOf(params);
    return {
      symbol: symbolOf(s),
      features: ['dsp', 'fpu'],
      stackBytes: 36,
      get cycles() {
        return cycles(s);
      },
      meaning: meaning(s),
      // The image itself begins at a word, as every buffer does; its rows may not.
      operands: { src: { dtype: 'i8', moves: true }, dst: { dtype: 'i16', align: 4 } },
      c: (at) => `${at.function}(${at['src.base']}, ${at.dst}, ${at['src.0']});`,
      get function() {
        return {
          params: ['const int8_t *src', 'int16_t *dst', 'int32_t row'],
          lines: assembly(s),
          plain: plain(s),
        };
      },
      prelude: '',
      portable: '',
    };
  },
};

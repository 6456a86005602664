/**
 * The loops that pooling kernels share: one window of an NHWC image into one pixel of the result, up to four words of channels at a
 * time, so that what is gathered stays in registers over the whole window. Must stay true: channels come in words of four, and a
 * pixel's lie side by side.
 */
import { iter, loop, refuse } from '../program/build.ts';
import type { Expr, Loop, Stmt } from '../program/program.ts';
import { advance } from './asm-lines.ts';
import type { Params } from './instruction.ts';
import { straightCycles } from './static-cycles.ts';

/** A window in a row of pixels (D = 1) or in an image of width W (D = 2). */
export interface Window {
  readonly D: number;
  readonly C: number;
  readonly KH: number;
  readonly KW: number;
  readonly W: number;
  /** Pixels that are written out in the loop over a row. */
  readonly unroll: number;
}

export function windowOf({ D = 2, C = 4, KH = 1, KW = 1, W = KW, unroll = 4 }: Params): Window {
  if (C % 4 !== 0 || C < 4) refuse('pooling by words: four channels at a time');
  if (unroll < 1 || unroll * C + 16 > 4095)
    refuse(`pooling by words: ${unroll} pixels are too far for an immediate offset`);
  if (D !== 1 && D !== 2) refuse('pooling by words: a window has one or two dimensions');
  return { D, C, KH: D === 1 ? 1 : KH, KW, W: D === 1 ? KW : W, unroll };
}

/** What the nest says: `for c: {begin; for ky: for kx: gather; store}`. */
export function inferWindow(nest: Loop, shape: (role: string) => readonly number[]): Params {
  const loops: Loop[] = [];
  let at: readonly Stmt[] = nest.body;
  for (;;) {
    const inner = at.find((s) => s.kind === 'loop');
    if (inner?.kind !== 'loop') break;
    loops.push(inner);
    at = inner.body;
  }
  const [KW = 1, KH = 1] = loops.toReversed().map((l) => l.extent);
  return { D: loops.length, C: nest.extent, KH, KW, W: shape('x').at(-2) ?? 1 };
}
/** What the nest stores in the end. */
export function storedBy(nest: Loop): Expr {
  const last = nest.body.at(-1);
  return last?.kind === 'store' ? last.value : refuse('pooling by words: a store ends each channel');
}

/** The shape of x, and the loops over it around a statement that reads x at the index it is given. */
export const windowShape = ({ D, C, KH, KW, W }: Window): readonly number[] => (D === 1 ? [KW, C] : [KH, W, C]);
export function overWindow({ D, KH, KW }: Window, inner: (index: readonly Expr[]) => Stmt): Stmt {
  const [ky, kx, c] = [iter('ky'), iter('kx'), iter('c')];
  return D === 1 ? loop('kx', KW, inner([kx, c])) : loop('ky', KH, loop('kx', KW, inner([ky, kx, c])));
}
export const windowTag = ({ C, KH, KW, W, unroll }: Window): string => `${C}_${KH}x${KW}_w${W}_u${unroll}`;

/** What a kernel does with the words of channels that it gathers. Words of a pixel are in r1-r4; r5-r12 are its own, and lr at the ends. */
export interface Gathering {
  begin(words: number): readonly string[];
  /** Word `k` of a pixel, in register `word`. */
  take(k: number, word: string): readonly string[];
  /** With r1 where the results go; r2-r4 and lr are free. */
  finish(words: number): readonly string[];
}

/** Bytes that lie between the stack pointer and the arguments from the fifth on: own words, then r4-r11 and lr. */
export const windowFrame = {
  x: 0,
  y: 4,
  third: 8,
  fourth: 12,
  groups: 16,
  rows: 20,
  bytes: 28,
  arguments: 28 + 36,
} as const;
const words = ['r1', 'r2', 'r3', 'r4'] as const;
/** 0, 1, … n - 1. */
export const upTo = (n: number): readonly number[] => Array.from({ length: n }, (_, k) => k);

/** One pixel, `bytes` from r0. */
const pixel = (g: Gathering, count: number, bytes: number): readonly string[] => [
  ...words.slice(0, count).map((w, k) => `ldr ${w}, [r0, #${bytes + 4 * k}]`),
  ...words.slice(0, count).flatMap((w, k) => g.take(k, w)),
];
const pixels = (g: Gathering, w: Window, count: number, n: number): readonly string[] =>
  upTo(n).flatMap((i) => pixel(g, count, i * w.C));

/** A counter on the stack, one less; back to the label while it is not 0. */
const countDown = (at: number, label: string): readonly string[] => [
  `ldr r1, [sp, #${at}]`,
  'subs r1, r1, #1',
  `str r1, [sp, #${at}]`,
  `bne ${label}`,
];

/** Rows and pixels as they are walked: an image no wider than the window is one long row. */
const walked = (w: Window): { readonly rows: number; readonly length: number } =>
  w.W === w.KW ? { rows: 1, length: w.KH * w.KW } : { rows: w.KH, length: w.KW };

/** All of a window for some words of channels. */
function group(g: Gathering, w: Window, count: number): readonly string[] {
  const { rows, length } = walked(w);
  const passes = Math.floor(length / w.unroll);
  const rest = length - passes * w.unroll;
  return [
    'ldr r0, [sp]',
    ...(rows > 1 ? [`mov r1, #${rows}`, `str r1, [sp, #${windowFrame.rows}]`] : []),
    ...g.begin(count),
    ...(rows > 1 ? ['2:'] : []),
    ...(passes > 1 ? [`mov lr, #${passes}`, '3:'] : []),
    ...(passes > 0 ? [...pixels(g, w, count, w.unroll), ...advance('r0', w.unroll * w.C)] : []),
    ...(passes > 1 ? ['subs lr, lr, #1', 'bne 3b'] : []),
    ...pixels(g, w, count, rest),
    ...(rows > 1 ? [...advance('r0', w.W * w.C - passes * w.unroll * w.C), ...countDown(windowFrame.rows, '2b')] : []),
    `ldr r1, [sp, #${windowFrame.y}]`,
    ...g.finish(count),
    `ldrd r0, r1, [sp]`,
    `add r0, r0, #${4 * count}`,
    `add r1, r1, #${4 * count}`,
    `strd r0, r1, [sp]`,
  ];
}

/** The function: groups of four words, then a smaller one for the channels left. */
export function windowLines(g: Gathering, w: Window): readonly string[] {
  const [groups, left] = [Math.floor(w.C / 16), (w.C % 16) / 4];
  return [
    'push {r4-r11, lr}',
    `sub sp, sp, #${windowFrame.bytes}`,
    'strd r0, r1, [sp]',
    `strd r2, r3, [sp, #${windowFrame.third}]`,
    ...(groups > 1 ? [`mov r1, #${groups}`, `str r1, [sp, #${windowFrame.groups}]`, '1:'] : []),
    ...(groups > 0 ? group(g, w, 4) : []),
    ...(groups > 1 ? countDown(windowFrame.groups, '1b') : []),
    ...(left > 0 ? group(g, w, left) : []),
    `add sp, sp, #${windowFrame.bytes}`,
    'pop {r4-r11, pc}',
  ];
}
export const windowStack = windowFrame.arguments + 8;

/** Cycles of a call: what the loops repeat, and 20 for a group's and 40 for a call's ends. */
export function windowCycles(g: Gathering, w: Window): number {
  const { rows, length } = walked(w);
  const of = (count: number): number => {
    const passes = Math.floor(length / w.unroll);
    const each = straightCycles(pixel(g, count, 0));
    return (
      20 + straightCycles(g.begin(count)) + straightCycles(g.finish(count)) + rows * (length * each + 4 * passes + 8)
    );
  };
  return 40 + Math.floor(w.C / 16) * of(4) + (w.C % 16 > 0 ? of((w.C % 16) / 4) : 0);
}

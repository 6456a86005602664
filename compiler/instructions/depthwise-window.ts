/**
 * depthwise_window: a group of channels of a depthwise convolution with any window, strides and dilation, from planes of bytes whose border
 * is real. Two outputs beside each other at a time; a channel's weights are copied to the stack, where they load fast. What it
 * shares with other depthwise kernels is in depthwise-nest.ts and depthwise-frame.ts.
 */
import { refuse } from '../program/build.ts';
import { advance, park, unpark } from './asm-lines.ts';
import { type Code, rounds, sequence, straight } from './code.ts';
import { channelConstants, channels, pushedBytes, slots } from './depthwise-frame.ts';
import {
  type DepthwiseNest,
  depthwiseInstruction,
  depthwiseOf,
  inferDepthwise,
  pixelBytes,
  storeLine,
} from './depthwise-nest.ts';
import type { Params, Recipe } from './instruction.ts';
import { tapLanes } from './packings/depthwise-taps.ts';
import { constantRegisters, requantizeLines } from './requantize-lines.ts';

function need(holds: boolean, why: string): void {
  if (!holds) refuse(`depthwise_window: ${why}`);
}

/** Register plan: addresses, sums, bytes 0 2 and 1 3 of a word of x for each sum, two words of weights, requantise constants. */
const [from, to] = ['r0', 'r1'] as const;
const sums = ['r2', 'r3'] as const;
const parted = [
  ['r4', 'r5'],
  ['r6', 'r7'],
] as const;
const weights = ['r8', 'r9'] as const;
const constants = ['r10', 'r11', 'r12'] as const;
const temp = 'lr';
const [begun, rowFrom, rowTo, rowsLeft, pairsLeft] = ['s0', 's1', 's2', 's3', 's4'] as const;

const words = (n: DepthwiseNest): number => tapLanes(n.KH, n.KW, 'rows').length / 2;
const rowBytes = (n: DepthwiseNest): number => n.planes * n.pitch;
/** Bytes that a window's row is loaded with: whole words, a last single column as a byte; dilated ones byte by byte. */
function loaded({ KW, DX }: DepthwiseNest): number {
  if (DX > 1) return DX * (KW - 1) + 1;
  return KW % 4 === 1 ? KW : 4 * Math.ceil(KW / 4);
}

/** One of the outputs side by side: its sum, registers for its bytes, and where they lie from the address on. */
interface Output {
  readonly sum: string;
  readonly even: string;
  readonly odd: string;
  readonly at: number;
}
/** The product of tap k of four, whose neighbours lie apart. */
function single(outputs: readonly Output[], k: number, apart: number): readonly string[] {
  const [weight, half] = [weights[k % 2], k < 2 ? 'b' : 't'];
  return [
    ...outputs.map(({ even, at }) => `ldrsb ${even}, [${from}, #${at + k * apart}]`),
    ...outputs.map(({ sum, even }) => `smlab${half} ${sum}, ${even}, ${weight}, ${sum}`),
  ];
}

/** Products of up to four neighbouring columns of a row, for each of `count` outputs. */
function block(n: DepthwiseNest, ky: number, kx: number, word: number, count: number): readonly string[] {
  const taps = Math.min(4, n.KW - kx);
  const offset = ky * n.DY * rowBytes(n) + kx * n.DX;
  const beside = Array.from(
    { length: count },
    (_, i): Output => ({
      sum: sums[i] ?? '',
      even: parted[i]?.[0] ?? '',
      odd: parted[i]?.[1] ?? '',
      at: offset + i * n.SX,
    }),
  );
  const [w0, w1] = weights;
  if (taps === 1)
    return [
      `ldr ${w0}, [sp, #${4 * word}]`,
      ...beside.map(({ even, at }) => `ldrsb ${even}, [${from}, #${at}]`),
      ...beside.map(({ sum, even }) => `smlabb ${sum}, ${even}, ${w0}, ${sum}`),
    ];
  const both = [`ldr ${w0}, [sp, #${4 * word}]`, `ldr ${w1}, [sp, #${4 * word + 4}]`];
  if (n.DX > 1) return [...both, ...Array.from({ length: taps }, (_, k) => single(beside, k, n.DX)).flat()];
  const [first, second] = [taps >= 3 ? 'smlad' : 'smlabb', taps === 4 ? 'smlad' : 'smlabb'];
  return [
    ...both,
    ...beside.map(({ even, at }) => `ldr ${even}, [${from}, #${at}]`),
    ...beside.flatMap(({ sum, even, odd }) => [
      `sxtb16 ${odd}, ${even}, ror #8`,
      `sxtb16 ${even}, ${even}`,
      `${first} ${sum}, ${even}, ${w0}, ${sum}`,
      `${second} ${sum}, ${odd}, ${w1}, ${sum}`,
    ]),
  ];
}

/** `count` outputs, and on to the next. */
function outputs(n: DepthwiseNest, count: number): Code {
  const blocks: string[] = [];
  let word = 0;
  for (let ky = 0; ky < n.KH; ky++) {
    for (let kx = 0; kx < n.KW; kx += 4) {
      blocks.push(...block(n, ky, kx, word, count));
      word += n.KW - kx === 1 ? 1 : 2;
    }
  }
  const mine = sums.slice(0, count);
  const registers = { constants: constants.slice(0, constantRegisters(n.requantize)), temp };
  return straight(
    ...mine.map((sum) => unpark(sum, begun)),
    ...blocks,
    ...mine.flatMap((sum) => requantizeLines(n.requantize, sum, registers)),
    ...mine.map((sum, i) => storeLine(n, sum, to, i * pixelBytes(n))),
    ...advance(from, count * n.SX),
    ...advance(to, count * pixelBytes(n)),
  );
}

/** A loop that counts down in a floating-point register; `round` may use all others. */
function repeat(times: number, label: number, single: string, round: Code): Code {
  if (times <= 1) return times === 1 ? round : straight();
  const again = straight(unpark(temp, single), `subs ${temp}, #1`, park(single, temp));
  return sequence(
    straight(`movw ${temp}, #${times}`, park(single, temp)),
    rounds(times, label, sequence(round, again)),
  );
}

function rows(n: DepthwiseNest): Code {
  const row = sequence(
    straight(park(rowFrom, from), park(rowTo, to)),
    repeat(n.OW >> 1, 4, pairsLeft, outputs(n, 2)),
    n.OW % 2 === 1 ? outputs(n, 1) : straight(),
    straight(
      unpark(from, rowFrom),
      ...advance(from, n.SY * rowBytes(n)),
      unpark(to, rowTo),
      ...advance(to, n.OW * pixelBytes(n)),
    ),
  );
  return repeat(n.OH, 3, rowsLeft, row);
}

/** The weights of the next channel, from wherever they lie to the stack. */
function copyWeights(n: DepthwiseNest): readonly string[] {
  const at = slots(4 * words(n));
  const all = ['r4', 'r5', 'r6', 'r7', 'r8', 'r9', 'r10', 'r11'];
  const lines = [`ldr r2, [sp, #${at.w}]`, 'mov r3, sp'];
  for (let left = words(n); left > 0; left -= all.length) {
    const some = all.slice(0, left).join(', ');
    lines.push(`ldm r2!, {${some}}`, `stm r3!, {${some}}`);
  }
  return [...lines, `str r2, [sp, #${at.w}]`];
}

function windowCode(n: DepthwiseNest): Code {
  const area = 4 * words(n);
  const at = slots(area);
  const bias = 'r9';
  const one = sequence(
    straight(
      ...copyWeights(n),
      ...channelConstants(n, area, bias, constants, temp),
      park(begun, bias),
      `ldr ${from}, [sp, #${at.x}]`,
      `ldr ${to}, [sp, #${at.y}]`,
    ),
    rows(n),
  );
  return channels(n, area, one);
}

function requireShape(n: DepthwiseNest): void {
  need(n.zero === undefined, 'the border of x must be there');
  need(n.SX * (n.OW - 1) + loaded(n) <= n.pitch, `rows of ${n.pitch} bytes do not hold the last window`);
  const far = (n.KH - 1) * n.DY * rowBytes(n) + loaded(n) + n.SX;
  need(far <= 4095 && pixelBytes(n) <= 4095 && words(n) <= 200, 'the window is too far for an immediate offset');
  need(Math.max(n.planes, n.each, n.OH, n.OW) < 2 ** 16, 'an immediate number has 16 bits');
}

const base: Params = { H: 7, planes: 2, pitch: 12, OH: 3, OW: 3, channels: 3, KH: 5, KW: 5, form: 3, right: 9 };

/** Windows of any size; `x` is read where there is something to multiply, and up to a word's end. */
export const depthwiseWindow: Recipe = {
  name: 'depthwise_window',
  examples: [
    base,
    { ...base, KH: 2, KW: 3, OH: 6, OW: 1, form: 0, right: 8 },
    { ...base, KH: 1, KW: 7, SX: 2, OH: 7, OW: 3, form: 1, max: 100 },
    { ...base, KH: 3, KW: 1, SY: 2, OH: 3, OW: 12, form: 2, zero: -3 },
    { ...base, KH: 7, KW: 2, planes: 1, each: 2, OH: 1, OW: 8, form: 2, min: -20 },
    { ...base, KH: 4, KW: 4, planes: 1, each: 3, single: 1, SY: 3, SX: 3, OH: 2, OW: 3 },
    { ...base, KH: 3, KW: 3, DY: 2, DX: 3, OH: 3, OW: 5, form: 0 },
    { ...base, KH: 1, KW: 5, DX: 2, SX: 2, OH: 2, OW: 2, form: 1 },
    { ...base, wide: 1 },
  ],
  infer: inferDepthwise,
  make(params) {
    const n = depthwiseOf(params);
    requireShape(n);
    return depthwiseInstruction('depthwise_window', n, 'rows', {
      symbolEnd: '',
      code: () => windowCode(n),
      stackBytes: pushedBytes + 4 * words(n),
    });
  },
};

/**
 * depthwise_sweep: a group of channels of a 3x3 depthwise convolution, from planes of bytes, with bias and requantise. Its text is in
 * depthwise-sweep-asm.ts, what it shares with other depthwise kernels in depthwise-nest.ts.
 */
import { refuse } from '../program/build.ts';
import { pushedBytes } from './depthwise-frame.ts';
import { type DepthwiseNest, depthwiseInstruction, depthwiseOf, inferDepthwise, pixelBytes } from './depthwise-nest.ts';
import { beginnings, mostBeginnings, rolesOf, sweepCode } from './depthwise-sweep-asm.ts';
import type { Params, Recipe } from './instruction.ts';

function need(holds: boolean, why: string): void {
  if (!holds) refuse(`depthwise_sweep: ${why}`);
}

function requireShape(n: DepthwiseNest, unroll: number): void {
  need(n.KH === 3 && n.KW === 3, 'windows are 3x3');
  need(n.DY === 1 && n.DX === 1, 'windows are not dilated');
  need(n.SY <= 2 && n.SX <= n.SY, 'strides are 1, or 2 downwards: registers for no others');
  need(unroll >= 2 && unroll % 2 === 0 && unroll <= 8, 'rows are unrolled by an even number');
  const whole = n.OW & ~1;
  const word = Math.max(
    whole > 0 ? n.SX * (whole - 2) + (n.SX === 1 ? 4 : 5) : 0,
    n.OW % 2 === 1 ? n.SX * (n.OW - 1) + 4 : 0,
  );
  need(n.pitch % 4 === 0 && word <= n.pitch, `rows of ${n.pitch} bytes do not hold words up to ${word}`);
  need(pixelBytes(n) <= 4095, 'the next column is too far for an immediate offset');
  need(n.planes * n.each < 2 ** 16, 'an immediate number has 16 bits');
  const ended = rolesOf(n).flatMap((row) => row.filter((r) => r.ends)).length;
  need(ended === n.OH, 'some outputs see only the border of x');
  need(beginnings(n).length <= mostBeginnings, 'too many kinds of border for the registers');
}

/** Shapes with each kind of row, column and channel; params as inferDepthwise reads them. */
const base: Params = {
  H: 5,
  planes: 2,
  pitch: 8,
  OH: 5,
  OW: 5,
  channels: 3,
  KH: 3,
  KW: 3,
  top: 1,
  padded: 1,
  xZero: -7,
};
const top: Params = { form: 3, right: 9 };

export const depthwiseSweep: Recipe = {
  name: 'depthwise_sweep',
  examples: [
    { ...base, ...top },
    { ...base, H: 13, OH: 13, OW: 4, ...top, unroll: 4, xZero: 127, max: 100 },
    { ...base, H: 12, OH: 10, OW: 1, pitch: 4, top: 0, padded: 0, form: 0, right: 8 },
    { ...base, planes: 1, each: 3, single: 1, form: 1, right: 10, OW: 2, min: -100 },
    { ...base, planes: 1, each: 2, channels: 2, form: 2, zero: 5 },
    { ...base, planes: 2, each: 2, channels: 4, H: 1, OH: 1, form: 2, zero: -128 },
    { ...base, H: 16, OH: 8, OW: 3, top: 0, SY: 2, SX: 2, ...top },
    { ...base, H: 13, OH: 7, OW: 3, SY: 2, SX: 2, form: 1, right: 9 },
    { ...base, OH: 2, OW: 4, pitch: 12, top: 0, padded: 0, SY: 2, SX: 2, form: 2 },
    { ...base, H: 7, OH: 4, SY: 2, form: 0, right: 9 },
    { ...base, ...top, wide: 1 },
    { ...base, OH: 2, OW: 4, pitch: 12, top: 0, padded: 0, SY: 2, SX: 2, form: 2, wide: 1 },
    // Rows beyond the reach of an immediate offset.
    { ...base, H: 9, OH: 9, channels: 1500, planes: 1, pitch: 260, ...top },
    { ...base, H: 12, OH: 6, OW: 4, SY: 2, SX: 2, planes: 4, pitch: 1100, channels: 4, top: 0, ...top },
  ],
  infer: inferDepthwise,
  make(params) {
    const n = depthwiseOf(params);
    const { unroll = 2 } = params;
    requireShape(n, unroll);
    return depthwiseInstruction('depthwise_sweep', n, 'rolling', {
      symbolEnd: `_u${unroll}`,
      code: () => sweepCode(n, unroll),
      stackBytes: pushedBytes,
    });
  },
};

/**
 * 3x3 convolutions of stride 1 by Winograd's tiles, with the DSP extension: a quarter of the products for four times the flash, exact
 * modulo 2^32. Some tiles at a time go through input transform, sums over channels, and output transform; each filter word
 * then serves all of them.
 */
import type { Step } from '../compiler/program/index.ts';
import type { Workload } from '../compiler/workload.ts';
import { flags, has, list, number, place, placesFor, replace, requantKnob, shapeIn, shapeOut } from './steps.ts';
import type { Knobs, KnobValue, Template } from './template.ts';

/** Tiles of a region, down x across, fastest first: sums are kept of four at once, and more of them read filters less often. */
const regions: readonly string[] = ['4x4', '2x4', '1x8', '2x2', '1x4', '4x1', '1x3', '3x3', '1x2', '2x1', '1x1'];
const regionOf = (text: KnobValue | undefined): { readonly down: number; readonly across: number } => {
  const [down = 1, across = 1] = String(text).split('x').map(Number);
  return { down, across };
};
/** Pairs of channels in one stretch of the sums' code, 0: as many as are useful. Code in flash wants to be short. */
const depths = (channels: number): readonly number[] => [
  0,
  ...[8, 4].filter((d) => d < channels / 2 && (channels / 2) % d === 0),
];

export const winograd: Template = {
  name: 'winograd',
  version: 1,

  knobs(w, features) {
    if (w.op !== 'conv2d' || !has(features, 'dsp') || !has(features, 'fpu')) return undefined;
    const [[batch = 1, , , C = 1], [, OH = 1, OW = 1, N = 1]] = [shapeIn(w), shapeOut(w)];
    const plain = [...list(w, 'stride'), ...list(w, 'dilation')].every((n) => n === 1);
    if (batch !== 1 || !plain || list(w, 'kernel').some((k) => k !== 3)) return undefined;
    if (C % 4 !== 0 || N % 2 !== 0 || Math.min(OH, OW) < 2) return undefined;
    const tiles = Math.min(OH, OW) < 4 ? [2] : [4, 2];
    // Where tiles of 4 leave no choice, tiles of 2 may have some; what is too large for the others is cut to the image.
    const edge = Math.min(OH, OW) < 8 ? 2 : 4;
    const fitting = regions.filter((r) => edge * regionOf(r).down <= OH && edge * regionOf(r).across <= OW);
    return [
      { name: 'tile', values: tiles },
      { name: 'tiles', values: fitting },
      { name: 'frame', values: ['rows', 'whole'] },
      { name: 'depth', values: depths(C) },
      { name: 'requantize', values: requantKnob(w) },
      { name: 'code', values: placesFor(features).toReversed() },
      { name: 'constants', values: placesFor(features) },
      // Only what stands between the functions, and the outputs of form 'general', are left to the compiler.
      { name: 'flags', values: ['-O2', '-O3'] },
    ];
  },

  schedule: (w, k) => ({ algorithm: 'direct', steps: steps(w, k) }),
  describe: (k) =>
    `Winograd tiles of ${k.tile}x${k.tile} outputs, ${k.tiles} at a time, frame ${k.frame}, requantize ${k.requantize}, ${k.flags}`,
};

function steps(w: Workload, k: Knobs): readonly Step[] {
  const [, OH = 1, OW = 1] = shapeOut(w);
  const tile = number(k.tile);
  const { down, across } = regionOf(k.tiles);
  const form = k.requantize === 'affine' || k.requantize === 'signed' ? k.requantize : 'general';
  const [most, wide] = [Math.floor(OH / tile), Math.floor(OW / tile)];
  const constants = form === 'signed' ? { mul: 'mul', add: 'add', fix: 'fix' } : { mul: 'mul', add: 'add' };
  return [
    { primitive: 'winograd', acc: 'acc', tile, down: Math.min(down, most), across: Math.min(across, wide), form },
    // The rows of a region are framed when they are needed: less scratch, and those that two regions share are framed twice.
    ...(k.frame === 'rows' ? [{ primitive: 'computeAt', producer: 'a', buf: 'xw', at: 'ry' } as const] : []),
    replace('a', 'winograd_frame', { x: 'x', y: 'xw' }),
    replace('ti', 'winograd_input', { x: 'xw', v: 'v' }),
    replace('p', 'winograd_sums', { v: 'v', w: 'wt', s: 's' }, { depth: number(k.depth) }),
    ...(form === 'general' ? [] : [replace('yd', 'winograd_output', { s: 's', ...constants, y: 'y' })]),
    ...flags(k.flags),
    ...place('code', k.code),
    ...place('wt', k.constants),
  ];
}

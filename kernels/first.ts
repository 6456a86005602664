/**
 * Convolutions of few input channels, as networks begin with: rows are widened once with their border made real, and a window's row
 * is whole words in place (first_conv). More channels: packed.ts, conv.ts.
 */
import { columnsOf, windowWords } from '../compiler/instructions/first-conv.ts';
import type { Step } from '../compiler/program/index.ts';
import type { Workload } from '../compiler/workload.ts';
import { type ConvShape, convShape } from './conv.ts';
import {
  has,
  layOut,
  list,
  many,
  number,
  place,
  placesFor,
  planesForDepthwise,
  replace,
  requantize,
  requantizeConstants,
  requantKnob,
  split,
  upTo,
} from './steps.ts';
import type { Knobs, Template } from './template.ts';

/** Most channels of the input: with more, whole words begin at every pixel. */
const mostChannels = 4;
/** Words of weights whose sums, written out, stay with the rest of the loop in a cache of 1 KiB. */
const cachedWords = 15;

interface Shape extends ConvShape {
  readonly SX: number;
}
function shapeOf(w: Workload): Shape | undefined {
  const s = convShape(w);
  const [, SX = 1] = list(w, 'stride');
  return s === undefined || s.C > mostChannels || s.N < 2 ? undefined : { ...s, SX };
}

export const first: Template = {
  name: 'first',
  version: 1,

  knobs(w, features) {
    const s = shapeOf(w);
    if (s === undefined || !has(features, 'dsp') || !has(features, 'fpu') || w.attrs.rounding === 'single')
      return undefined;
    return [
      { name: 'block', values: blocksOf(s) },
      { name: 'pass', values: passesOf(s) },
      { name: 'strip', values: upTo(s.OH, [s.OH > 32 ? 8 : s.OH, 8, 6, 4, 2, s.OH]) },
      { name: 'requantize', values: requantKnob(w) },
      { name: 'code', values: placesFor(features) },
    ];
  },

  layouts: (w) => ({ y: planesForDepthwise(w) }),

  schedule: (w, knobs) => ({
    algorithm: 'direct',
    steps: [...layOut(w, 'y', knobs.y), ...steps(w, knobs)],
  }),
  describe: (k) =>
    `${k.block} px x 2 ch in registers, ${many(k.pass, 'row')} of the window at a time, strips of ${many(k.strip, 'row')}, requantize ${k.requantize}`,
};

/** Blocks of pixels side by side or below one another, first those that leave the fewest over. */
function blocksOf({ OH, OW, SX, C }: Shape): readonly string[] {
  const across = (SX * C) % 2 === 0 ? OW : Math.ceil(OW / 2);
  const left = (length: number, lanes: number): number => (length % lanes) / length;
  return [4, 3, 2]
    .flatMap((lanes) => [
      { text: `${lanes} across`, cost: left(across, lanes) + 4 - lanes, fits: across >= lanes },
      { text: `${lanes} down`, cost: left(OH, lanes) + 4 - lanes, fits: OH >= lanes },
    ])
    .concat({ text: '1 across', cost: 4, fits: true })
    .filter(({ fits }) => fits)
    .toSorted((a, b) => a.cost - b.cost)
    .map(({ text }) => text);
}

/** Whole passes; first the largest whose code stays in the cache. */
function passesOf(s: Shape): readonly number[] {
  const words = windowWords(s);
  const whole = Array.from({ length: s.KH }, (_, i) => s.KH - i).filter((n) => s.KH % n === 0);
  const short = whole.filter((n) => n * words <= cachedWords);
  return [...short, ...whole.filter((n) => !short.includes(n)).toReversed()].slice(0, 4);
}

function steps(w: Workload, k: Knobs): readonly Step[] {
  const s = shapeOf(w);
  if (s === undefined) return [];
  const strip = number(k.strip);
  const strips = strip < s.OH;
  const [lanes = '4', direction] = String(k.block).split(' ');
  const constants = requantizeConstants(k.requantize);
  return [
    { primitive: 'foldOffset', acc: 'acc', as: 'bias_z' },
    ...requantize(k.requantize),
    ...(strips ? [split('oy', strip, ['ys', 'yi'], 'overlap')] : []),
    {
      primitive: 'stage',
      buf: 'x',
      at: strips ? 'ys' : '',
      as: 'xw',
      loops: ['a', 'b', 'c'],
      dtype: 'i16',
      pitch: columnsOf({ ...s, P: s.OW }),
      pitchOf: 1,
    },
    replace('a', 'widen_rows', { src: 'x', dst: 'xw' }),
    replace(
      strips ? 'yi' : 'oy',
      'first_conv',
      { x: 'xw', y: 'y', w: 'w', bias: 'bias_z', ...constants },
      { lanes: Number(lanes), down: direction === 'down' ? 1 : 0, pass: number(k.pass) },
    ),
    ...place('code', k.code),
  ];
}

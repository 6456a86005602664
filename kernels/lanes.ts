/**
 * Convolutions and matrix products on CPUs without SIMD: up to eight channels' sums in five words (lane_block), over a copy of the
 * input as bytes of 0..255 with its border made real. Each pixel's window is read from that copy; no im2col.
 */
import { laneCounts } from '../compiler/instructions/sum-lanes.ts';
import type { Step } from '../compiler/program/index.ts';
import type { Workload } from '../compiler/workload.ts';
import { matrixShape } from './matrix.ts';
import {
  has,
  list,
  many,
  number,
  place,
  placesFor,
  product,
  reorder,
  replace,
  shapeIn,
  shapeOut,
  split,
} from './steps.ts';
import type { Knobs, KnobValue, Template } from './template.ts';

interface Shape {
  /** Taps of a channel, channels, pixels. */
  readonly K: number;
  readonly N: number;
  readonly P: number;
  /** Loops over pixels. */
  readonly pixels: readonly string[];
  /** Makes bytes from 0 on of the input; its border becomes real. */
  readonly copy: readonly Step[];
}
function shapeOf(w: Workload): Shape | undefined {
  const m = matrixShape(w);
  if (m !== undefined) return { ...m, pixels: ['p'], copy: matrixCopy(m.P * m.K) };
  if (w.op !== 'conv2d' || (shapeIn(w)[0] ?? 1) !== 1) return undefined;
  const [, OH = 1, OW = 1, N = 1] = shapeOut(w);
  const K = product(list(w, 'kernel')) * (shapeIn(w)[3] ?? 1);
  return { K, N, P: OH * OW, pixels: ['oy', 'ox'], copy: imageCopy(w) };
}

type Stage = Step & { readonly primitive: 'stage' };
/** A copy as bytes from 0 on; the offset goes into the bias. */
const copyOf = (more: Pick<Stage, 'loops' | 'border' | 'take'>, instruction: readonly Step[] = []): readonly Step[] => [
  { primitive: 'stage', buf: 'x', at: '', as: 'xu', dtype: 'i8', ...more },
  { primitive: 'rebase', buf: 'xu', offset: 128, dtype: 'u8' },
  { primitive: 'foldOffset', acc: 'acc', as: 'bias_u' },
  ...instruction,
];
const matrixCopy = (bytes: number): readonly Step[] =>
  copyOf({ loops: ['a', 'b'] }, bytes % 4 === 0 ? [replace('a', 'flip_bytes', { src: 'x', dst: 'xu' })] : []);
function imageCopy(w: Workload): readonly Step[] {
  const loops = ['a', 'b', 'c'];
  const [, H = 1, W = 1, C = 1] = shapeIn(w);
  const [, OH = 1, OW = 1] = shapeOut(w);
  const [kernel, stride, dilation] = [list(w, 'kernel'), list(w, 'stride'), list(w, 'dilation')];
  const [top = 0, , left = 0] = list(w, 'pad');
  const reach = (d: number, pixels: number): number =>
    (pixels - 1) * (stride[d] ?? 1) + ((kernel[d] ?? 1) - 1) * (dilation[d] ?? 1) + 1;
  if (kernel.every((k) => k === 1)) return copyOf({ loops, take: 'read' });
  if (C % 4 === 0 && reach(0, OH) >= top + H && reach(1, OW) >= left + W)
    return copyOf({ loops, border: 'inline' }, [replace('a', 'winograd_frame', { x: 'x', y: 'xu' })]);
  return copyOf({ loops, border: 'apart' });
}

/** Taps a chunk: about as many as lanes of usual weights hold, then fewer, at last all of them. */
function chunks(K: number): readonly number[] {
  const parts = Math.ceil(K / 72);
  const each = [parts, parts + 1, 2 * parts, 3 * parts, 1].map((n) => Math.ceil(K / n));
  return [...new Set(each)];
}
/** In the order of the instruction's parameter: what it has on the stack while it goes over pixels. */
const onStack: readonly string[] = ['streamed', 'on the stack', 'on the stack by chunks'];
/** Bytes of stack that a kernel takes at most: a board's call may have 8 KiB. */
const mostStack = 6800;
/** Where weights are read from: once from where they lie, then from the stack, if that has room. One pixel reads them once anyway. */
function weightPlaces({ K, P }: Shape): readonly string[] {
  const [all, chunk] = [20 * K, 20 * (chunks(K)[0] ?? K) + 32 * P];
  return [
    ...(P >= 4 && all <= mostStack ? ['on the stack'] : []),
    ...(P >= 4 && chunks(K)[0] !== K && chunk <= mostStack ? ['on the stack by chunks'] : []),
    'streamed',
  ];
}
const forms: readonly string[] = ['two', 'two signed', 'three', 'three signed'];
/** What is likely to be exact first: signs show where negative results are not all cut off, and long sums want long multipliers. */
export function formsFor(w: Workload, K: number): readonly string[] {
  const likely = `${K > 100 ? 'three' : 'two'}${w.attrs.min === w.attrs.yZero ? '' : ' signed'}`;
  return [likely, ...forms.filter((f) => f !== likely)];
}
/** The step of a form: numbers of multiplications in words. */
export const requantizeInParts = (form: KnobValue | undefined, start?: string): Step => ({
  primitive: 'requantizeParts',
  acc: 'acc',
  table: 'rq',
  parts: String(form).startsWith('three') ? 3 : 2,
  form: String(form).endsWith('signed') ? 'signed' : 'plain',
  ...(start !== undefined && { start }),
});

export const lanes: Template = {
  name: 'lanes',
  version: 1,

  knobs(w, features) {
    const s = shapeOf(w);
    if (s === undefined || has(features, 'dsp') || w.attrs.rounding === 'single') return undefined;
    return [
      { name: 'lanes', values: laneCounts.filter((n) => s.N % n === 0) },
      { name: 'chunk', values: chunks(s.K) },
      { name: 'unroll', values: [32, 16, 64, 8] },
      { name: 'weights', values: weightPlaces(s) },
      { name: 'requantize', values: formsFor(w, s.K) },
      { name: 'code', values: placesFor(features) },
      { name: 'constants', values: placesFor(features) },
    ];
  },

  schedule(w, knobs) {
    const s = shapeOf(w);
    return { algorithm: 'direct', steps: s === undefined ? [] : steps(s, knobs) };
  },

  describe: (k) =>
    `${many(k.lanes, 'sum')} in lanes of words, ${many(k.chunk, 'tap')} at a time, unrolled by ${k.unroll}, weights ${k.weights}, requantize in ${k.requantize} products`,
};

function steps(s: Shape, k: Knobs): readonly Step[] {
  const params = { chunk: number(k.chunk), unroll: number(k.unroll), copy: onStack.indexOf(String(k.weights)) };
  return [
    { primitive: 'foldOffset', acc: 'acc', as: 'bias_z' },
    ...s.copy,
    requantizeInParts(k.requantize, 'start'),
    split('o', number(k.lanes), ['oo', 'oi'], 'exact'),
    reorder('oo', ...s.pixels, 'oi'),
    replace(s.pixels[0] ?? '', 'lane_block', { x: 'xu', w: 'w', start: 'start', table: 'rq', y: 'y' }, params),
    ...place('code', k.code),
    ...place('w', k.constants),
  ];
}

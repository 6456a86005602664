/**
 * What the depthwise kernels share: the nest that they replace (a group of channels of a depthwise convolution, from planes of
 * bytes to bytes between channels), how its parameters read off it, and its plain C.
 */
import {
  add,
  buffer,
  iter,
  load,
  loadOr,
  loop,
  mul,
  num,
  program,
  refuse,
  register,
  store,
  sub,
} from '../program/build.ts';
import type { Expr, Loop, Program } from '../program/program.ts';
import type { Code } from './code.ts';
import type { AsmFunction, Instruction, Operand, Params } from './instruction.ts';
import { coefficient, constantIn, loopsOf } from './nest.ts';
import { type Tap, tapLanes } from './packings/depthwise-taps.ts';
import {
  inferRequantize,
  type Requantize,
  requantizeMeaning,
  requantizeOf,
  requantizeOperands,
  requantizePlain,
  requantizeTag,
  takesScaled,
} from './requantize-lines.ts';
import { fittingBias } from './sums-fit.ts';

export interface DepthwiseNest {
  /** Rows of x; each holds a row of every plane. */
  readonly H: number;
  readonly planes: number;
  /** Bytes of a plane's row: the columns with their border, and what rounds them up. */
  readonly pitch: number;
  /** Output channels of a plane. */
  readonly each: number;
  /** Does one plane serve all channels of a layer that has a single input channel? The nest has another form then. */
  readonly single: boolean;
  readonly OH: number;
  readonly OW: number;
  /** Channels of y: the distance between its pixels. */
  readonly channels: number;
  /** Is y int16, as a tensor that lies wide? */
  readonly wide: boolean;
  readonly KH: number;
  readonly KW: number;
  readonly SY: number;
  readonly SX: number;
  /** Rows and columns from one tap of the window to the next. */
  readonly DY: number;
  readonly DX: number;
  /** Rows of padding above x, which are not there; undefined: no window leaves x. */
  readonly top: number;
  /** What padding holds; undefined where no window leaves x. */
  readonly zero: number | undefined;
  readonly requantize: Requantize;
}

const not = (why: string): never => refuse(`no depthwise nest: ${why}`);

/** `for c: [for q:] for oy: for ox: {acc = bias; for ky: for kx: acc += x * w; y = ...}`. */
export function inferDepthwise(nest: Loop, shape: (role: string) => readonly number[]): Params {
  const [ox, oy, ...outer] = loopsOf(nest).toReversed();
  const window = ox?.body.find((s): s is Loop => s.kind === 'loop');
  const [ky, kx] = loopsOf(window);
  const sum = kx?.body[0];
  const y = ox?.body.at(-1);
  if (ox === undefined || oy === undefined || outer.length < 1 || outer.length > 2) return not('other loops');
  if (sum?.kind !== 'store' || sum.value.kind !== 'binary' || sum.value.a.kind !== 'load' || y?.kind !== 'store')
    return not('not a sum of products');
  const { index, outside } = sum.value.a;
  const [H = 1, planes = 1, pitch = 1] = shape('x');
  const single = index[1]?.kind === 'const';
  const [inner, plane] = outer;
  return {
    H,
    planes,
    pitch,
    each: single || plane !== undefined ? (inner?.extent ?? 1) : 1,
    single: single ? 1 : 0,
    OH: oy.extent,
    OW: ox.extent,
    channels: shape('y').at(-1) ?? 1,
    KH: ky?.extent ?? 1,
    KW: kx?.extent ?? 1,
    SY: coefficient(index[0], oy.iter),
    SX: coefficient(index[2], ox.iter),
    DY: coefficient(index[0], ky?.iter),
    DX: coefficient(index[2], kx?.iter),
    top: -constantIn(index[0]),
    ...(outside !== undefined && { padded: 1, xZero: outside }),
    ...inferRequantize(y.value),
  };
}

export function depthwiseOf(p: Params): DepthwiseNest {
  const { H = 1, planes = 1, pitch = 4, each = 1, OH = 1, OW = 1, channels = 1 } = p;
  const { KH = 1, KW = 1, SY = 1, SX = 1, DY = 1, DX = 1, top = 0 } = p;
  if (Math.min(H, planes, pitch, each, OH, OW, channels, KH, KW, SY, SX, DY, DX) < 1 || top < 0) not('sizes');
  const n: DepthwiseNest = {
    H,
    planes,
    pitch,
    each,
    single: p.single === 1,
    OH,
    OW,
    channels,
    wide: p.wide === 1,
    KH,
    KW,
    SY,
    SX,
    DY,
    DX,
    top,
    zero: p.padded === 1 ? p.xZero : undefined,
    requantize: requantizeOf(p, 'with offset'),
  };
  if (n.zero !== undefined && (n.zero < -128 || n.zero > 127)) not('the border is no byte');
  if (KH * KW > mostTaps) not(`${KH * KW} products a sum`);
  if (n.single && planes !== 1) not('a single channel has one plane');
  if (n.zero === undefined && (top > 0 || SY * (OH - 1) + DY * (KH - 1) >= H)) not('windows leave the rows');
  return n;
}

/** Bytes of y from one channel to the next, and from one pixel to the next. */
export const channelBytes = ({ wide }: DepthwiseNest): number => (wide ? 2 : 1);
export const pixelBytes = (n: DepthwiseNest): number => n.channels * channelBytes(n);
/** Stores a result `at` bytes from an address. */
export const storeLine = (n: DepthwiseNest, sum: string, to: string, at: number): string =>
  `str${n.wide ? 'h' : 'b'} ${sum}, [${to}, #${at}]`;
const typeOfY = ({ wide }: DepthwiseNest): 'i8' | 'i16' => (wide ? 'i16' : 'i8');
const ctypeOfY = ({ wide }: DepthwiseNest): string => (wide ? 'int16_t' : 'int8_t');

/** What the kernel computes of `x` [H, planes, pitch], `w` [KH, KW, channels] and constants a channel into `y` [OH, OW, channels]. */
function depthwiseMeaning(name: string, n: DepthwiseNest): Program {
  const [c, q, oy, ox, ky, kx] = ['c', 'q', 'oy', 'ox', 'ky', 'kx'].map(iter) as [Expr, Expr, Expr, Expr, Expr, Expr];
  const nested = n.each > 1 && !n.single;
  const out = nested ? add(mul(num(n.each), c), q) : c;
  const at = [
    sub(add(mul(num(n.SY), oy), mul(num(n.DY), ky)), num(n.top)),
    n.single ? num(0) : c,
    add(mul(num(n.SX), ox), mul(num(n.DX), kx)),
  ] as const;
  const x = n.zero === undefined ? load('x', ...at) : loadOr(n.zero, 'x', ...at);
  const pixels = loop(
    'oy',
    n.OH,
    loop(
      'ox',
      n.OW,
      register('acc'),
      store('acc', [], load('bias', out)),
      loop('ky', n.KH, loop('kx', n.KW, store('acc', [], mul(x, load('w', ky, kx, out)), '+'))),
      store('y', [oy, ox, out], requantizeMeaning(n.requantize, load('acc'), out)),
    ),
  );
  const channels = nested ? loop('c', n.planes, loop('q', n.each, pixels)) : loop('c', n.planes * n.each, pixels);
  const constants = ['bias', ...Object.keys(requantizeOperands(n.requantize))];
  return program(
    name,
    [
      buffer('x', 'i8', [n.H, n.planes, n.pitch], 'in'),
      buffer('y', typeOfY(n), [n.OH, n.OW, n.channels], 'out'),
      buffer('w', 'i8', [n.KH, n.KW, n.channels], 'const'),
      ...constants.map((role) => buffer(role, 'i32', [n.channels], 'const')),
    ],
    channels,
  );
}

/** Words of weights that a kernel of this requantise form multiplies: 256 times the values where it starts from 256 * sum. */
const scaleOf = (n: DepthwiseNest): number => (takesScaled(n.requantize) ? 256 : 1);

/** The forms 'signed' and 'general' look at the sign of a sum, or count on its size. */
const looksAtSign = ({ requantize: { form } }: DepthwiseNest): boolean => form === 'signed' || form === 'general';
/** Biases that `fittingBias` allows and so many products make sums of 24 bits. */
const mostTaps = 256;

function depthwiseOperands(n: DepthwiseNest, order: 'rows' | 'rolling'): Readonly<Record<string, Operand>> {
  const params = { rolling: order === 'rolling' ? 1 : 0, scale: scaleOf(n) };
  return {
    x: { dtype: 'i8', align: 4 },
    y: { dtype: typeOfY(n) },
    w: { dtype: 'i8', align: 4, layout: { kind: 'packed', packing: 'depthwise_taps', params } },
    bias: { dtype: 'i32', ...(looksAtSign(n) && { span: fittingBias }) },
    ...requantizeOperands(n.requantize),
  };
}
/** Roles in the order of the function's parameters. */
const depthwiseRoles = (n: DepthwiseNest): readonly string[] => [
  'x',
  'y',
  'w',
  'bias',
  ...Object.keys(requantizeOperands(n.requantize)),
];

/** Everything that the text depends on. */
function depthwiseTag(n: DepthwiseNest): string {
  const channels = `${n.planes}x${n.each}${n.single ? 's' : ''}of${n.channels}${n.wide ? 'h' : ''}`;
  const border = n.zero === undefined ? '' : `_t${n.top}z${n.zero}`.replace('-', 'm');
  return `${n.KH}x${n.KW}s${n.SY}x${n.SX}d${n.DY}x${n.DX}_${n.H}p${n.pitch}_${n.OH}x${n.OW}_${channels}${border}_${requantizeTag(n.requantize)}`;
}

/** The parameters and the plain C of the function. */
function depthwiseFunction(n: DepthwiseNest, order: 'rows' | 'rolling'): Omit<AsmFunction, 'lines'> {
  const lanes = tapLanes(n.KH, n.KW, order);
  const lane = (ky: number, kx: number): number =>
    lanes.findIndex((tap: Tap | undefined) => tap?.[0] === ky && tap[1] === kx);
  const table = Array.from({ length: n.KH * n.KW }, (_, i) => lane(Math.floor(i / n.KW), i % n.KW));
  const inside =
    n.zero === undefined ? '' : `(uint32_t)(${n.SY} * oy + ${n.DY} * ky - ${n.top}) >= ${n.H}u ? ${n.zero} : `;
  const constants = Object.keys(requantizeOperands(n.requantize));
  return {
    params: [
      'const int8_t *x',
      `${ctypeOfY(n)} *y`,
      'const uint8_t *w',
      'const int32_t *bias',
      ...constants.map((role) => `const int32_t *${role}`),
    ],
    plain: `  static const uint8_t lane[] = {${table.join(', ')}};
  int32_t c, oy, ox, ky, kx;
  for (c = 0; c < ${n.planes * n.each}; c++) {
    const int8_t *plane = x + ${n.pitch} * (c / ${n.each});
    const int16_t *taps = (const int16_t *)(const void *)w + ${lanes.length} * c;
    for (oy = 0; oy < ${n.OH}; oy++) {
      for (ox = 0; ox < ${n.OW}; ox++) {
        int32_t acc = bias[c];
        for (ky = 0; ky < ${n.KH}; ky++) {
          for (kx = 0; kx < ${n.KW}; kx++) {
            const int32_t at = ${n.planes * n.pitch} * (${n.SY} * oy + ${n.DY} * ky - ${n.top}) + ${n.SX} * ox + ${n.DX} * kx;
            acc = mt_add(acc, (${inside}plane[at]) * (taps[lane[${n.KW} * ky + kx]] / ${scaleOf(n)}));
          }
        }
        y[${n.channels} * (${n.OW} * oy + ox) + c] = (${ctypeOfY(n)})${requantizePlain(n.requantize, 'acc', 'c')};
      }
    }
  }
`,
  };
}

/** The instruction around a kernel of this nest: its name and how it reads weights, what its text and its symbol add to the nest. */
export function depthwiseInstruction(
  name: string,
  n: DepthwiseNest,
  order: 'rows' | 'rolling',
  kernel: { readonly symbolEnd: string; code(): Code; readonly stackBytes: number },
): Instruction {
  return {
    symbol: `mt_${name}_${depthwiseTag(n)}${kernel.symbolEnd}`,
    features: ['dsp', 'fpu'],
    stackBytes: kernel.stackBytes,
    get cycles() {
      return kernel.code().cycles;
    },
    meaning: depthwiseMeaning(name, n),
    operands: depthwiseOperands(n, order),
    c: (at) =>
      `${at.function}(${depthwiseRoles(n)
        .map((role) => at[role])
        .join(', ')});`,
    get function() {
      return { ...depthwiseFunction(n, order), lines: kernel.code().lines };
    },
    prelude: '',
    portable: '',
  };
}

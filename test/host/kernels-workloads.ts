/** Random small workloads with constants, of each kind that has templates. */
import { operatorOf } from '../../compiler/ops/index.ts';
import { bind, type Program } from '../../compiler/program/index.ts';
import type { Constants, Workload } from '../../compiler/workload.ts';
import { random } from './print-c-nests.ts';

export interface Sample {
  readonly workload: Workload;
  readonly program: Program;
  /** All of the operator's, by algorithm; `program` is the direct one. */
  readonly programs: Readonly<Record<string, Program>>;
}
type Random = () => number;
const int = (r: Random, lo: number, hi: number): number => lo + Math.floor(r() * (hi - lo + 1));
const pick = <T>(r: Random, values: readonly T[]): T => values[int(r, 0, values.length - 1)] as T;
const many = (r: Random, n: number, lo: number, hi: number): Int32Array =>
  Int32Array.from({ length: n }, () => int(r, lo, hi));

/** Zero points and clamps as layers have them: a fused ReLU clamps at the zero point. */
function ends(r: Random): Workload['attrs'] {
  const yZero = pick(r, [-128, -5, 11]);
  const relu = r() < 0.6;
  return {
    xZero: int(r, -128, 127),
    yZero,
    min: relu ? yZero : -128,
    max: r() < 0.8 ? 127 : yZero + 60,
    rounding: r() < 0.9 ? 'double' : 'single',
  };
}
/** Multipliers that spread outputs over the int8 range for sums of `terms` products. */
function channels(r: Random, n: number, terms: number): Constants {
  const shift = -Math.ceil(Math.log2(Math.sqrt(terms) * 40)) - 1;
  return {
    bias: many(r, n, -2000, 2000),
    mult: many(r, n, 2 ** 30, 2 ** 31 - 1),
    shift: many(r, n, shift - 1, shift + (r() < 0.1 ? 9 : 0)),
  };
}
const image = (shape: readonly number[]): Workload['inputs'] => [{ dtype: 'int8', shape }];

function finish(workload: Workload, constants: Constants): Sample {
  const naive = Object.entries(operatorOf(workload.op).programs(workload));
  const programs = Object.fromEntries(naive.map(([name, p]) => [name, bind(p, constants)]));
  return { workload, program: programs.direct as Program, programs };
}

function window(r: Random, size: number, kernel: number, stride: number): readonly [number, number, number] {
  const total = Math.max(0, (Math.ceil(size / stride) - 1) * stride + kernel - size);
  const [before, after] = size < kernel || r() < 0.7 ? [total >> 1, total - (total >> 1)] : [0, 0];
  return [before, after, Math.floor((size + before + after - kernel) / stride) + 1];
}

/** Any border, also a lopsided one, that leaves room for a window. */
function bordered(r: Random, size: number, kernel: number, stride: number): readonly [number, number, number] {
  const [before, some] = [int(r, 0, kernel - 1), int(r, 0, kernel - 1)];
  const after = Math.max(some, kernel - size - before);
  return [before, after, Math.floor((size + before + after - kernel) / stride) + 1];
}

/** A template for another kind of layer needs a line here: tests go over all of them. */
export const kinds = {
  pointwise(r: Random): Sample {
    const [H, W, K, N] = [int(r, 1, 5), int(r, 1, 4), pick(r, [4, 8, 12, 6, 5, 16]), int(r, 1, 7)];
    const attrs = { ...ends(r), kernel: [1, 1], stride: [1, 1], dilation: [1, 1], pad: [0, 0, 0, 0] };
    const workload = { op: 'conv2d', attrs, inputs: image([1, H, W, K]), outputs: image([1, H, W, N]) };
    return finish(workload, { w: many(r, N * K, -127, 127), ...channels(r, N, K) });
  },
  fullyConnected(r: Random): Sample {
    const [P, K, N] = [int(r, 1, 2), pick(r, [8, 16, 10, 7, 260, 384]), int(r, 1, 9)];
    const workload = { op: 'fully_connected', attrs: ends(r), inputs: image([P, K]), outputs: image([P, N]) };
    return finish(workload, { w: many(r, N * K, -127, 127), ...channels(r, N, K) });
  },
  /** What streaming must cut: several rows of x, depths and outputs that no group divides, weights as large as they come. */
  fullyConnectedRows(r: Random): Sample {
    const [P, K, N] = [int(r, 1, 5), pick(r, [1, 2, 3, 9, 12, 22, 50, 64, 100]), int(r, 1, 20)];
    const workload = { op: 'fully_connected', attrs: ends(r), inputs: image([P, K]), outputs: image([P, N]) };
    const extreme = r() < 0.2;
    const w = many(r, N * K, extreme ? -128 : -127, 127).map((v) => (extreme ? (v < 0 ? -128 : 127) : v));
    return finish(workload, { w, ...channels(r, N, K) });
  },
  conv(r: Random): Sample {
    const [H, W, C, N] = [int(r, 4, 7), int(r, 4, 7), pick(r, [1, 2, 3, 4, 8]), int(r, 1, 5)];
    const [KH, KW, sy, sx] = [int(r, 1, 4), int(r, 1, 4), int(r, 1, 2), int(r, 1, 2)];
    const [[top, bottom, OH], [left, right, OW]] = [window(r, H, KH, sy), window(r, W, KW, sx)];
    const attrs = { ...ends(r), kernel: [KH, KW], stride: [sy, sx], dilation: [1, 1], pad: [top, bottom, left, right] };
    const workload = { op: 'conv2d', attrs, inputs: image([1, H, W, C]), outputs: image([1, OH, OW, N]) };
    return finish(workload, { w: many(r, N * KH * KW * C, -127, 127), ...channels(r, N, KH * KW * C) });
  },
  /** What Winograd's tiles are for: 3x3 windows side by side, larger than a tile or exactly one. */
  conv3x3(r: Random): Sample {
    const [H, W, C, N] = [int(r, 4, 9), int(r, 4, 10), pick(r, [2, 4, 8]), int(r, 1, 4)];
    const [[top, bottom, OH], [left, right, OW]] = [window(r, H, 3, 1), window(r, W, 3, 1)];
    const attrs = { ...ends(r), kernel: [3, 3], stride: [1, 1], dilation: [1, 1], pad: [top, bottom, left, right] };
    const workload = { op: 'conv2d', attrs, inputs: image([1, H, W, C]), outputs: image([1, OH, OW, N]) };
    const extreme = r() < 0.3;
    const w = many(r, N * 9 * C, -128, 127).map((v) => (extreme ? (v < 0 ? -128 : 127) : v));
    return finish(workload, { w, ...channels(r, N, 9 * C) });
  },
  /** Time series and dilated windows, in numbers as large as they come. */
  convWindows(r: Random): Sample {
    const series = pick(r, ['columns', 'rows', 'none']);
    const [H, W] = [series === 'columns' ? 1 : int(r, 3, 12), series === 'rows' ? 1 : int(r, 3, 12)];
    const [C, N] = [pick(r, [1, 2, 4, 6, 12]), int(r, 1, 4)];
    const [KH, KW] = [int(r, 1, Math.min(H, 5)), int(r, 1, Math.min(W, 5))];
    const [sy, sx, dy, dx] = [
      int(r, 1, 2),
      int(r, 1, 2),
      H >= 2 * KH ? int(r, 1, 2) : 1,
      W >= 2 * KW ? int(r, 1, 2) : 1,
    ];
    const [[top, bottom, OH], [left, right, OW]] = [
      window(r, H, dy * (KH - 1) + 1, sy),
      window(r, W, dx * (KW - 1) + 1, sx),
    ];
    const attrs = {
      ...ends(r),
      kernel: [KH, KW],
      stride: [sy, sx],
      dilation: [dy, dx],
      pad: [top, bottom, left, right],
    };
    const workload = { op: 'conv2d', attrs, inputs: image([1, H, W, C]), outputs: image([1, OH, OW, N]) };
    const [extreme, least] = [r() < 0.3, r() < 0.1 ? -128 : -127];
    const w = many(r, N * KH * KW * C, least, 127).map((v) => (extreme ? (v < 0 ? least : 127) : v));
    return finish(workload, { w, ...channels(r, N, KH * KW * C) });
  },
  /** The layers that networks begin with: few channels, windows and strides that end in the middle of a word. */
  firstConv(r: Random): Sample {
    const [H, W, C, N] = [int(r, 1, 14), int(r, 1, 14), int(r, 1, 4), int(r, 2, 7)];
    const [KH, KW, sy, sx] = [int(r, 1, 5), int(r, 1, 5), int(r, 1, 3), int(r, 1, 3)];
    const [[top, bottom, OH], [left, right, OW]] = [bordered(r, H, KH, sy), bordered(r, W, KW, sx)];
    const attrs = { ...ends(r), kernel: [KH, KW], stride: [sy, sx], dilation: [1, 1], pad: [top, bottom, left, right] };
    const workload = { op: 'conv2d', attrs, inputs: image([1, H, W, C]), outputs: image([1, OH, OW, N]) };
    return finish(workload, { w: many(r, N * KH * KW * C, -127, 127), ...channels(r, N, KH * KW * C) });
  },
  depthwise(r: Random): Sample {
    const [H, W, C] = [int(r, 3, 7), int(r, 3, 7), pick(r, [4, 8, 3, 1])];
    const multiplier = r() < 0.8 ? 1 : 2;
    const [KH, KW, sy, sx] = [int(r, 1, 3), int(r, 1, 3), int(r, 1, 2), int(r, 1, 2)];
    const [[top, bottom, OH], [left, right, OW]] = [window(r, H, KH, sy), window(r, W, KW, sx)];
    const attrs = {
      ...ends(r),
      kernel: [KH, KW],
      multiplier,
      stride: [sy, sx],
      dilation: [1, 1],
      pad: [top, bottom, left, right],
    };
    const O = C * multiplier;
    const workload = { op: 'depthwise_conv2d', attrs, inputs: image([1, H, W, C]), outputs: image([1, OH, OW, O]) };
    return finish(workload, { w: many(r, O * KH * KW, -127, 127), ...channels(r, O, KH * KW) });
  },
  /** Larger images than the others: kernels that go over rows in rounds need some; and one pixel, one row, one column. */
  depthwiseRows(r: Random): Sample {
    const [H, W, C] = [pick(r, [1, 2, 5, 12, 15]), pick(r, [1, 2, 3, 5, 8, 13]), pick(r, [4, 8, 12, 6, 5, 1])];
    const multiplier = pick(r, [1, 1, 1, 1, 2, 3]);
    const [KH, KW] = pick(r, [
      [3, 3],
      [3, 3],
      [3, 3],
      [5, 5],
      [1, 7],
      [4, 1],
    ] as const);
    const [sy, sx] = pick(r, [
      [1, 1],
      [1, 1],
      [2, 2],
      [2, 2],
      [2, 1],
      [1, 2],
      [3, 3],
    ] as const);
    const dilation = pick(r, [
      [1, 1],
      [1, 1],
      [1, 1],
      [2, 1],
      [2, 3],
    ] as const);
    const [tall, wide] = [dilation[0] * (KH - 1) + 1, dilation[1] * (KW - 1) + 1];
    const border = pick(r, [window, window, bordered]);
    const [[top, bottom, OH], [left, right, OW]] = [border(r, H, tall, sy), border(r, W, wide, sx)];
    const pad = [top, bottom, left, right];
    const attrs = { ...ends(r), kernel: [KH, KW], multiplier, stride: [sy, sx], dilation, pad };
    const O = C * multiplier;
    const workload = { op: 'depthwise_conv2d', attrs, inputs: image([1, H, W, C]), outputs: image([1, OH, OW, O]) };
    return finish(workload, { w: many(r, O * KH * KW, -128, 127), ...channels(r, O, KH * KW) });
  },
  pooling(r: Random): Sample {
    const [H, W, C] = [int(r, 2, 6), int(r, 2, 6), r() < 0.5 ? int(r, 1, 9) : pick(r, [4, 8, 20, 36])];
    const [FH, FW, sy, sx] = [int(r, 1, Math.min(3, H)), int(r, 1, Math.min(3, W)), int(r, 1, 2), int(r, 1, 2)];
    const [[top, bottom, OH], [left, right, OW]] = [window(r, H, FH, sy), window(r, W, FW, sx)];
    const attrs = {
      filter: [FH, FW],
      stride: [sy, sx],
      pad: [top, bottom, left, right],
      min: -128,
      max: pick(r, [127, 60]),
    };
    const op = pick(r, ['average_pool2d', 'max_pool2d']);
    return finish({ op, attrs, inputs: image([1, H, W, C]), outputs: image([1, OH, OW, C]) }, {});
  },
  oneByte(r: Random): Sample {
    const n = int(r, 1, 40);
    const [op, to] = pick(r, [
      ['relu', 'int8'],
      ['relu6', 'int8'],
      ['leaky_relu', 'int8'],
      ['quantize', 'uint8'],
    ] as const);
    const { yZero = 0, min = 0, max = 0, rounding = 'double' } = ends(r);
    const attrs = {
      form: 'integer',
      xZero: int(r, -128, 127),
      yZero: to === 'uint8' ? 128 : yZero,
      scale: 0,
      rounding,
    };
    const limits = to === 'uint8' ? { min: 0, max: 255 } : { min, max };
    const scale = (name: string, shift: number): Constants => ({
      [`mult${name}`]: many(r, 1, 2 ** 30, 2 ** 31 - 1),
      [`shift${name}`]: Int32Array.of(shift),
    });
    const workload = {
      op,
      attrs: { ...attrs, ...limits },
      inputs: image([n]),
      outputs: [{ dtype: to, shape: [n] }],
    };
    return finish(workload, { ...scale('', int(r, -2, 2)), ...(op === 'leaky_relu' && scale('Below', int(r, -5, 0))) });
  },
  softmax(r: Random): Sample {
    const [rows, depth] = [int(r, 1, 3), int(r, 1, 9)];
    const step = 0.01 * int(r, 1, 9);
    const exp = Int32Array.from({ length: 256 }, (_, d) => Math.floor((2 ** 31 - 1) * Math.exp(-d * step)));
    const workload = { op: 'softmax', attrs: { depth }, inputs: image([rows, depth]), outputs: image([rows, depth]) };
    return finish(workload, { exp });
  },
  mean(r: Random): Sample {
    const [H, W, C] = [int(r, 1, 6), int(r, 2, 6), pick(r, [4, 8, 20, 3])];
    const axes = pick(r, [[1, 2], [2], [1], [3]]);
    const kept = [1, H, W, C].map((d, i) => (axes.includes(i) ? 1 : d));
    const attrs = { axes, xZero: int(r, -128, 127), yZero: int(r, -128, 127), rounding: pick(r, ['double', 'single']) };
    const count = axes.reduce((n, d) => n * ([1, H, W, C][d] ?? 1), 1);
    const shift = pick(r, [0, 1]) - Math.ceil(Math.log2(count));
    const scale = { mult: many(r, 1, 2 ** 30, 2 ** 31 - 1), shift: Int32Array.of(shift) };
    return finish({ op: 'mean', attrs, inputs: image([1, H, W, C]), outputs: image(kept) }, scale);
  },
  elementwise(r: Random): Sample {
    const op = pick(r, ['add', 'mul']);
    const whole = [int(r, 1, 3), int(r, 1, 4), int(r, 1, 5)];
    const other = r() < 0.6 ? whole : [1, 1, whole[2] ?? 1];
    const constant = r() < 0.3 ? 1 : -1;
    const scale = (name: string, shift: number): Constants => ({
      [`mult${name}`]: many(r, 1, 2 ** 30, 2 ** 31 - 1),
      [`shift${name}`]: Int32Array.of(shift),
    });
    const { yZero, min, max, rounding } = ends(r);
    const attrs = {
      zeros: [int(r, -128, 127), int(r, -128, 127)],
      yZero: yZero ?? 0,
      min: min ?? 0,
      max: max ?? 0,
      rounding: rounding ?? 'double',
      constant,
      shape0: whole,
      shape1: other,
    };
    const inputs = constant === 1 ? image(whole) : [...image(whole), ...image(other)];
    const values =
      constant === 1
        ? {
            x1: many(
              r,
              other.reduce((n, d) => n * d, 1),
              -128,
              127,
            ),
          }
        : {};
    const scales = op === 'add' ? { ...scale('0', -1), ...scale('1', 0), ...scale('', -18) } : scale('', -6);
    return finish({ op, attrs, inputs, outputs: image(whole) }, { ...values, ...scales });
  },
} as const;
export type Kind = keyof typeof kinds;

export const sample = (kind: Kind, seed: number): Sample => kinds[kind](random(seed));

/** AVERAGE_POOL_2D and MAX_POOL_2D, int8. The average divides by the number of real pixels, rounding halves away from zero. */
import {
  add,
  bin,
  buffer,
  clamp,
  type Expr,
  iter,
  load,
  loadOr,
  loop,
  max,
  min,
  num,
  type Program,
  program,
  register,
  type Stmt,
  store,
  sub,
} from '../program/index.ts';
import type { Workload } from '../workload.ts';
import { outExtent, tap } from './conv2d.ts';
import { activationRange } from './fixed-point.ts';
import type { Operator } from './operator.ts';
import {
  int,
  ints,
  need,
  needSameMeaning,
  needType,
  numbers,
  operand,
  operandType,
  result,
  scalar,
  text,
} from './values.ts';

type Which = 'average' | 'max';

interface Geometry {
  readonly n: number;
  readonly h: number;
  readonly w: number;
  readonly c: number;
  readonly oh: number;
  readonly ow: number;
  readonly filter: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly before: readonly [number, number];
}
function geometry(x: readonly number[], y: readonly number[], of: Pick<Workload, 'attrs'>): Geometry {
  const [n = 0, h = 0, w = 0, c = 0] = x;
  const [, oh = 0, ow = 0] = y;
  const [[fh = 0, fw = 0], [sy = 1, sx = 1], [top = 0, , left = 0]] = [
    ints(of, 'filter'),
    ints(of, 'stride'),
    ints(of, 'pad'),
  ];
  return { n, h, w, c, oh, ow, filter: [fh, fw], stride: [sy, sx], before: [top, left] };
}

function pool(which: Which): Operator {
  const name = which === 'average' ? 'average_pool2d' : 'max_pool2d';
  return {
    name,

    infer(node, [x], [y]) {
      need(x !== undefined && y !== undefined && x.shape.length === 4, `${name} needs an NHWC input`);
      const [n = 0, h = 0, w = 0, c = 0] = x.shape;
      const [[fh = 0, fw = 0], [sy = 1, sx = 1], [top = 0, bottom = 0, left = 0, right = 0]] = [
        ints(node, 'filter'),
        ints(node, 'stride'),
        ints(node, 'pad'),
      ];
      return [{ ...y, shape: [n, outExtent(h, fh, sy, 1, top, bottom), outExtent(w, fw, sx, 1, left, right), c] }];
    },

    reference(node, graph, [x]) {
      const g = geometry(operand(graph, node, 0).shape, result(graph, node).shape, node);
      const q = scalar(result(graph, node), 'the output');
      const [lo, hi] = activationRange(text(node, 'activation'), 'int8', q.scale, q.zero);
      const input = numbers(x as Int8Array);
      const out = new Int8Array(g.n * g.oh * g.ow * g.c);
      let at = 0;
      for (let b = 0; b < g.n; b++) {
        for (let oy = 0; oy < g.oh; oy++) {
          for (let ox = 0; ox < g.ow; ox++) {
            for (let c = 0; c < g.c; c++) {
              const seen: number[] = [];
              for (let fy = 0; fy < g.filter[0]; fy++) {
                for (let fx = 0; fx < g.filter[1]; fx++) {
                  const [iy, ix] = [oy * g.stride[0] - g.before[0] + fy, ox * g.stride[1] - g.before[1] + fx];
                  if (iy >= 0 && ix >= 0 && iy < g.h && ix < g.w)
                    seen.push(input[((b * g.h + iy) * g.w + ix) * g.c + c] as number);
                }
              }
              const sum = seen.reduce((s, v) => s + v, 0);
              const half = Math.floor(seen.length / 2);
              const value =
                which === 'max'
                  ? Math.max(-128, ...seen)
                  : Math.trunc((sum > 0 ? sum + half : sum - half) / seen.length);
              out[at++] = Math.max(lo, Math.min(hi, value));
            }
          }
        }
      }
      return [out];
    },

    lower(node, graph) {
      const [x, y] = [operand(graph, node, 0), result(graph, node)];
      needType(['int8'], x, y);
      needSameMeaning(x, y, 'the input');
      const q = scalar(y, 'the output');
      const [lo, hi] = activationRange(text(node, 'activation'), 'int8', q.scale, q.zero);
      const attrs = {
        filter: ints(node, 'filter'),
        stride: ints(node, 'stride'),
        pad: ints(node, 'pad'),
        min: lo,
        max: hi,
      };
      return { workload: { op: name, attrs, inputs: [operandType(x)], outputs: [operandType(y)] }, constants: {} };
    },

    programs: (w) => ({ direct: naive(which, w) }),
    macs: (w) =>
      (w.outputs[0]?.shape ?? []).reduce((k, d) => k * d, (ints(w, 'filter')[0] ?? 0) * (ints(w, 'filter')[1] ?? 0)),
  };
}

function naive(which: Which, workload: Workload): Program {
  const g = geometry(workload.inputs[0]?.shape ?? [], workload.outputs[0]?.shape ?? [], workload);
  const [batch, lead] = g.n > 1 ? [[iter('n')], [g.n]] : [[], []];
  const padded = ints(workload, 'pad').some((p) => p > 0);
  const [oy, ox, c] = [iter('oy'), iter('ox'), iter('c')];
  const index = [
    ...batch,
    tap(oy, iter('ky'), g.stride[0], 1, g.before[0]),
    tap(ox, iter('kx'), g.stride[1], 1, g.before[1]),
    c,
  ];
  const border = which === 'max' ? -128 : 0;
  const pixel = padded ? loadOr(border, 'x', ...index) : load('x', ...index);
  const taps = loop('ky', g.filter[0], loop('kx', g.filter[1], store('acc', [], pixel, which === 'max' ? 'max' : '+')));
  const value = which === 'max' ? load('acc') : average(g, padded ? 'border' : 'inside', oy, ox);
  const done: Stmt = store('y', [...batch, oy, ox, c], clamp(value, int(workload, 'min'), int(workload, 'max')));
  const body = loop(
    'oy',
    g.oh,
    loop('ox', g.ow, loop('c', g.c, register('acc'), store('acc', [], num(which === 'max' ? -128 : 0)), taps, done)),
  );
  const buffers = [
    buffer('x', 'i8', [...lead, g.h, g.w, g.c], 'in'),
    buffer('y', 'i8', [...lead, g.oh, g.ow, g.c], 'out'),
  ];
  return program(`${which}_pool2d`, buffers, g.n > 1 ? loop('n', g.n, body) : body);
}

/** acc / count, halves away from zero: (acc + sign * count/2) div count, the sign as acc >> 31 in two's complement. */
function average(g: Geometry, windows: 'border' | 'inside', oy: Expr, ox: Expr): Expr {
  const count =
    windows === 'border'
      ? bin(
          '*',
          span(oy, g.stride[0], g.before[0], g.filter[0], g.h),
          span(ox, g.stride[1], g.before[1], g.filter[1], g.w),
        )
      : num(g.filter[0] * g.filter[1]);
  const half = count.kind === 'const' ? num(Math.floor(count.value / 2)) : bin('>>', count, num(1));
  // TFLite subtracts the half at 0 too; 0 +- half truncates to 0 either way.
  const sign = bin('>>', load('acc'), num(31));
  return bin('div', add(load('acc'), sub(bin('^', half, sign), sign)), count);
}
/** How many taps of a window lie inside: min(start + k, n) - max(start, 0). */
const span = (o: Expr, stride: number, before: number, k: number, n: number): Expr => {
  const start = sub(bin('*', num(stride), o), num(before));
  return sub(min(add(start, num(k)), num(n)), max(start, num(0)));
};

export const averagePool2d = pool('average');
export const maxPool2d = pool('max');

/**
 * SOFTMAX, int8 to int8, over the last dimension (TFLite's fixed-point reference). exp() of all 256 possible differences is
 * a table made at compile time by the same arithmetic, so a row costs one pass for the maximum, one for the sum, one to divide.
 */
import { elements, type Graph, type Node } from '../graph/graph.ts';
import { rdmulh } from '../program/arithmetic.ts';
import {
  add,
  bin,
  buffer,
  clamp,
  type Expr,
  iter,
  load,
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
import { expNegative, oneOverOnePlus, quantizeMultiplier } from './fixed-point.ts';
import { type Operator, OperatorError } from './operator.ts';
import { int, need, needType, numbers, operand, operandType, result, scalar } from './values.ts';

/** Integer bits of the scaled difference and of the sum, as in TFLite. */
const diffBits = 5;
const sumBits = 12;
/** Each term is at most 2^19: more of them could leave the sum's 31 bits. */
const mostTerms = 2 ** sumBits - 1;

/** exp(scale * beta * -d) for d = 0..255, Q0.31; 0 where TFLite leaves a term out. */
function expTable(scale: number, beta: number): Int32Array {
  const real = beta * scale * 2 ** (31 - diffBits);
  // From 16 a step on, all but the largest are too far below to count: TFLite's radius is 0.
  if (real >= 2 ** 30) return Int32Array.from({ length: 256 }, (_, d) => (d === 0 ? expNegative(0) : 0));
  const { mult, shift } = quantizeMultiplier(real);
  if (shift < 0) throw new OperatorError(`softmax with beta*scale ${beta * scale} is out of range`);
  const lowest = -Math.floor(((2 ** diffBits - 1) * 2 ** (31 - diffBits)) / 2 ** shift);
  return Int32Array.from({ length: 256 }, (_, d) => (-d >= lowest ? expNegative(rdmulh(-d * 2 ** shift, mult)) : 0));
}
const roundShift12 = (e: number): number => ((e >> (sumBits - 1)) + 1) >> 1;

function tableOf(node: Node, graph: Graph): Int32Array {
  const [x, y] = [operand(graph, node, 0), result(graph, node)];
  needType(['int8'], x, y);
  const q = scalar(y, 'the output');
  const depth = x.shape.at(-1) ?? 1;
  need(depth <= mostTerms, `a softmax over ${depth} values is not supported: the sum of ${mostTerms} fits 32 bits`);
  need(q.scale === 1 / 256 && q.zero === -128, 'the output of an int8 softmax has scale 1/256 and zero point -128');
  const beta = node.attrs.beta;
  need(typeof beta === 'number' && beta > 0 && beta < 1e6, `beta ${beta} is out of range`);
  return expTable(scalar(x, 'the input').scale, beta);
}

export const softmax: Operator = {
  name: 'softmax',

  infer(_node, [x], [y]) {
    need(x !== undefined && y !== undefined && x.shape.length > 0, 'softmax needs an input');
    return [{ ...y, shape: x.shape }];
  },

  reference(node, graph, [x]) {
    const table = tableOf(node, graph);
    const depth = operand(graph, node, 0).shape.at(-1) ?? 1;
    const input = numbers(x as Int8Array);
    const out = new Int8Array(input.length);
    for (let row = 0; row < input.length; row += depth) {
      let top = -128;
      for (let i = 0; i < depth; i++) top = Math.max(top, input[row + i] as number);
      let sum = 0;
      for (let i = 0; i < depth; i++) sum += roundShift12(table[top - (input[row + i] as number)] as number);
      const headroom = Math.clz32(sum);
      const inverse = oneOverOnePlus((sum * 2 ** headroom) % 2 ** 31);
      const right = sumBits - headroom + 31 - 8;
      for (let i = 0; i < depth; i++) {
        const product = rdmulh(inverse, table[top - (input[row + i] as number)] as number);
        out[row + i] = Math.max(-128, Math.min(127, Math.floor(product / 2 ** right + 0.5) - 128));
      }
    }
    return [out];
  },

  lower(node, graph) {
    const x = operand(graph, node, 0);
    const depth = x.shape.at(-1) ?? 1;
    return {
      workload: {
        op: 'softmax',
        attrs: { depth },
        inputs: [operandType(x)],
        outputs: [operandType(result(graph, node))],
      },
      constants: { exp: tableOf(node, graph) },
    };
  },

  programs: (w) => ({ direct: naive(w) }),
  macs: (w) => 3 * elements(w.inputs[0]?.shape ?? []),
  inPlace: () => [0],
};

function naive(w: Workload): Program {
  const depth = int(w, 'depth');
  const rows = elements(w.inputs[0]?.shape ?? []) / depth;
  const r = iter('r');
  const set = (name: string, value: Expr): readonly Stmt[] => [register(name), store(name, [], value)];
  const exp = (i: string): Expr => load('exp', clamp(sub(load('top'), load('x', r, iter(i))), 0, 255));
  const newton = [0, 1, 2].flatMap((k) => {
    const error = bin('rdmulh', load(`v${k}`), sub(num(1 << 29), bin('rdmulh', load('half'), load(`v${k}`))));
    return set(`v${k + 1}`, add(load(`v${k}`), bin('<<', clamp(error, -(2 ** 29), 2 ** 29 - 1), num(2))));
  });
  // 1.0 itself saturates to the largest Q0.31: two times 2^30 - 1, plus one.
  const inverse = bin(
    '|',
    bin('<<', min(load('v3'), num(2 ** 30 - 1)), num(1)),
    clamp(sub(load('v3'), num(2 ** 30 - 1)), 0, 1),
  );
  // Rounding shift by 35 - headroom >= 1 of a value that is not negative; 32 and more give 0.
  const rounded = bin('>>', add(bin('>>', bin('rdmulh', load('inverse'), exp('i')), load('right')), num(1)), num(1));
  return program(
    'softmax',
    [
      buffer('x', 'i8', [rows, depth], 'in'),
      buffer('y', 'i8', [rows, depth], 'out'),
      buffer('exp', 'i32', [256], 'const'),
    ],
    loop(
      'r',
      rows,
      ...set('top', num(-128)),
      loop('m', depth, store('top', [], load('x', r, iter('m')), 'max')),
      ...set('sum', num(0)),
      loop('s', depth, store('sum', [], bin('>>', add(bin('>>', exp('s'), num(sumBits - 1)), num(1)), num(1)), '+')),
      ...set('headroom', { kind: 'clz', a: load('sum') }),
      ...set(
        'half',
        add(bin('>>', bin('&', bin('<<', load('sum'), load('headroom')), num(2 ** 31 - 1)), num(1)), num(2 ** 30)),
      ),
      ...set('v0', add(num(1515870810), bin('rdmulh', load('half'), num(-1010580540)))),
      ...newton,
      ...set('inverse', inverse),
      ...set('right', max(num(0), min(num(31), sub(num(sumBits + 31 - 8 - 1), load('headroom'))))),
      loop('i', depth, store('y', [r, iter('i')], clamp(sub(rounded, num(128)), -128, 127))),
    ),
  );
}

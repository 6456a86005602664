/** Operators that only move elements: reshape, squeeze, transpose, pad, concat. */

import type { DType } from '../graph/graph.ts';
import { elements, type Graph, type Node, type Tensor } from '../graph/graph.ts';
import { add } from '../program/build.ts';
import { buffer, type Expr, iter, load, loadOr, loop, num, program, type Stmt, store, sub } from '../program/index.ts';
import type { Lowered, Workload } from '../workload.ts';
import type { Operator, Value } from './operator.ts';
import {
  decode,
  emptyValue,
  int,
  ints,
  need,
  needSameMeaning,
  needType,
  numbers,
  operand,
  operandType,
  rangeOf,
  result,
  storageOf,
  stored,
} from './values.ts';

const storage = (w: Workload): ReturnType<typeof storageOf> => storageOf((w.outputs[0]?.dtype ?? 'int8') as DType);
const lowered = (op: string, node: Node, graph: Graph, attrs: Workload['attrs']): Lowered => ({
  workload: {
    op,
    attrs,
    inputs: node.inputs.map((_, i) => operandType(operand(graph, node, i))),
    outputs: [operandType(result(graph, node))],
  },
  constants: {},
});
const nest = (names: readonly string[], extents: readonly number[], inner: Stmt): Stmt =>
  names.reduceRight<Stmt>((body, n, d) => loop(n, extents[d] as number, body), inner);
/** Bytes are moved, not converted: what goes in means what comes out. */
function needOneMeaning(graph: Graph, node: Node): void {
  const y = result(graph, node);
  needType(stored, y);
  for (let i = 0; i < node.inputs.length; i++) needSameMeaning(operand(graph, node, i), y, `input ${i}`);
}

/** reshape and squeeze: the same bytes under another shape. */
function view(name: 'reshape' | 'squeeze'): Operator {
  return {
    name,
    infer(_node, [x], [y]) {
      need(
        x !== undefined && y !== undefined && elements(x.shape) === elements(y.shape),
        `[${x?.shape}] does not become [${y?.shape}]`,
      );
      need(x.dtype === y.dtype, `the input is ${x.dtype}, the output is ${y.dtype}`);
      return [y];
    },
    reference: (_node, _graph, [x]) => [(x as Int8Array).slice()],
    lower: (node, graph) => ({
      workload: {
        op: name,
        attrs: {},
        inputs: [operandType(operand(graph, node, 0))],
        outputs: [operandType(result(graph, node))],
      },
      constants: {},
    }),
    programs(w) {
      const n = elements(w.outputs[0]?.shape ?? []);
      return {
        direct: program(
          name,
          [buffer('x', storage(w), [n], 'in'), buffer('y', storage(w), [n], 'out')],
          loop('i', n, store('y', [iter('i')], load('x', iter('i')))),
        ),
      };
    },
    macs: () => 0,
    inPlace: () => [0],
  };
}
export const reshape = view('reshape');
export const squeeze = view('squeeze');

export const transpose: Operator = {
  name: 'transpose',
  infer(node, [x], [y]) {
    const perm = ints(node, 'perm');
    need(
      x !== undefined &&
        y !== undefined &&
        perm.length === x.shape.length &&
        [...perm].sort((a, b) => a - b).every((p, i) => p === i),
      `perm [${perm}] is no permutation of ${x?.shape.length} dimensions`,
    );
    return [{ ...y, shape: perm.map((p) => x.shape[p] as number) }];
  },
  reference(node, graph, [x]) {
    const shape = operand(graph, node, 0).shape;
    const perm = ints(node, 'perm');
    const strides = shape.map((_, d) => elements(shape.slice(d + 1)));
    const whole = perm.map((p) => shape[p] as number);
    return [
      gather(x as Value, result(graph, node).dtype, whole, (at) =>
        perm.reduce((sum, p, d) => sum + (strides[p] as number) * (at[d] as number), 0),
      ),
    ];
  },
  lower(node, graph) {
    needOneMeaning(graph, node);
    return lowered('transpose', node, graph, { perm: ints(node, 'perm') });
  },
  programs(w) {
    const [x = [], y = []] = [w.inputs[0]?.shape, w.outputs[0]?.shape];
    const perm = ints(w, 'perm');
    const names = y.map((_, d) => `i${d}`);
    const index = x.map((_, d) => iter(`i${perm.indexOf(d)}`));
    return {
      direct: program(
        'transpose',
        [buffer('x', storage(w), x, 'in'), buffer('y', storage(w), y, 'out')],
        nest(names, y, store('y', names.map(iter), load('x', ...index))),
      ),
    };
  },
  macs: () => 0,
};

/** Elements of a new value, each from a place of the old one. */
function gather(
  x: Value,
  dtype: DType,
  shape: readonly number[],
  from: (at: readonly number[]) => number | undefined,
  fill = 0,
): Value {
  const source = numbers(x);
  const out = emptyValue(dtype, elements(shape));
  const at = shape.map(() => 0);
  for (let i = 0; i < out.length; i++) {
    const place = from(at);
    const v = place === undefined ? fill : (source[place] as number);
    if (out instanceof BigInt64Array) out[i] = BigInt(v);
    else out[i] = v;
    for (let d = shape.length - 1; d >= 0; d--) {
      at[d] = (at[d] as number) + 1;
      if ((at[d] as number) < (shape[d] as number)) break;
      at[d] = 0;
    }
  }
  return out;
}

export const pad: Operator = {
  name: 'pad',
  infer(node, [x], [y]) {
    const pads = ints(node, 'pads');
    need(
      x !== undefined && y !== undefined && pads.length === 2 * x.shape.length && pads.every((p) => p >= 0),
      `pads [${pads}] do not fit ${x?.shape.length} dimensions`,
    );
    return [{ ...y, shape: x.shape.map((d, i) => d + (pads[2 * i] as number) + (pads[2 * i + 1] as number)) }];
  },
  reference(node, graph, [x]) {
    const shape = operand(graph, node, 0).shape;
    const pads = ints(node, 'pads');
    const strides = shape.map((_, d) => elements(shape.slice(d + 1)));
    const from = (at: readonly number[]): number | undefined => {
      const inner = at.map((a, d) => a - (pads[2 * d] as number));
      if (inner.some((a, d) => a < 0 || a >= (shape[d] as number))) return undefined;
      return inner.reduce((sum, a, d) => sum + a * (strides[d] as number), 0);
    };
    return [gather(x as Value, result(graph, node).dtype, result(graph, node).shape, from, int(node, 'value'))];
  },
  lower(node, graph) {
    needOneMeaning(graph, node);
    const [lo, hi] = rangeOf(result(graph, node).dtype);
    need(
      int(node, 'value') >= lo && int(node, 'value') <= hi,
      `a padding of ${int(node, 'value')} does not fit its type`,
    );
    return lowered('pad', node, graph, {
      pads: ints(node, 'pads'),
      value: int(node, 'value'),
    });
  },
  programs(w) {
    const [x = [], y = []] = [w.inputs[0]?.shape, w.outputs[0]?.shape];
    const pads = ints(w, 'pads');
    const names = y.map((_, d) => `i${d}`);
    const index = names.map((n, d): Expr => sub(iter(n), num(pads[2 * d] as number)));
    return {
      direct: program(
        'pad',
        [buffer('x', storage(w), x, 'in'), buffer('y', storage(w), y, 'out')],
        nest(names, y, store('y', names.map(iter), loadOr(int(w, 'value'), 'x', ...index))),
      ),
    };
  },
  macs: () => 0,
};

export const concat: Operator = {
  name: 'concat',
  infer(node, inputs, [y]) {
    const axis = int(node, 'axis');
    const [first] = inputs;
    need(
      first !== undefined && y !== undefined && axis >= 0 && axis < first.shape.length,
      `axis ${axis} is out of range`,
    );
    for (const t of inputs)
      need(
        t !== undefined &&
          t.shape.length === first.shape.length &&
          t.shape.every((d, i) => i === axis || d === first.shape[i]),
        'the shapes differ beside the axis',
      );
    const along = inputs.reduce((n, t) => n + (t?.shape[axis] ?? 0), 0);
    return [{ ...y, shape: first.shape.map((d, i) => (i === axis ? along : d)) }];
  },
  reference(node, graph, inputs) {
    const axis = int(node, 'axis');
    const y = result(graph, node);
    const outer = elements(y.shape.slice(0, axis));
    const inner = node.inputs.map((_, i) => elements(operand(graph, node, i).shape.slice(axis)));
    const out = emptyValue(y.dtype, elements(y.shape));
    let at = 0;
    for (let o = 0; o < outer; o++) {
      inputs.forEach((v, i) => {
        const n = inner[i] as number;
        out.set((v as Int8Array).subarray(o * n, (o + 1) * n) as never, at);
        at += n;
      });
    }
    return [out];
  },
  lower(node, graph) {
    needOneMeaning(graph, node);
    need(
      node.attrs.activation === undefined || node.attrs.activation === 'none',
      'concat with an activation is not supported',
    );
    const axis = int(node, 'axis');
    const tensors = node.inputs.map((_, i) => operand(graph, node, i));
    const constant = tensors.flatMap((t, i) => (t.data === undefined ? [] : [i]));
    need(
      constant.length === 0 || result(graph, node).dtype !== 'float32',
      'concat of float constants is not supported',
    );
    return {
      workload: {
        op: 'concat',
        attrs: { axis, constant, extents: tensors.map((t) => t.shape[axis] ?? 1) },
        inputs: tensors.filter((t) => t.data === undefined).map(operandType),
        outputs: [operandType(result(graph, node))],
      },
      constants: Object.fromEntries(
        constant.map((i) => [`x${i}`, Int32Array.from(numbers(decode(tensors[i] as Tensor) as Value))]),
      ),
    };
  },
  programs(w) {
    const axis = int(w, 'axis');
    const y = w.outputs[0]?.shape ?? [];
    const [outer, inner] = [elements(y.slice(0, axis)), elements(y.slice(axis + 1))];
    const widths = ints(w, 'extents').map((n) => n * inner);
    let start = 0;
    const copies = widths.map((n, k): Stmt => {
      const copy = loop(
        `o${k}`,
        outer,
        loop(
          `i${k}`,
          n,
          store('y', [iter(`o${k}`), add(iter(`i${k}`), num(start))], load(`x${k}`, iter(`o${k}`), iter(`i${k}`))),
        ),
      );
      start += n;
      return copy;
    });
    const constant = ints(w, 'constant');
    const inputs = widths.map((n, k) => buffer(`x${k}`, storage(w), [outer, n], constant.includes(k) ? 'const' : 'in'));
    const out = buffer('y', storage(w), [outer, elements(y.slice(axis))], 'out');
    return { direct: program('concat', [...inputs, out], ...copies) };
  },
  macs: () => 0,
};

/** Operators whose output is their input under another shape: planned as aliases, never run. */
export const viewOps: ReadonlySet<string> = new Set(['reshape', 'squeeze']);

/** FULLY_CONNECTED, int8; weights (O, I); every leading dimension of the input is a row. */
import { elements } from '../graph/graph.ts';
import { multiplyQuantized } from '../program/arithmetic.ts';
import { matrixProduct } from './conv2d.ts';
import { macAttrs, macOf } from './mac.ts';
import type { Operator } from './operator.ts';
import { need, numbers, operand, operandType, result } from './values.ts';

export const fullyConnected: Operator = {
  name: 'fully_connected',

  infer(node, [x, w], [y]) {
    need(x !== undefined && w !== undefined && y !== undefined, 'fully_connected needs input, weights and output');
    const [o = 0, i = 0] = w.shape;
    need(
      w.shape.length === 2 && elements(x.shape) % i === 0,
      `an input of [${x.shape}] does not fall into rows of ${i}`,
    );
    const rows = elements(x.shape) / i;
    return [{ ...y, shape: node.attrs.keepDims === true ? [...x.shape.slice(0, -1), o] : [rows, o] }];
  },

  reference(node, graph, [x, w], { rounding }) {
    const [n = 0, k = 0] = operand(graph, node, 1).shape;
    const m = macOf(node, graph, 0, rounding, 'float32');
    const input = numbers(x as Int8Array);
    const weights = numbers(w as Int8Array);
    const { bias, mult, shift } = m.constants as Record<'bias' | 'mult' | 'shift', Int32Array>;
    const rows = input.length / k;
    const out = new Int8Array(rows * n);
    for (let r = 0; r < rows; r++) {
      for (let o = 0; o < n; o++) {
        let acc = bias[o] as number;
        for (let i = 0; i < k; i++) acc += ((input[r * k + i] as number) - m.xZero) * (weights[o * k + i] as number);
        const q = multiplyQuantized(acc | 0, mult[o] as number, shift[o] as number, rounding) + m.yZero;
        out[r * n + o] = Math.max(m.min, Math.min(m.max, q));
      }
    }
    return [out];
  },

  lower(node, graph, { rounding }) {
    const [n = 0, k = 0] = operand(graph, node, 1).shape;
    const m = macOf(node, graph, 0, rounding, 'float32');
    const rows = elements(operand(graph, node, 0).shape) / k;
    return {
      workload: {
        op: 'fully_connected',
        attrs: macAttrs(m),
        inputs: [{ ...operandType(operand(graph, node, 0)), shape: [rows, k] }],
        outputs: [{ ...operandType(result(graph, node)), shape: [rows, n] }],
      },
      constants: m.constants,
    };
  },

  programs(w) {
    const [p = 0, k = 0] = w.inputs[0]?.shape ?? [];
    return { direct: matrixProduct(w, p, k, w.outputs[0]?.shape[1] ?? 0) };
  },

  macs: (w) => elements(w.inputs[0]?.shape ?? []) * (w.outputs[0]?.shape[1] ?? 0),
};

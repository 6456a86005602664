/** Every operator. To add one: copy rescale.ts, list it here, give the importer its line (docs/adding.md). */
import { conv2d } from './conv2d.ts';
import { depthwiseConv2d } from './depthwise_conv2d.ts';
import { addOp, mulOp } from './elementwise.ts';
import { fullyConnected } from './fully_connected.ts';
import { leakyRelu } from './leaky_relu.ts';
import { mean } from './mean.ts';
import { concat, pad, reshape, squeeze, transpose } from './movement.ts';
import type { Operator } from './operator.ts';
import { averagePool2d, maxPool2d } from './pool2d.ts';
import { dequantizeOp, quantizeOp, relu, relu6 } from './rescale.ts';
import { softmax } from './softmax.ts';

const list: readonly Operator[] = [
  conv2d,
  depthwiseConv2d,
  fullyConnected,
  averagePool2d,
  maxPool2d,
  addOp,
  mulOp,
  mean,
  softmax,
  relu,
  relu6,
  leakyRelu,
  quantizeOp,
  dequantizeOp,
  reshape,
  squeeze,
  transpose,
  pad,
  concat,
];

export const operators: Readonly<Record<string, Operator>> = Object.fromEntries(list.map((o) => [o.name, o]));

/** The operator of that name. Throws for an unknown one: importers only make known nodes. */
export function operatorOf(name: string): Operator {
  const found = operators[name];
  if (found === undefined) throw new Error(`no operator ${name}`);
  return found;
}
export { viewOps } from './movement.ts';

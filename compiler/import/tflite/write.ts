/**
 * Graph -> TFLite file: the inverse of read.ts, for tests and for models made here. Tensors keep their numbers; operands
 * that the graph holds as attributes (paddings, axes, permutations) become constants behind them.
 */
import type { Graph, Node, Tensor } from '../../graph/graph.ts';
import { int, ints, text as textAttr } from '../../ops/values.ts';
import {
  bytes,
  type Field,
  f32,
  f32s,
  type Item,
  i8,
  i32,
  i32s,
  i64s,
  table,
  tables,
  text,
  writeFlatbuffer,
} from './flatbuffer-writer.ts';
import {
  activations,
  type BuiltinName,
  buffer,
  builtins,
  dtypes,
  fileIdentifier,
  model,
  operator,
  operatorCode,
  quantization,
  subgraph,
  tensor,
} from './schema.ts';

/** How a node is written: its name in the file, options by field number, operands that come after its inputs. */
interface Written {
  readonly name: BuiltinName;
  readonly options: Readonly<Record<number, Field>>;
  readonly extra?: readonly Tensor[];
}

/** The model as a .tflite file. Throws for what the format cannot say (a padding that is neither SAME nor VALID). */
export function writeTflite(graph: Graph): Uint8Array {
  const written = graph.nodes.map((node) => writers[node.op]?.(node, graph) ?? unknown(node));
  const names = [...new Set(written.map((w) => w.name))];
  const tensors = [...graph.tensors];
  const operators = graph.nodes.map((node, i) => {
    const { name, options, extra = [] } = written[i] as Written;
    const added = extra.map((t) => tensors.push(t) - 1);
    return table({
      [operator.code]: i32(names.indexOf(name)),
      [operator.inputs]: i32s([...withoutAbsentTail(node.inputs), ...added]),
      [operator.outputs]: i32s(node.outputs),
      ...(builtins[name].options > 0 && {
        [operator.optionsType]: i8(builtins[name].options),
        [operator.options]: table(options),
      }),
    });
  });
  const constants = tensors.filter((t) => t.data !== undefined);
  const main = table({
    [subgraph.tensors]: tables(tensors.map((t) => tensorItem(t, constants.indexOf(t) + 1))),
    [subgraph.inputs]: i32s(graph.inputs),
    [subgraph.outputs]: i32s(graph.outputs),
    [subgraph.operators]: tables(operators),
    [subgraph.name]: text('main'),
  });
  const root = table({
    [model.version]: i32(3),
    [model.operatorCodes]: tables(names.map(codeItem)),
    [model.subgraphs]: tables([main]),
    [model.description]: text(graph.name),
    // Buffer 0 is empty by convention: tensors without a value name it.
    [model.buffers]: tables([
      table({}),
      ...constants.map((t) => table({ [buffer.data]: bytes(t.data ?? new Uint8Array()) })),
    ]),
  });
  return writeFlatbuffer(root, fileIdentifier);
}

/** An absent last operand is left out: some kernels of TFLite take a -1 there for an operand that is missing by mistake. */
const withoutAbsentTail = (ids: readonly number[]): readonly number[] =>
  ids.slice(0, ids.findLastIndex((id) => id >= 0) + 1);

const unknown = (node: Node): never => {
  throw new Error(`no TFLite operator for ${node.op}`);
};

const codeItem = (name: BuiltinName): Item =>
  table({
    [operatorCode.deprecatedCode]: i8(Math.min(127, builtins[name].code)),
    [operatorCode.version]: i32(builtins[name].version),
    [operatorCode.code]: i32(builtins[name].code),
  });

function tensorItem(t: Tensor, bufferNumber: number): Item {
  const type = [...dtypes].find(([, dtype]) => dtype === t.dtype)?.[0] ?? 0;
  return table({
    [tensor.shape]: i32s(t.shape),
    [tensor.type]: i8(type),
    [tensor.buffer]: i32(bufferNumber),
    [tensor.name]: text(t.name),
    ...(t.quant !== undefined && {
      [tensor.quantization]: table({
        [quantization.scale]: f32s(t.quant.scale),
        [quantization.zeroPoint]: i64s(t.quant.zeroPoint),
        [quantization.axis]: i32(t.quant.axis),
      }),
    }),
  });
}

const constantI32 = (name: string, shape: readonly number[], values: readonly number[]): Tensor => ({
  name,
  dtype: 'int32',
  shape,
  data: new Uint8Array(Int32Array.from(values).buffer),
});
const operandOf = (graph: Graph, node: Node, i: number): Tensor => {
  const t = graph.tensors[node.inputs[i] ?? -1];
  if (t === undefined) throw new Error(`${node.op} has no operand ${i}`);
  return t;
};
const fused = (node: Node): Field => i8(activations.indexOf(textAttr(node, 'activation')));

/** 0 (SAME) or 1 (VALID): whichever gives these pads. */
function paddingCode(node: Node, graph: Graph, kernel: readonly number[], dilation: readonly number[]): Field {
  const [pad, stride] = [ints(node, 'pad'), ints(node, 'stride')];
  if (pad.every((p) => p === 0)) return i8(1);
  const shape = operandOf(graph, node, 0).shape;
  const same = [0, 1].flatMap((d) => {
    const [n, st] = [shape[d + 1] ?? 0, stride[d] ?? 1];
    const reach = (dilation[d] ?? 1) * ((kernel[d] ?? 1) - 1) + 1;
    const total = Math.max(0, (Math.ceil(n / st) - 1) * st + reach - n);
    return [Math.floor(total / 2), total - Math.floor(total / 2)];
  });
  if (same.some((p, i) => p !== pad[i])) throw new Error(`${node.op}: padding [${pad}] is neither SAME nor VALID`);
  return i8(0);
}

function convolution(name: 'CONV_2D' | 'DEPTHWISE_CONV_2D', node: Node, graph: Graph): Written {
  const [sy = 1, sx = 1] = ints(node, 'stride');
  const [dy = 1, dx = 1] = ints(node, 'dilation');
  const code = paddingCode(node, graph, operandOf(graph, node, 1).shape.slice(1, 3), [dy, dx]);
  const start = { 0: code, 1: i32(sx), 2: i32(sy) };
  return name === 'CONV_2D'
    ? { name, options: { ...start, 3: fused(node), 4: i32(dx), 5: i32(dy) } }
    : { name, options: { ...start, 3: i32(int(node, 'multiplier')), 4: fused(node), 5: i32(dx), 6: i32(dy) } };
}

function pool(name: 'AVERAGE_POOL_2D' | 'MAX_POOL_2D', node: Node, graph: Graph): Written {
  const [sy = 1, sx = 1] = ints(node, 'stride');
  const [fh = 1, fw = 1] = ints(node, 'filter');
  const code = paddingCode(node, graph, [fh, fw], [1, 1]);
  return { name, options: { 0: code, 1: i32(sx), 2: i32(sy), 3: i32(fw), 4: i32(fh), 5: fused(node) } };
}

/** PAD fills with zero; any other fill is PADV2 with the value as an operand. */
function padding(node: Node, graph: Graph): Written {
  const x = operandOf(graph, node, 0);
  const [value, pads] = [int(node, 'value'), ints(node, 'pads')];
  const list = constantI32(`${x.name}/paddings`, [pads.length / 2, 2], pads);
  if (value === (x.quant?.zeroPoint[0] ?? 0)) return { name: 'PAD', options: {}, extra: [list] };
  const data = x.dtype === 'float32' ? new Uint8Array(Float32Array.of(value).buffer) : Uint8Array.of(value);
  if (x.dtype !== 'int8' && x.dtype !== 'uint8' && x.dtype !== 'float32')
    throw new Error(`pad: a fill of type ${x.dtype} cannot be written`);
  const fill: Tensor = { ...x, name: `${x.name}/fill`, shape: [1], data };
  return { name: 'PADV2', options: {}, extra: [list, fill] };
}

const plain = (name: BuiltinName) => (): Written => ({ name, options: {} });

/** Operator -> how it is written; the counterpart of `importers`. */
const writers: Readonly<Record<string, (node: Node, graph: Graph) => Written>> = {
  conv2d: (node, graph) => convolution('CONV_2D', node, graph),
  depthwise_conv2d: (node, graph) => convolution('DEPTHWISE_CONV_2D', node, graph),
  fully_connected: (node) => ({
    name: 'FULLY_CONNECTED',
    options: { 0: fused(node), 2: i8(node.attrs.keepDims === true ? 1 : 0) },
  }),
  average_pool2d: (node, graph) => pool('AVERAGE_POOL_2D', node, graph),
  max_pool2d: (node, graph) => pool('MAX_POOL_2D', node, graph),
  add: (node) => ({ name: 'ADD', options: { 0: fused(node) } }),
  mul: (node) => ({ name: 'MUL', options: { 0: fused(node) } }),
  reshape: (node) => ({ name: 'RESHAPE', options: { 0: i32s(ints(node, 'shape')) } }),
  squeeze: (node) => ({ name: 'SQUEEZE', options: { 0: i32s(ints(node, 'axes')) } }),
  softmax: (node) => ({ name: 'SOFTMAX', options: { 0: f32(int(node, 'beta')) } }),
  pad: padding,
  mean(node) {
    const axes = ints(node, 'axes');
    const keep = i8(node.attrs.keepDims === true ? 1 : 0);
    return { name: 'MEAN', options: { 0: keep }, extra: [constantI32('axes', [axes.length], axes)] };
  },
  relu: plain('RELU'),
  relu6: plain('RELU6'),
  leaky_relu: (node) => ({ name: 'LEAKY_RELU', options: { 0: f32(int(node, 'alpha')) } }),
  transpose(node) {
    const perm = ints(node, 'perm');
    return { name: 'TRANSPOSE', options: {}, extra: [constantI32('permutation', [perm.length], perm)] };
  },
  concat: (node) => ({ name: 'CONCATENATION', options: { 0: i32(int(node, 'axis')), 1: fused(node) } }),
  quantize: plain('QUANTIZE'),
  dequantize: plain('DEQUANTIZE'),
};

/** Bad models: what is said about each. The whole text is here, so that it can be judged: what, where, and what to do. */
import { describe, expect, test } from 'vitest';
import type { Graph, Node, Tensor } from '../../compiler/graph/graph.ts';
import { importModel } from '../../compiler/import/index.ts';
import {
  bytes,
  i8,
  i32,
  i32s,
  table,
  tables,
  text,
  writeFlatbuffer,
} from '../../compiler/import/tflite/flatbuffer-writer.ts';
import { model, operator, operatorCode, subgraph, tensor } from '../../compiler/import/tflite/schema.ts';
import { writeTflite } from '../../compiler/import/tflite/write.ts';

const q = (scale: number, zero = 0) => ({ scale: [scale], zeroPoint: [zero], axis: 0 });
/** What a case changes of a tensor; undefined takes a part away. */
type Change = { readonly [K in keyof Tensor]?: Tensor[K] | undefined };
const t = (name: string, over: Change = {}): Tensor => {
  const all: Change = { name, dtype: 'int8', shape: [1, 4], quant: q(0.5), ...over };
  return Object.fromEntries(Object.entries(all).filter(([, v]) => v !== undefined)) as unknown as Tensor;
};
const zeros = (n: number): Uint8Array => new Uint8Array(n);
const node = (op: string, attrs: Node['attrs'], inputs: readonly number[], output: number): Node => ({
  op,
  attrs,
  inputs,
  outputs: [output],
  source: { index: 0, name: op },
});

/** relu of one tensor, as a file; `over` changes input and output. */
const unary = (x: Change, y: Change = x, op = 'relu'): Uint8Array =>
  writeTflite({
    name: 'm',
    tensors: [t('x', x), t('y', y)],
    nodes: [node(op, {}, [0], 1)],
    inputs: [0],
    outputs: [1],
  });

/** x [1,4] times w [2,4] plus bias, with some tensors changed. */
function dense(over: { readonly [N in 'x' | 'w' | 'b' | 'y']?: Change }, inputs: readonly number[] = [0]): Uint8Array {
  const graph: Graph = {
    name: 'm',
    tensors: [
      t('x', over.x),
      t('w', { shape: [2, 4], data: zeros(8), ...over.w }),
      t('b', { dtype: 'int32', shape: [2], data: zeros(8), quant: q(0.25), ...over.b }),
      t('y', { shape: [1, 2], ...over.y }),
    ],
    nodes: [node('fully_connected', { activation: 'none', keepDims: false }, [0, 1, 2], 3)],
    inputs,
    outputs: [3],
  };
  return writeTflite(graph);
}

/** A model of operators given by number, each from tensor 0 to tensor 1; enough to be refused. */
function coded(
  codes: readonly { readonly number: number; readonly custom?: string }[],
  { subgraphs = 1, type = 9 } = {},
): Uint8Array {
  const plain = (name: string) =>
    table({ [tensor.shape]: i32s([1, 4]), [tensor.type]: i8(type), [tensor.name]: text(name) });
  const main = table({
    [subgraph.tensors]: tables([plain('x'), plain('y')]),
    [subgraph.inputs]: i32s([0]),
    [subgraph.outputs]: i32s([1]),
    [subgraph.operators]: tables(
      codes.map((_, i) =>
        table({ [operator.code]: i32(i), [operator.inputs]: i32s([0]), [operator.outputs]: i32s([1]) }),
      ),
    ),
  });
  const list = codes.map((c) =>
    table({
      [operatorCode.code]: i32(c.number),
      ...(c.custom !== undefined && { [operatorCode.customCode]: text(c.custom) }),
    }),
  );
  const root = {
    [model.version]: i32(3),
    [model.operatorCodes]: tables(list),
    [model.subgraphs]: tables(Array.from({ length: subgraphs }, () => main)),
    [model.buffers]: tables([table({ 0: bytes(zeros(0)) })]),
  };
  return writeFlatbuffer(table(root), 'TFL3');
}

/** A good model whose first offset leads away. */
function derailed(): Uint8Array {
  const file = dense({});
  new DataView(file.buffer).setUint32(0, 0x7fffffff, true);
  return file;
}

const float: Change = { dtype: 'float32', quant: undefined };
const int16: Change = { dtype: 'int16' };
const supported =
  'Supported: ADD, AVERAGE_POOL_2D, CONCATENATION, CONV_2D, DEPTHWISE_CONV_2D, DEQUANTIZE, FULLY_CONNECTED, LEAKY_RELU, MAX_POOL_2D, MEAN, MUL, PAD, PADV2, QUANTIZE, RELU, RELU6, RESHAPE, SOFTMAX, SQUEEZE, TRANSPOSE. Replace or remove the layer and convert again';
const cases: Readonly<Record<string, readonly [Uint8Array, string]>> = {
  'an empty file': [zeros(0), 'MODEL_UNKNOWN_FORMAT the file is empty; formats that are read: TFLite'],
  'a text file': [
    new TextEncoder().encode('import tensorflow as tf\n'),
    'MODEL_UNKNOWN_FORMAT the file is text, not a model; formats that are read: TFLite',
  ],
  'a Keras file': [
    Uint8Array.of(0x89, 0x48, 0x44, 0x46, 13, 10, 26, 10),
    'MODEL_UNKNOWN_FORMAT the file is HDF5 (a Keras .h5 file?): convert it with tf.lite.TFLiteConverter; formats that are read: TFLite',
  ],
  'a zip archive': [
    Uint8Array.of(0x50, 0x4b, 3, 4, 20, 0, 0, 0, 8),
    'MODEL_UNKNOWN_FORMAT the file is a zip archive (.keras? PyTorch? an archive of the model?): export or unpack it first; formats that are read: TFLite',
  ],
  'random bytes': [
    Uint8Array.of(1, 2, 3, 0, 250),
    'MODEL_UNKNOWN_FORMAT the file is 5 bytes of no known format ("TFL3" stands at byte 4 of a .tflite file); formats that are read: TFLite',
  ],
  'an ONNX file': [
    Uint8Array.of(8, 7, 18, 7, 112, 121, 116, 111, 114, 99, 104, 26, 5),
    'MODEL_UNKNOWN_FORMAT the file is perhaps ONNX: convert it to .tflite with full int8 quantization first; formats that are read: TFLite',
  ],
  'a file that is cut off': [
    dense({}).subarray(0, 300),
    'MODEL_CORRUPT the file is cut off or damaged: a 32-bit value lies outside the file at byte 728',
  ],
  'an offset out of the file': [
    derailed(),
    'MODEL_CORRUPT the file is cut off or damaged: a 32-bit value lies outside the file at byte 2147483647',
  ],
  'one unsupported operator': [
    coded([{ number: 16 }]),
    `OP_UNSUPPORTED not supported: LSTM (operator 0, byte 256). ${supported}`,
  ],
  'many unsupported operators': [
    coded([{ number: 114 }, { number: 67 }, { number: 32, custom: 'TFLite_Detection_PostProcess' }, { number: 201 }]),
    `OP_UNSUPPORTED not supported: TRANSPOSE_CONV (operator 1, byte 424), CUSTOM "TFLite_Detection_PostProcess" (operator 2, byte 468), BUILTIN 201 (operator 3, byte 512). ${supported}`,
  ],
  'two subgraphs': [
    coded([{ number: 19 }], { subgraphs: 2 }),
    'OP_UNSUPPORTED the model has 2 subgraphs (control flow); convert it without while/if',
  ],
  'a float model': [
    dense({ x: float, w: { ...float, data: zeros(32) }, b: { ...float, data: zeros(8) }, y: float }),
    'TYPE_UNSUPPORTED FULLY_CONNECTED (operator 0, byte 396): operands of type float32 are not supported, int8 is; convert the model with full int8 quantization',
  ],
  'a float activation': [
    unary(float),
    'TYPE_UNSUPPORTED RELU (operator 0, byte 284): operands of type float32 are not supported, int8, uint8, int16 are; convert the model with full int8 quantization',
  ],
  'an int16 model': [
    dense({ x: int16, y: int16 }),
    'TYPE_UNSUPPORTED FULLY_CONNECTED (operator 0, byte 640): operands of type int16 are not supported, int8 is',
  ],
  'a type that is not read': [
    coded([{ number: 19 }], { type: 1 }),
    'TYPE_UNSUPPORTED tensor 0 "x" (byte 136) has type FLOAT16; convert the model with full int8 quantization',
  ],
  'a boolean input': [
    unary({ dtype: 'bool', quant: undefined }, {}, 'quantize'),
    'TYPE_UNSUPPORTED graph input "x" has type bool; int8, uint8, int16, int32, float32 are supported',
  ],
  'a dynamic shape': [
    unary({ shape: [-1, 4] }),
    'MODEL_INVALID tensor 0 "x" (byte 160) has shape [-1,4]; fixed shapes of up to 268435456 elements are supported: fix the input shape and convert again',
  ],
  'a shape beyond all bounds': [
    unary({ shape: [65536, 65536, 65536] }),
    'MODEL_INVALID tensor 0 "x" (byte 160) has shape [65536,65536,65536]; fixed shapes of up to 268435456 elements are supported: fix the input shape and convert again',
  ],
  'an input without scale': [
    dense({ x: { quant: undefined } }),
    'MODEL_INVALID FULLY_CONNECTED (operator 0, byte 576): the input has no scale and zero point; convert the model with full int8 quantization',
  ],
  'weights without scale': [
    dense({ w: { quant: undefined } }),
    'MODEL_INVALID FULLY_CONNECTED (operator 0, byte 576): the weights have no scale; convert the model with full int8 quantization',
  ],
  'an input with a scale a channel': [
    dense({ x: { shape: [1, 4], quant: { scale: [1, 2, 3, 4], zeroPoint: [0, 0, 0, 0], axis: 1 } } }),
    'MODEL_INVALID FULLY_CONNECTED (operator 0, byte 680): the input has 4 scales; only weights may be quantized per channel, all else per tensor',
  ],
  'weights with scales along the wrong dimension': [
    dense({ w: { quant: { scale: [1, 2, 3, 4], zeroPoint: [0, 0, 0, 0], axis: 1 } } }),
    'MODEL_INVALID FULLY_CONNECTED (operator 0, byte 680): the weights have 4 scales along dimension 1, 2 along 0 are needed',
  ],
  'scales that do not fit the shape': [
    dense({ w: { quant: { scale: [1, 2, 3], zeroPoint: [0, 0, 0], axis: 0 } } }),
    'MODEL_INVALID tensor 1 "w" (byte 280) has 3 scales along dimension 0 of [2,4]',
  ],
  'a scale that is not positive': [
    unary({ quant: q(-1) }),
    'MODEL_INVALID tensor 0 "x" (byte 160) has a scale that is not a positive number',
  ],
  'a zero point out of range': [
    unary({ quant: q(1, 200) }),
    'MODEL_INVALID tensor 0 "x" (byte 160) has a zero point of 200, its type int8 holds -128 to 127',
  ],
  'weights with a zero point': [
    dense({ w: { quant: q(0.5, 3) } }),
    'MODEL_INVALID FULLY_CONNECTED (operator 0, byte 640): the weights must have zero point 0',
  ],
  'weights that are no constant': [
    dense({ w: { data: undefined } }, [0, 1]),
    'MODEL_INVALID FULLY_CONNECTED (operator 0, byte 644): the weights must be constant',
  ],
  'a bias of another type': [
    dense({ b: { dtype: 'int8', data: zeros(2) } }),
    'MODEL_INVALID FULLY_CONNECTED (operator 0, byte 640): the bias is int8, int32 is needed',
  ],
  'a bias of another length': [
    dense({ b: { shape: [3], data: zeros(12) } }),
    'MODEL_INVALID FULLY_CONNECTED (operator 0, byte 640): the bias has 3 values for 2 channels',
  ],
  'a constant of another size': [
    dense({ w: { data: zeros(7) } }),
    'MODEL_INVALID tensor 1 "w" (byte 280) needs 8 bytes, its buffer at byte 784 has 7',
  ],
  'an output of another shape': [
    dense({ y: { shape: [1, 3] } }),
    'MODEL_INVALID FULLY_CONNECTED (operator 0, byte 640): its output is declared as [1,3], it computes [1,2]',
  ],
  'a rescale out of range': [
    dense({ x: { quant: q(1e30) }, w: { quant: q(1e30) } }),
    'MODEL_INVALID FULLY_CONNECTED (operator 0, byte 640): a rescale by Infinity is out of range',
  ],
  'a pooling that changes the scale': [
    writeTflite({
      name: 'm',
      tensors: [t('x', { shape: [1, 2, 2, 1] }), t('y', { shape: [1, 1, 1, 1], quant: q(0.25) })],
      nodes: [node('max_pool2d', { filter: [2, 2], stride: [2, 2], pad: [0, 0, 0, 0], activation: 'none' }, [0], 1)],
      inputs: [0],
      outputs: [1],
    }),
    'MODEL_INVALID MAX_POOL_2D (operator 0, byte 424): the input has another scale or zero point than the output',
  ],
  'a tensor that is read before it is computed': [
    writeTflite({
      name: 'm',
      tensors: [t('x'), t('y'), t('z')],
      nodes: [node('relu', {}, [2], 1), node('relu', {}, [0], 2)],
      inputs: [0],
      outputs: [1],
    }),
    'MODEL_INVALID RELU (operator 0) reads tensor 2 before it is computed',
  ],
  'no operators, no outputs': [coded([]), 'MODEL_INVALID graph output 1 is never computed'],
  'more operators than any network has': [
    coded(Array.from({ length: 5000 }, () => ({ number: 19 }))),
    'MODEL_INVALID the model has 5000 operators; up to 4096 are supported',
  ],
  'constants that take years to compute': [
    writeTflite({
      name: 'm',
      tensors: [t('x', { shape: [1, 1], data: zeros(1) }), t('y', { shape: [6001, 6001] })],
      nodes: [node('pad', { pads: [3000, 3000, 3000, 3000], value: 0 }, [0], 1)],
      inputs: [],
      outputs: [1],
    }),
    'MODEL_INVALID PAD (operator 0, byte 472): its operands are constants, and computing with them takes over 1048576 steps; fold it before',
  ],
};

describe('what is said about', () => {
  test.each(Object.entries(cases))('%s', (_, [file, expected]) => {
    const read = importModel(file, 'model');
    expect(read.ok ? 'it was read' : `${read.error.code} ${read.error.detail}`).toBe(expected);
    if (!read.ok) expect(read.error.stage).toBe('import');
  });
});

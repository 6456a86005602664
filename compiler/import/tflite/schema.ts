/** The parts of TFLite's schema that are read and written: numbers of fields, types and operators. One table for both ends. */
import type { DType } from '../../graph/graph.ts';

export const fileIdentifier = 'TFL3';

/** TensorType -> dtype. Types that are not here are named in errors by `typeNames`. */
export const dtypes: ReadonlyMap<number, DType> = new Map([
  [0, 'float32'],
  [2, 'int32'],
  [3, 'uint8'],
  [4, 'int64'],
  [6, 'bool'],
  [7, 'int16'],
  [9, 'int8'],
]);
export const typeNames: readonly string[] = [
  'FLOAT32',
  'FLOAT16',
  'INT32',
  'UINT8',
  'INT64',
  'STRING',
  'BOOL',
  'INT16',
  'COMPLEX64',
  'INT8',
  'FLOAT64',
  'COMPLEX128',
  'UINT64',
  'RESOURCE',
  'VARIANT',
  'UINT32',
  'UINT16',
  'INT4',
  'BFLOAT16',
];

/** ActivationFunctionType -> attribute. */
export const activations: readonly string[] = ['none', 'relu', 'relu_n1_to_1', 'relu6'];

/** Field numbers. */
export const model = { version: 0, operatorCodes: 1, subgraphs: 2, description: 3, buffers: 4 } as const;
export const operatorCode = { deprecatedCode: 0, customCode: 1, version: 2, code: 3 } as const;
export const subgraph = { tensors: 0, inputs: 1, outputs: 2, operators: 3, name: 4 } as const;
export const tensor = { shape: 0, type: 1, buffer: 2, name: 3, quantization: 4 } as const;
export const quantization = { scale: 2, zeroPoint: 3, axis: 6 } as const;
export const operator = { code: 0, inputs: 1, outputs: 2, optionsType: 3, options: 4 } as const;
export const buffer = { data: 0 } as const;

/** Operators by name: builtin code, options union type (0: none), and the version an int8 model needs. */
export const builtins = {
  ADD: { code: 0, options: 11, version: 2 },
  AVERAGE_POOL_2D: { code: 1, options: 5, version: 2 },
  CONCATENATION: { code: 2, options: 10, version: 2 },
  CONV_2D: { code: 3, options: 1, version: 3 },
  DEPTHWISE_CONV_2D: { code: 4, options: 2, version: 3 },
  DEQUANTIZE: { code: 6, options: 0, version: 2 },
  FULLY_CONNECTED: { code: 9, options: 8, version: 4 },
  MAX_POOL_2D: { code: 17, options: 5, version: 2 },
  MUL: { code: 18, options: 21, version: 2 },
  RELU: { code: 19, options: 0, version: 2 },
  RELU6: { code: 21, options: 0, version: 2 },
  RESHAPE: { code: 22, options: 17, version: 1 },
  SOFTMAX: { code: 25, options: 9, version: 2 },
  PAD: { code: 34, options: 22, version: 2 },
  TRANSPOSE: { code: 39, options: 26, version: 2 },
  MEAN: { code: 40, options: 27, version: 2 },
  SQUEEZE: { code: 43, options: 30, version: 1 },
  PADV2: { code: 60, options: 0, version: 2 },
  LEAKY_RELU: { code: 98, options: 75, version: 2 },
  QUANTIZE: { code: 114, options: 0, version: 2 },
} as const;
export type BuiltinName = keyof typeof builtins;

/** Names of common operators that are not imported, so that a refusal can name them. */
export const otherNames: ReadonlyMap<number, string> = new Map([
  [5, 'DEPTH_TO_SPACE'],
  [7, 'EMBEDDING_LOOKUP'],
  [8, 'FLOOR'],
  [11, 'L2_NORMALIZATION'],
  [13, 'LOCAL_RESPONSE_NORMALIZATION'],
  [14, 'LOGISTIC'],
  [16, 'LSTM'],
  [20, 'RELU_N1_TO_1'],
  [23, 'RESIZE_BILINEAR'],
  [26, 'SPACE_TO_DEPTH'],
  [27, 'SVDF'],
  [28, 'TANH'],
  [32, 'CUSTOM'],
  [36, 'GATHER'],
  [37, 'BATCH_TO_SPACE_ND'],
  [38, 'SPACE_TO_BATCH_ND'],
  [41, 'SUB'],
  [42, 'DIV'],
  [44, 'UNIDIRECTIONAL_SEQUENCE_LSTM'],
  [45, 'STRIDED_SLICE'],
  [47, 'EXP'],
  [49, 'SPLIT'],
  [50, 'LOG_SOFTMAX'],
  [53, 'CAST'],
  [54, 'PRELU'],
  [55, 'MAXIMUM'],
  [56, 'ARG_MAX'],
  [57, 'MINIMUM'],
  [58, 'LESS'],
  [59, 'NEG'],
  [61, 'GREATER'],
  [65, 'SLICE'],
  [67, 'TRANSPOSE_CONV'],
  [70, 'EXPAND_DIMS'],
  [74, 'SUM'],
  [76, 'RSQRT'],
  [77, 'SHAPE'],
  [78, 'POW'],
  [83, 'PACK'],
  [88, 'UNPACK'],
  [97, 'RESIZE_NEAREST_NEIGHBOR'],
  [99, 'SQUARED_DIFFERENCE'],
  [101, 'ABS'],
  [102, 'SPLIT_V'],
  [111, 'ELU'],
  [117, 'HARD_SWISH'],
  [126, 'BATCH_MATMUL'],
  [150, 'GELU'],
]);

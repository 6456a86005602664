/** TFLite file -> Graph. Whatever the bytes are, the answer is a graph that verifies or a Failure that says where and why. */
import { type DType, elements, type Node, type Quantization, type Tensor, tensorBytes } from '../../graph/graph.ts';
import { rangeOf } from '../../ops/values.ts';
import { failed, ok, type Result } from '../../result.ts';
import type { ReadModel } from '../format.ts';
import { Bytes, CorruptFile, Table } from './flatbuffer.ts';
import { importers, Refused } from './operators.ts';
import {
  type BuiltinName,
  buffer,
  builtins,
  dtypes,
  fileIdentifier,
  model,
  operator,
  operatorCode,
  otherNames,
  quantization,
  subgraph,
  tensor,
  typeNames,
} from './schema.ts';

/** Largest tensor that is taken for real: 2^28 elements. */
const mostElements = 2 ** 28;

class Invalid extends Error {
  readonly code: string;
  constructor(code: string, detail: string) {
    super(detail);
    this.code = code;
  }
}

export const isTflite = (bytes: Uint8Array): boolean =>
  bytes.length >= 8 && new TextDecoder().decode(bytes.subarray(4, 8)) === fileIdentifier;

/** Reads the one subgraph of a model. */
export function readTflite(bytes: Uint8Array, name: string): Result<ReadModel> {
  try {
    return ok(modelOf(Table.root(new Bytes(bytes)), name));
  } catch (error) {
    if (error instanceof CorruptFile)
      return failed('import', 'MODEL_CORRUPT', `the file is cut off or damaged: ${error.message}`);
    if (error instanceof Invalid) return failed('import', error.code, error.message);
    throw error;
  }
}

function modelOf(root: Table, name: string): ReadModel {
  const [main, ...more] = root.tables(model.subgraphs);
  if (main === undefined) throw new Invalid('MODEL_INVALID', 'the model has no subgraph');
  if (more.length > 0)
    throw new Invalid(
      'OP_UNSUPPORTED',
      `the model has ${more.length + 1} subgraphs (control flow); convert it without while/if`,
    );
  const buffers = root.tables(model.buffers);
  const tensors = main.tables(subgraph.tensors).map((t, i) => tensorOf(t, i, buffers));
  const names = root.tables(model.operatorCodes).map(nameOf);
  const list = main.tables(subgraph.operators);
  requireSupported(list, names);
  const nodes = list.map((o, i) => nodeOf(o, i, names, tensors));
  const ids = (field: number): readonly number[] =>
    main.i32s(field).map((id) => known(id, tensors, 'a graph input or output'));
  const graph = { name, tensors, nodes, inputs: ids(subgraph.inputs), outputs: ids(subgraph.outputs) };
  return { graph, places: list.map((o) => o.at) };
}

function known(id: number, tensors: readonly Tensor[], what: string): number {
  if (id < 0 || id >= tensors.length)
    throw new Invalid('MODEL_INVALID', `${what} names tensor ${id} of ${tensors.length}`);
  return id;
}

function nameOf(code: Table): string {
  const number = Math.max(code.i8(operatorCode.deprecatedCode), code.i32(operatorCode.code));
  const custom = code.text(operatorCode.customCode);
  if (custom !== '') return `CUSTOM ${JSON.stringify(custom)}`;
  const found = Object.entries(builtins).find(([, b]) => b.code === number);
  return found?.[0] ?? otherNames.get(number) ?? `BUILTIN ${number}`;
}

/** All operators that are not supported, in one message. */
function requireSupported(list: readonly Table[], names: readonly string[]): void {
  const wrong = list.flatMap((o, i) => {
    const name = names[o.u32(operator.code)] ?? `operator code ${o.u32(operator.code)} of ${names.length}`;
    return Object.hasOwn(importers, name) ? [] : [`${name} (operator ${i}, byte ${o.at})`];
  });
  if (wrong.length === 0) return;
  const shown = wrong.length > 8 ? `${wrong.slice(0, 8).join(', ')} and ${wrong.length - 8} more` : wrong.join(', ');
  throw new Invalid(
    'OP_UNSUPPORTED',
    `not supported: ${shown}. Supported: ${Object.keys(importers).sort().join(', ')}. Replace or remove the layer and convert again`,
  );
}

function tensorOf(t: Table, index: number, buffers: readonly Table[]): Tensor {
  const where = `tensor ${index} ${JSON.stringify(t.text(tensor.name))} (byte ${t.at})`;
  const type = t.i8(tensor.type);
  const dtype = dtypes.get(type);
  if (dtype === undefined)
    throw new Invalid(
      'TYPE_UNSUPPORTED',
      `${where} has type ${typeNames[type] ?? type}; convert the model with full int8 quantization`,
    );
  const shape = t.i32s(tensor.shape);
  if (shape.length > 8 || shape.some((d) => d < 1) || elements(shape) > mostElements)
    throw new Invalid(
      'MODEL_INVALID',
      `${where} has shape [${shape.slice(0, 8)}]; fixed shapes of up to ${mostElements} elements are supported: fix the input shape and convert again`,
    );
  const which = t.u32(tensor.buffer);
  const data = which === 0 ? undefined : buffers[which]?.bytes(buffer.data);
  const quant = quantOf(t.table(tensor.quantization), shape, dtype, where);
  const out: Tensor = {
    name: t.text(tensor.name) || `tensor_${index}`,
    dtype,
    shape,
    ...(quant !== undefined && { quant }),
  };
  if (data === undefined || data.data.length === 0) return out;
  if (data.data.length !== tensorBytes(out))
    throw new Invalid(
      'MODEL_INVALID',
      `${where} needs ${tensorBytes(out)} bytes, its buffer at byte ${data.at} has ${data.data.length}`,
    );
  return { ...out, data: data.data.slice() };
}

function quantOf(
  q: Table | undefined,
  shape: readonly number[],
  dtype: DType,
  where: string,
): Quantization | undefined {
  const scale = q?.f32s(quantization.scale) ?? [];
  if (q === undefined || scale.length === 0) return undefined;
  const given = q.i64s(quantization.zeroPoint);
  const axis = q.i32(quantization.axis);
  if (scale.some((s) => !Number.isFinite(s) || s <= 0))
    throw new Invalid('MODEL_INVALID', `${where} has a scale that is not a positive number`);
  if (scale.length > 1 && (axis < 0 || axis >= shape.length || scale.length !== shape[axis]))
    throw new Invalid('MODEL_INVALID', `${where} has ${scale.length} scales along dimension ${axis} of [${shape}]`);
  if (given.length > 1 && given.length !== scale.length)
    throw new Invalid('MODEL_INVALID', `${where} has ${scale.length} scales and ${given.length} zero points`);
  const [lo, hi] = rangeOf(dtype);
  const outside = given.find((z) => !(z >= lo && z <= hi));
  if (outside !== undefined)
    throw new Invalid(
      'MODEL_INVALID',
      `${where} has a zero point of ${outside}, its type ${dtype} holds ${lo} to ${hi}`,
    );
  const zeroPoint = scale.map((_, i) => given[given.length === 1 ? 0 : i] ?? 0);
  return { scale, zeroPoint, axis: scale.length > 1 ? axis : 0 };
}

function nodeOf(o: Table, index: number, names: readonly string[], tensors: readonly Tensor[]): Node {
  const name = names[o.u32(operator.code)] as BuiltinName;
  const where = `${name} (operator ${index}, byte ${o.at})`;
  const inputs = o.i32s(operator.inputs).map((id) => (id === -1 ? -1 : known(id, tensors, where)));
  const outputs = o.i32s(operator.outputs).map((id) => known(id, tensors, where));
  if (outputs.length !== 1) throw new Invalid('MODEL_INVALID', `${where} has ${outputs.length} outputs`);
  if (inputs.length === 0 || inputs[0] === -1) throw new Invalid('MODEL_INVALID', `${where} has no input`);
  try {
    const made = importers[name]({
      options: o.table(operator.options),
      inputs: inputs.map((id) => tensors[id]),
      outputs: outputs.map((id) => tensors[id] as Tensor),
    });
    return {
      op: made.op,
      attrs: made.attrs,
      inputs: made.take.map((i) => (i < 0 ? -1 : (inputs[i] ?? -1))),
      outputs,
      source: { index, name },
    };
  } catch (error) {
    if (error instanceof Refused) throw new Invalid('MODEL_INVALID', `${where}: ${error.message}`);
    throw error;
  }
}

/**
 * NumPy's .npy files: read (versions 1 and 2) and written (1.0). Only what a network's inputs and outputs need: plain
 * little-endian numbers in C order. What is refused is refused with what the file says and what is wanted.
 */
import { bytesOf, type DType, elements } from '../../compiler/graph/graph.ts';
import { failed, ok, type Result } from '../../compiler/result.ts';

export interface Npy {
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** Little-endian, C order. */
  readonly data: Uint8Array;
}

const magic = '\x93NUMPY';
const descriptors: Readonly<Record<DType, string>> = {
  int8: '|i1',
  uint8: '|u1',
  bool: '|b1',
  int16: '<i2',
  int32: '<i4',
  int64: '<i8',
  float32: '<f4',
};
const names = new Map(Object.entries(descriptors).map(([dtype, d]) => [d.slice(1), dtype as DType]));

/** An array as a version 1.0 file; its data begin at a multiple of 64 bytes. */
export function writeNpy({ dtype, shape, data }: Npy): Uint8Array {
  const dimensions = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const text = `{'descr': '${descriptors[dtype]}', 'fortran_order': False, 'shape': (${dimensions}), }`;
  const before = magic.length + 4;
  const padded = text.padEnd(Math.ceil((before + text.length + 1) / 64) * 64 - before - 1, ' ');
  const head = Buffer.alloc(before + padded.length + 1);
  head.write(magic, 'latin1');
  head.writeUInt8(1, 6);
  head.writeUInt16LE(padded.length + 1, 8);
  head.write(`${padded}\n`, before, 'latin1');
  return Buffer.concat([head, data]);
}

/** Reads a file's bytes. Failure: INPUT_INVALID, saying what in the file is not as it must be. */
export function readNpy(file: Uint8Array): Result<Npy> {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  if (bytes.toString('latin1', 0, magic.length) !== magic || bytes.length < 12)
    return bad('it does not begin as a .npy file does');
  const version = bytes.readUInt8(6);
  if (version !== 1 && version !== 2) return bad(`format version ${version}; versions 1 and 2 are read`);
  const begin = version === 1 ? 10 : 12;
  const end = begin + (version === 1 ? bytes.readUInt16LE(8) : bytes.readUInt32LE(8));
  if (end > bytes.length) return bad(`its header would end at byte ${end}, the file at ${bytes.length}`);
  const header = parseHeader(bytes.toString('latin1', begin, end));
  if (!header.ok) return header;
  const { dtype, shape } = header.value;
  const want = elements(shape) * bytesOf(dtype);
  if (bytes.length - end !== want)
    return bad(`${dtype}[${shape}] needs ${want} bytes of data, the file holds ${bytes.length - end}`);
  return ok({ dtype, shape, data: bytes.subarray(end) });
}

const bad = (what: string): Result<never> => failed('input', 'INPUT_INVALID', what);

/** The header is a Python dictionary with exactly three keys. */
function parseHeader(text: string): Result<Omit<Npy, 'data'>> {
  const descr = /'descr'\s*:\s*'([^']*)'/.exec(text)?.[1];
  const order = /'fortran_order'\s*:\s*(True|False)/.exec(text)?.[1];
  const shape = /'shape'\s*:\s*\(([0-9,\s]*)\)/.exec(text)?.[1];
  if (descr === undefined || order === undefined || shape === undefined)
    return bad(`its header is not understood: ${text.trim().slice(0, 120)}`);
  const dtype = typeOf(descr);
  if (dtype === undefined) return bad(`type '${descr}'; known are ${Object.values(descriptors).join(' ')}`);
  const dimensions = shape.split(',').flatMap((d) => (d.trim() === '' ? [] : [Number(d)]));
  if (order === 'True' && dimensions.filter((d) => d > 1).length > 1)
    return bad('Fortran order; save it with numpy.ascontiguousarray');
  return ok({ dtype, shape: dimensions });
}

/** Byte order matters only for elements of several bytes. */
function typeOf(descr: string): DType | undefined {
  const order = /^[<>=|]/.test(descr) ? descr[0] : '=';
  const dtype = names.get(order === descr[0] ? descr.slice(1) : descr);
  return dtype !== undefined && order === '>' && bytesOf(dtype) > 1 ? undefined : dtype;
}

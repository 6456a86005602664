/** What the command line reads and writes: .npy files and raw tensors. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { bytesOf, type DType, elements, type Graph } from '../../compiler/graph/graph.ts';
import { type Npy, readNpy, writeNpy } from '../../server/cli/npy.ts';
import { checkOutputs, readInputs, writeOutputs } from '../../server/cli/tensors.ts';
import { samples } from '../samples.ts';

const dir = mkdtempSync(join(tmpdir(), 'microtune-cli-'));
afterAll(() => rmSync(dir, { recursive: true }));
const file = (name: string, content: string | Uint8Array): string => {
  writeFileSync(join(dir, name), content);
  return join(dir, name);
};

const dtypes: readonly DType[] = ['int8', 'uint8', 'bool', 'int16', 'int32', 'int64', 'float32'];
const arrays = fc
  .record({ dtype: fc.constantFrom(...dtypes), shape: fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 }) })
  .chain(({ dtype, shape }) => {
    const length = elements(shape) * bytesOf(dtype);
    return fc.uint8Array({ minLength: length, maxLength: length }).map((data): Npy => ({ dtype, shape, data }));
  });

/** A version 1.0 file with a header of one's own. */
const npyWith = (header: string, data = new Uint8Array()): Uint8Array => {
  const text = `${header}\n`;
  return Buffer.concat([
    Buffer.from('\x93NUMPY\x01\x00', 'latin1'),
    Buffer.from([text.length & 255, text.length >> 8]),
    Buffer.from(text),
    data,
  ]);
};

describe('.npy', () => {
  test('what is written reads back, and its data begin at a multiple of 64', () => {
    fc.assert(
      fc.property(arrays, (array) => {
        const bytes = writeNpy(array);
        const read = readNpy(bytes);
        expect((bytes.length - array.data.length) % 64).toBe(0);
        expect(read.ok && { ...read.value, data: Uint8Array.from(read.value.data) }).toEqual(array);
      }),
      { seed: 1, numRuns: samples(200, 5000) },
    );
  });

  test('a damaged file is refused or read, never thrown at', () => {
    const change = fc.tuple(fc.nat(200), fc.nat(255));
    fc.assert(
      fc.property(arrays, fc.array(change, { maxLength: 4 }), fc.nat(200), (array, changes, cut) => {
        const bytes = writeNpy(array).slice(0, changes.length === 0 ? cut : undefined);
        for (const [at, to] of changes) if (at < bytes.length) bytes[at] = to;
        const read = readNpy(bytes);
        if (read.ok) expect(read.value.data.length).toBe(elements(read.value.shape) * bytesOf(read.value.dtype));
        else expect(read.error.code).toBe('INPUT_INVALID');
      }),
      { seed: 2, numRuns: samples(500, 20000) },
    );
  });

  test('the header as NumPy writes it', () => {
    const read = readNpy(
      npyWith("{'descr': '<i2', 'fortran_order': False, 'shape': (2, 1), }     ", new Uint8Array([1, 0, 2, 0])),
    );
    expect(read).toEqual({ ok: true, value: { dtype: 'int16', shape: [2, 1], data: Buffer.from([1, 0, 2, 0]) } });
  });

  test.each([
    ["{'descr': '>i4', 'fortran_order': False, 'shape': (0,), }", "type '>i4'"],
    ["{'descr': '<f8', 'fortran_order': False, 'shape': (0,), }", "type '<f8'"],
    ["{'descr': [('a', '<i4')], 'fortran_order': False, 'shape': (0,), }", 'not understood'],
    ["{'descr': '|i1', 'fortran_order': True, 'shape': (0, 2, 3), }", 'Fortran order'],
    ["{'descr': '|i1', 'fortran_order': False, 'shape': (3,), }", 'needs 3 bytes of data, the file holds 0'],
    ["{'descr': '|i1', 'shape': (0,), }", 'not understood'],
  ])('%s is refused', (header, why) => {
    const read = readNpy(npyWith(header));
    expect(read.ok ? 'read' : read.error.detail).toContain(why);
  });
});

/** Two inputs and two outputs; no nodes are needed to read and write them. */
const graph: Graph = {
  name: 'two',
  nodes: [],
  tensors: [
    { name: 'a', dtype: 'int8', shape: [1, 3] },
    { name: 'b', dtype: 'int16', shape: [2] },
  ],
  inputs: [0, 1],
  outputs: [1, 0],
};
const a = Uint8Array.of(1, 2, 3);
const b = Uint8Array.of(4, 0, 5, 0);

describe('inputs and outputs', () => {
  test('one raw file, a file each, raw and .npy mixed: the same bytes', () => {
    const whole = [file('whole.bin', Buffer.concat([a, b]))];
    const each = [file('a.bin', a), file('b.npy', writeNpy({ dtype: 'int16', shape: [2], data: b }))];
    for (const files of [whole, each])
      expect(readInputs(graph, files)).toEqual({ ok: true, value: Buffer.concat([a, b]) });
  });

  test.each([
    [
      'too short',
      () => [file('s.bin', a)],
      'has 3 bytes, the model takes 7: a int8[1,3], 3 bytes + b int16[2], 4 bytes',
    ],
    ['too many files', () => ['x', 'y', 'z'], '3 input files, the model takes 2'],
    ['one .npy for two inputs', () => ['x.npy'], 'give --input for each'],
    [
      'another shape',
      () => [file('c.npy', writeNpy({ dtype: 'int8', shape: [3], data: a })), file('b.bin', b)],
      'holds int8[3], the model takes a int8[1,3]',
    ],
    [
      'another type',
      () => [file('d.npy', writeNpy({ dtype: 'uint8', shape: [1, 3], data: a })), file('b.bin', b)],
      'holds uint8[1,3], the model takes a int8[1,3]',
    ],
  ])('%s is told with what the model takes', (_, files, why) => {
    const read = readInputs(graph, files());
    expect(read.ok ? 'read' : `${read.error.code}: ${read.error.detail}`).toContain('INPUT_MISMATCH');
    expect(read.ok ? 'read' : read.error.detail).toContain(why);
  });

  test('outputs go to one raw file or to one file each', () => {
    const all = Buffer.concat([b, a]);
    writeOutputs(graph, [join(dir, 'o.bin')], all);
    writeOutputs(graph, [join(dir, 'o0.npy'), join(dir, 'o1.bin')], all);
    expect(readFileSync(join(dir, 'o.bin'))).toEqual(all);
    expect(readNpy(readFileSync(join(dir, 'o0.npy')))).toMatchObject({ value: { dtype: 'int16', shape: [2] } });
    expect(readFileSync(join(dir, 'o1.bin'))).toEqual(Buffer.from(a));
  });

  test('output names that do not fit are refused before anything is built', () => {
    expect(checkOutputs(graph, ['x.npy']).ok).toBe(false);
    expect(checkOutputs(graph, ['x', 'y', 'z']).ok).toBe(false);
    for (const files of [[], ['x.bin'], ['x.npy', 'y']]) expect(checkOutputs(graph, files).ok).toBe(true);
  });
});

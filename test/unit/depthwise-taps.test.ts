/** Weights of depthwise windows as kernels multiply them: what is packed comes back, and lies where the kernels' words expect it. */
import { expect, test } from 'vitest';
import { packingOf } from '../../compiler/instructions/packings/index.ts';
import { samples } from '../samples.ts';
import { Random } from './random.ts';

const halves = (bytes: Uint8Array): readonly number[] => [...new Int16Array(bytes.slice().buffer)];

test('every window comes back as it was', () => {
  const r = new Random(9);
  for (let i = 0; i < samples(100, 3000); i++) {
    const rolling = r.int(0, 1);
    const shape = [r.int(1, 7), rolling === 1 ? 3 : r.int(1, 9), r.int(1, 5)];
    const packing = packingOf('depthwise_taps', { rolling, scale: r.pick([1, 256]) }, shape);
    const values = Int32Array.from({ length: shape.reduce((n, d) => n * d, 1) }, () => r.int(-128, 127));
    const bytes = packing.encode(values, shape);
    expect(bytes.length).toBe(packing.groupBytes * (shape[2] ?? 0));
    expect(packing.decode(bytes, shape)).toEqual(values);
  }
});

test('a 3x3 window: outer columns of each row, then the middle column', () => {
  const values = Int32Array.from([1, 2, 3, 4, 5, 6, 7, 8, 9]);
  const { encode } = packingOf('depthwise_taps', { rolling: 1, scale: 256 }, [3, 3, 1]);
  expect(halves(encode(values, [3, 3, 1])).map((v) => v / 256)).toEqual([1, 3, 4, 6, 7, 9, 2, 5, 8, 0]);
});

test('any window: columns 0 2, 1 3, 4 of each row, a channel after another', () => {
  const values = Int32Array.from([1, -1, 2, -2, 3, -3, 4, -4, 5, -5]);
  const { encode } = packingOf('depthwise_taps', {}, [1, 5, 2]);
  expect(halves(encode(values, [1, 5, 2]))).toEqual([1, 3, 2, 4, 5, 0, -1, -3, -2, -4, -5, 0]);
});

test('what is no window of the kernels is refused', () => {
  expect(() => packingOf('depthwise_taps', { rolling: 1 }, [3, 5, 2])).toThrow('no such window');
});

/** A small network for tests of the daemon: two convolutions that are one task, a pooling, a classifier. */
import type { Quantization } from '../../compiler/graph/graph.ts';
import { writeTflite } from '../../compiler/import/tflite/write.ts';
import { Draft } from '../unit/graphs.ts';
import { Random } from '../unit/random.ts';

const q = (scale: number, zero = 0): Quantization => ({ scale: [Math.fround(scale)], zeroPoint: [zero], axis: 0 });

/** The file. Another seed gives other weights, another side another shape (and so other tasks). */
export function smallModel(seed: number, side = 6, channels = 8): Uint8Array {
  const d = new Draft(new Random(seed), 'tflite');
  let at = d.input('int8', [1, side, side, channels], q(0.05, 3));
  for (let i = 0; i < 2; i++) {
    const w = d.constant('int8', [channels, 3, 3, channels], [-60, 60], q(0.01));
    const b = d.constant('int32', [channels], [-500, 500], q(0.0005));
    const attrs = { stride: [1, 1], dilation: [1, 1], pad: [1, 1, 1, 1], activation: 'relu' };
    at = d.node('conv2d', attrs, [at, w, b], { dtype: 'int8', quant: q(0.05, 3) });
  }
  const pool = { filter: [side, side], stride: [1, 1], pad: [0, 0, 0, 0], activation: 'none' };
  at = d.node('average_pool2d', pool, [at], { dtype: 'int8', quant: q(0.05, 3) });
  at = d.node('reshape', { shape: [1, channels] }, [at], { dtype: 'int8', quant: q(0.05, 3), shape: [1, channels] });
  const w = d.constant('int8', [4, channels], [-60, 60], q(0.01));
  const b = d.constant('int32', [4], [-500, 500], q(0.0005));
  at = d.node('fully_connected', { activation: 'none', keepDims: false }, [at, w, b], {
    dtype: 'int8',
    quant: q(0.1, -5),
  });
  return writeTflite(d.finish('small', [at]));
}

/**
 * The loops in which training spends its time: plain runs of typed arrays, each given by array and first element. They
 * allocate nothing, except sum() and passed(), which return new arrays.
 */
import type { Activation, Parameter, Signal } from './layers.ts';

export const at = (list: Float64Array, i: number): number => list[i] as number;

/** a += factor * b, over n elements. */
export function addScaled(
  a: Float64Array,
  aFrom: number,
  factor: number,
  b: Float64Array,
  bFrom: number,
  n: number,
): void {
  for (let i = 0; i < n; i++) a[aFrom + i] = at(a, aFrom + i) + factor * at(b, bFrom + i);
}

/** a += b * c, element by element. */
export function addProducts(
  a: Float64Array,
  aFrom: number,
  b: Float64Array,
  bFrom: number,
  c: Float64Array,
  cFrom: number,
  n: number,
): void {
  for (let i = 0; i < n; i++) a[aFrom + i] = at(a, aFrom + i) + at(b, bFrom + i) * at(c, cFrom + i);
}

/** y[0..3] += four neighbouring rows of weights times one window; four at once share its loads. */
export function addFourDots(
  y: Float64Array,
  yFrom: number,
  w: Float64Array,
  wFrom: number,
  depth: number,
  x: Float64Array,
  xFrom: number,
  n: number,
): void {
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  const second = wFrom + depth;
  const third = second + depth;
  const fourth = third + depth;
  for (let i = 0; i < n; i++) {
    const v = at(x, xFrom + i);
    a += v * at(w, wFrom + i);
    b += v * at(w, second + i);
    c += v * at(w, third + i);
    d += v * at(w, fourth + i);
  }
  y[yFrom] = at(y, yFrom) + a;
  y[yFrom + 1] = at(y, yFrom + 1) + b;
  y[yFrom + 2] = at(y, yFrom + 2) + c;
  y[yFrom + 3] = at(y, yFrom + 3) + d;
}

/** What one output's gradient adds to the gradients of its weights and of its window. */
export function addBoth(
  w: Parameter,
  wFrom: number,
  gradient: number,
  x: Float64Array,
  dx: Float64Array,
  xFrom: number,
  n: number,
): void {
  const { value, grad } = w;
  for (let i = 0; i < n; i++) {
    grad[wFrom + i] = at(grad, wFrom + i) + gradient * at(x, xFrom + i);
    dx[xFrom + i] = at(dx, xFrom + i) + gradient * at(value, wFrom + i);
  }
}

/** Clips y at 0 where the activation says so, in place. */
export function relu(y: Signal, activation: Activation): Signal {
  if (activation === 'relu') for (let i = 0; i < y.length; i++) if (at(y, i) < 0) y[i] = 0;
  return y;
}
/** dy where the activation let the signal pass, else 0. */
export function passed(dy: Signal, y: Signal, activation: Activation): Signal {
  if (activation === 'none') return dy;
  const out = dy.slice();
  for (let i = 0; i < out.length; i++) if (at(y, i) <= 0) out[i] = 0;
  return out;
}

export function sum(a: Signal, b: Signal): Signal {
  const out = a.slice();
  addScaled(out, 0, 1, b, 0, b.length);
  return out;
}

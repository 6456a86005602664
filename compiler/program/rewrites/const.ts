/** Rewrites of constants: widenConst, pack. */
import { refuse } from '../build.ts';
import { isLayout } from '../layouts.ts';
import type { Program } from '../program.ts';
import { bufferOf, spanOf, withBuffer } from '../walk.ts';
import type { StepOf } from './steps.ts';

const constant = (p: Program, name: string): void => {
  if (bufferOf(p, name).space !== 'const') refuse(`${name} is not a constant`);
};

/** `const w: i8[...]`  ->  `const w: i16[...]`: more bytes, no sign extension when it is read. */
export function widenConst(p: Program, s: StepOf<'widenConst'>): Program {
  constant(p, s.buf);
  const [lo, hi] = spanOf(bufferOf(p, s.buf).dtype);
  const [wideLo, wideHi] = spanOf(s.dtype);
  if (s.dtype === 'f32' || bufferOf(p, s.buf).dtype === 'f32' || wideLo > lo || wideHi < hi)
    refuse(`${s.dtype} does not hold ${s.buf}`);
  return withBuffer(p, s.buf, (b) => ({ ...b, dtype: s.dtype }));
}

/** `const w`  ->  `const w layout L`: laid out at compile time; indices stay logical. */
export function pack(p: Program, s: StepOf<'pack'>): Program {
  constant(p, s.buf);
  if (!isLayout(s.layout)) refuse('not a layout');
  return withBuffer(p, s.buf, (b) => ({ ...b, layout: s.layout }));
}

/** Rewrites of constants: widenConst, pack. Must stay true: what an instruction reads keeps the width and layout it was put in for. */
import { refuse } from '../build.ts';
import { isLayout } from '../layouts.ts';
import type { Program } from '../program.ts';
import { bufferOf, callsIn, spanOf, withBuffer } from '../walk.ts';
import type { StepOf } from './steps.ts';

function requireFreeConstant(p: Program, name: string): void {
  if (bufferOf(p, name).space !== 'const') refuse(`${name} is not a constant`);
  if (callsIn(p.body).some((c) => Object.values(c.operands).some((w) => w.buf === name)))
    refuse(`${name} is an instruction's operand: its form stands before replace`);
}

/** `const w: i8[...]`  ->  `const w: i16[...]`: more bytes, no sign extension when it is read. */
export function widenConst(p: Program, s: StepOf<'widenConst'>): Program {
  requireFreeConstant(p, s.buf);
  const [lo, hi] = spanOf(bufferOf(p, s.buf).dtype);
  const [wideLo, wideHi] = spanOf(s.dtype);
  if (s.dtype === 'f32' || bufferOf(p, s.buf).dtype === 'f32' || wideLo > lo || wideHi < hi)
    refuse(`${s.dtype} does not hold ${s.buf}`);
  return withBuffer(p, s.buf, (b) => ({ ...b, dtype: s.dtype }));
}

/** `const w`  ->  `const w layout L`: laid out at compile time; indices stay logical. */
export function pack(p: Program, s: StepOf<'pack'>): Program {
  requireFreeConstant(p, s.buf);
  if (!isLayout(s.layout)) refuse('not a layout');
  return withBuffer(p, s.buf, (b) => ({ ...b, layout: s.layout }));
}

/** Where things lie and how they are compiled: place, flags. Neither changes what is computed. */
import { refuse } from '../build.ts';
import type { Program } from '../program.ts';
import { buffersOf } from '../walk.ts';
import type { StepOf } from './steps.ts';

/** `what` ('code' or a constant) lies in RAM or flash. */
export function place(p: Program, s: StepOf<'place'>): Program {
  const known = s.what === 'code' || buffersOf(p).some((b) => b.space === 'const' && b.name === s.what);
  if (!known) refuse(`${s.what} is neither code nor a constant`);
  return { ...p, placement: { ...p.placement, [s.what]: s.where } };
}

/** Compiler flags that a schedule may ask for: they change speed and size, never a result. */
const allowedFlags: readonly string[] = [
  '-O1',
  '-O2',
  '-O3',
  '-Os',
  '-fno-schedule-insns',
  '-fno-schedule-insns2',
  '-fno-tree-vectorize',
  '-fno-move-loop-invariants',
  '-fno-ivopts',
  '-fno-tree-pre',
  '-fno-gcse',
  '-fno-store-merging',
  '-funroll-loops',
];

/** The kernel is compiled with these flags after the usual ones. */
export function flags(p: Program, s: StepOf<'flags'>): Program {
  const wrong = s.flags.find((f) => !allowedFlags.includes(f));
  if (wrong !== undefined) refuse(`flag ${wrong} is not one of ${allowedFlags.join(' ')}`);
  return { ...p, flags: s.flags };
}

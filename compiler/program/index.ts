/** The public door of the loop IR. */
export * from './bind.ts';
export * from './build.ts';
export { interpret } from './interpret.ts';
export { encodeBuffer, type Layout } from './layouts.ts';
export { scratchLayout } from './print-c-memory.ts';
export type * from './program.ts';
export { applyStep, type Memo, type Replayed, replay, type Step, type StepOf } from './rewrites/index.ts';
export { show, showProgram, showStmts } from './show.ts';
export { verifyProgram } from './verify.ts';
export * from './walk.ts';

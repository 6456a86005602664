/** The public door of the loop IR. */
export * from './bind.ts';
export * from './build.ts';
export { interpret } from './interpret.ts';
export type { Layout } from './layouts.ts';
export type * from './program.ts';
export { type Memo, replay, type Step } from './rewrites/index.ts';
export { planePitch } from './rewrites/lay-out.ts';
export { showProgram } from './show.ts';
export * from './walk.ts';

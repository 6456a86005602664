/** Every core's rules, and those of memory. */
import { cortexM0plus } from './m0plus.ts';
import { cortexM7 } from './m7.ts';
import { cortexM33 } from './m33.ts';
import { cortexM55 } from './m55.ts';
import type { CoreRules } from './rules.ts';
import { cortexM3, cortexM4 } from './three-stages.ts';

export { memoryExperiments, memorySources } from './memory.ts';
export * from './rules.ts';
export const coreRules: readonly CoreRules[] = [cortexM0plus, cortexM3, cortexM4, cortexM7, cortexM33, cortexM55];

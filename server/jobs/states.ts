/** Which states are the end. */
import type { JobState } from '../../db/types.ts';

export const ended = (state: JobState): boolean => state === 'done' || state === 'failed' || state === 'cancelled';

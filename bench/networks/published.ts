/** bench/published.json: what others measured, and what of theirs we did. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Published } from '../fidelity/measure.ts';

export const publishedFigures = (): Published =>
  JSON.parse(readFileSync(resolve(import.meta.dirname, '../published.json'), 'utf8')) as Published;

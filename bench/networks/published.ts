/** bench/published.json: what others measured, and what of theirs we did. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Published } from '../fidelity/measure.ts';

export const publishedFigures = (): Published =>
  JSON.parse(readFileSync(resolve(import.meta.dirname, '../published.json'), 'utf8')) as Published;

/** What TFLite Micro's arena takes of RAM for a reference network; undefined for what is none. */
export const arenaBudget = (network: string): number | undefined =>
  publishedFigures().networks.prototype.networks.find((n) => n.network === network)?.arenaBytes;

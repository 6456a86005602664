/** bench/published.json: what others measured, and what of theirs we did. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Published } from '../fidelity/measure.ts';

export const publishedFigures = (): Published =>
  JSON.parse(readFileSync(resolve(import.meta.dirname, '../published.json'), 'utf8')) as Published;

/** The core that TFLite Micro with CMSIS-NN was counted on. */
export const prototypeCpu = 'cortex-m4';

/** What TFLite Micro's arena takes of RAM for a reference network on a board of that core; undefined for whatever else. */
export const arenaBudget = (network: string, cpu: string): number | undefined =>
  cpu === prototypeCpu
    ? publishedFigures().networks.prototype.networks.find((n) => n.network === network)?.arenaBytes
    : undefined;

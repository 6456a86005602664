/**
 * Configs that a search has met. Must stay true: a search of a week fits the memory, so that of each a digest is kept, not its text
 * of some 200 characters.
 */
import { hash } from 'node:crypto';
import { configKey } from './space.ts';
import type { Config } from './types.ts';

/** Characters of base64, six bits each: far more than any search needs to tell its configs apart. */
const digits = 12;
const digestOf = (config: Config): string => hash('sha256', configKey(config), 'base64').slice(0, digits);

export class MetConfigs {
  private readonly digests = new Set<string>();

  has(config: Config): boolean {
    return this.digests.has(digestOf(config));
  }

  /** Whether it is new. */
  add(config: Config): boolean {
    const known = this.digests.size;
    return this.digests.add(digestOf(config)).size > known;
  }
}

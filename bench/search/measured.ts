/**
 * What was measured of candidates, by what is compiled of them: kernel, flags, places, constants. Searches of all policies and seeds share it, and
 * it outlives the bench (build/bench/search-BOARD.jsonl), so that a bench that is stopped goes on where it was. Must stay true: every
 * entry was measured on the board, verified; what a device or a line lost is never kept.
 */
import { createHash } from 'node:crypto';
import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Candidate } from '../../tuner/candidates.ts';
import type { MeasureResult } from '../../tuner/types.ts';

interface Entry {
  readonly key: string;
  readonly result: MeasureResult;
}

/** Equal for candidates that compile to the same, for one board and compiler. */
export function keyOf({ kernel }: Candidate): string {
  const hash = createHash('sha256').update(JSON.stringify([kernel.source, kernel.flags, kernel.codePlace]));
  for (const c of kernel.constants) hash.update(`${c.symbol} ${c.place} `).update(c.bytes);
  return hash.digest('hex').slice(0, 24);
}

export class Measured {
  private readonly file: string;
  private readonly known = new Map<string, MeasureResult>();

  /** `about`: the compiler and whatever else measurements depend on. A file about something else is refused. */
  constructor(file: string, about: string) {
    this.file = file;
    mkdirSync(dirname(file), { recursive: true });
    if (!existsSync(file)) appendFileSync(file, `${JSON.stringify({ about })}\n`);
    const [first = '{}', ...lines] = readFileSync(file, 'utf8').split('\n');
    const kept = JSON.parse(first) as { readonly about?: string };
    if (kept.about !== about) throw new Error(`${file} is about ${kept.about}, not ${about}: remove it`);
    // The last line may have been cut short when the bench was stopped.
    for (const line of lines) {
      if (!line.endsWith('}}')) continue;
      const { key, result } = JSON.parse(line) as Entry;
      this.known.set(key, result);
    }
  }

  get size(): number {
    return this.known.size;
  }

  /** The result kept for `key`; measures where there is none. Throws what `measure` throws, and keeps nothing then. */
  async of(key: string, measure: () => Promise<MeasureResult>): Promise<MeasureResult> {
    const known = this.known.get(key);
    if (known !== undefined) return known;
    const result = await measure();
    this.known.set(key, result);
    appendFileSync(this.file, `${JSON.stringify({ key, result } satisfies Entry)}\n`);
    return result;
  }
}

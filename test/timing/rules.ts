/**
 * Rules of a core as sequences of instructions: a body is repeated 8 and 16 times, and the difference divided by 8 is what
 * one costs in the long run, whatever stands at the ends.
 * Must stay true: a rule names where its number comes from, and the number follows from there, not from the model.
 */
import { expect } from 'vitest';
import type { Timing, TimingCore } from '../../boards/board.ts';
import { type Machine, measure, times } from './machine.ts';

export interface Rule {
  readonly rule: string;
  /** Letters of the sources, as in the head of the test. */
  readonly source: string;
  /** Repeated; registers at entry as in machine.ts. */
  readonly body: string;
  /** Runs once before. */
  readonly before?: string;
  /** Of one body. */
  readonly cycles: number;
}

/** A core on memories that never wait. */
export function withoutWaiting(core: TimingCore, m: Machine): Timing {
  const region = (name: 'code' | 'ram' | 'shared'): Timing['regions'][number] => ({
    name,
    base: `0x${m[name].base.toString(16)}`,
    bytes: m[name].bytes,
  });
  return { core, caches: [], regions: [region('code'), region('ram'), region('shared')] };
}

const repeats = [8, 16] as const;
const pieceName = (r: Rule, n: number): string => `${r.rule} ×${n}`;

/** Measures all rules in one image; a line for each whose count differs. */
export async function expectRules(machine: Machine, timing: Timing, rules: readonly Rule[]): Promise<void> {
  const pieces = rules.flatMap((r) =>
    repeats.map((n) => ({ name: pieceName(r, n), text: `${r.before ?? ''}\n${times(n, r.body)}` })),
  );
  const found = await measure(machine, timing, pieces);
  // A block an instruction: however QEMU cuts the code, the counts are the same.
  const single = await measure(machine, timing, pieces, ['-singlestep']);
  expect(pieces.map((p) => single(p.name).warm)).toEqual(pieces.map((p) => found(p.name).warm));
  const [few, many] = repeats;
  const told = (r: Rule, cycles: number): string => `${r.rule} [${r.source}]: ${cycles}`;
  const measured = rules.map((r) => {
    const [a, b] = [found(pieceName(r, few)).warm, found(pieceName(r, many)).warm];
    return { rule: r, cycles: (b.cycles - a.cycles) / (many - few), unknown: b.unknown };
  });
  expect(measured.map((m) => told(m.rule, m.cycles))).toEqual(rules.map((r) => told(r, r.cycles)));
  expect(measured.filter((m) => m.unknown !== 0).map((m) => m.rule.rule)).toEqual([]);
}

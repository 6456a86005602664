/**
 * What the timing model is held to: rules of cores as sequences of instructions with the cycles that a source gives them,
 * and experiments where cycles alone do not say it. The tests check them, docs/fidelity.md lists them.
 * Must stay true: a number follows from the source that is named, not from the model.
 */
import type { Timing, TimingCore } from '../../boards/board.ts';
import { type Machine, type Measured, measure, type Piece, times } from './machine.ts';

export interface Rule {
  readonly rule: string;
  /** Letters of the sources: 'T', or 'J, L'. What stands behind a letter says where. */
  readonly source: string;
  /** Registers at entry as in machine.ts. */
  readonly body: string;
  /** Runs once before, and is not counted. */
  readonly before?: string;
  /** Of one body. */
  readonly cycles: number;
}
export const rule = (source: string, name: string, body: string, cycles: number): Rule => ({
  rule: name,
  source,
  body,
  cycles,
});

/** What was measured, by name of the piece. */
export type Found = (piece: string) => Measured;
/** A number that follows from a source, and how it is found. */
export interface Observation {
  readonly rule: string;
  readonly source: string;
  readonly of: (found: Found) => number;
  readonly expected: number;
}
/** Pieces measured in one image on one configuration, and what must be seen. */
export interface Experiment {
  readonly name: string;
  readonly machine: Machine;
  readonly timing: Timing;
  readonly pieces: readonly Piece[];
  readonly observations: readonly Observation[];
}
export interface CoreRules {
  readonly core: TimingCore;
  readonly machine: Machine;
  /**
   * once: a body beyond an empty function. in the long run: a body is repeated 8 and 16 times, and the difference divided
   * by 8 is what one costs, whatever stands at the ends.
   */
  readonly counted: 'once' | 'in the long run';
  /** By letter. */
  readonly sources: Readonly<Record<string, string>>;
  readonly groups: Readonly<Record<string, readonly Rule[]>>;
  /** Branches and caches. */
  readonly experiments?: readonly Experiment[];
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

/** What was found of a rule. */
export interface RuleFound {
  readonly rule: Rule;
  /** Of one body, warm. */
  readonly cycles: number;
  /** Instructions that the decoder did not know. */
  readonly unknown: number;
  /** The longest piece that was run. */
  readonly longest: Measured;
}

const turns = { once: [0, 1], 'in the long run': [8, 16] } as const;
const pieceName = (r: Rule, n: number): string => `${r.rule} ×${n}`;

/** Measures rules of a core in one image. `extra`: more options of QEMU. */
export async function measureRules(
  of: Pick<CoreRules, 'core' | 'machine' | 'counted'>,
  rules: readonly Rule[],
  extra: readonly string[] = [],
): Promise<readonly RuleFound[]> {
  const [few, many] = turns[of.counted];
  const pieces = rules.flatMap((r) =>
    [few, many].map((n) => ({
      name: pieceName(r, n),
      text: `${r.before ?? ''}\n${n === 1 ? r.body : times(n, r.body)}`,
    })),
  );
  const found = await measure(of.machine, withoutWaiting(of.core, of.machine), pieces, extra);
  return rules.map((r) => {
    const [a, b] = [found(pieceName(r, few)), found(pieceName(r, many))];
    const cycles = (b.warm.cycles - a.warm.cycles) / (many - few);
    return { rule: r, cycles, unknown: b.warm.unknown, longest: b };
  });
}

/** What each observation of an experiment comes to. */
export async function observe(e: Experiment): Promise<readonly number[]> {
  const found = await measure(e.machine, e.timing, e.pieces);
  return e.observations.map((o) => o.of(found));
}

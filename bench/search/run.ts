/**
 * One search of one task as the tune loop would do it, but in an order that depends on nothing except policy and seed: batch
 * after batch, each measured to its end. A trial is a binary that this search had not met, as in the tune loop.
 */
import type { Task } from '../../compiler/tasks.ts';
import { type Candidate, type Proposed, withoutHopeless } from '../../tuner/candidates.ts';
import type { Trainer } from '../../tuner/cost-models/index.ts';
import type { NamedPolicy } from '../../tuner/policies/index.ts';
import { seeded } from '../../tuner/random.ts';
import { configKey, type SearchSpace } from '../../tuner/space.ts';
import type { Config, MeasureResult } from '../../tuner/types.ts';
import type { Session } from '../session.ts';
import { keyOf, type Measured } from './measured.ts';

/** The batch of the tune loop. */
const batch = 8;

/** What all searches of a task share. */
export interface Ground {
  readonly task: Task;
  readonly space: SearchSpace;
  propose(config: Config): Proposed;
  measure(candidate: Candidate): Promise<MeasureResult>;
}
export interface Run {
  readonly policy: string;
  readonly seed: number;
  readonly trials: number;
  readonly failed: number;
  /** Candidates that a bound proved hopeless before they were compiled. */
  readonly pruned: number;
  /** Trials at which the best so far got better, and how good: [trial, cycles]. */
  readonly steps: readonly (readonly [number, number])[];
}

export function groundOf(session: Session, task: Task, measured: Measured): Ground {
  const { space, propose: make, measure: measureNow } = session.workbench(task);
  const keys = new WeakMap<Candidate, string>();
  const proposals = new Map<string, Proposed>();
  return {
    task,
    space,
    propose: (config) => {
      const key = configKey(config);
      const known = proposals.get(key) ?? light(make(config), keys, make);
      proposals.set(key, known);
      return known;
    },
    measure: (candidate) => measured.of(keys.get(candidate) ?? keyOf(candidate), () => measureNow(candidate)),
  };
}

/** A candidate that remembers what tells it from others; its kernel, which would fill the memory, is made again when it is needed. */
function light(made: Proposed, keys: WeakMap<Candidate, string>, make: (config: Config) => Proposed): Proposed {
  if (!made.ok) return made;
  const { kernel, ...rest } = made.candidate;
  const candidate: Candidate = {
    ...rest,
    get kernel() {
      const again = make(rest.config);
      if (!again.ok) throw new Error(`refused the second time: ${again.detail}`);
      return again.candidate.kernel;
    },
  };
  keys.set(candidate, keyOf(made.candidate));
  return { ok: true, candidate };
}

export interface Search {
  readonly name: string;
  readonly policy: NamedPolicy;
  readonly seed: number;
  readonly trials: number;
}

export async function searchTask(ground: Ground, s: Search, trainer: Trainer): Promise<Run> {
  const { task, space } = ground;
  const steps: [number, number][] = [];
  const best = (): number => steps.at(-1)?.[1] ?? Number.POSITIVE_INFINITY;
  const binaries = new Set<string>();
  const pruned = new Set<string>();
  let [trials, failed] = [0, 0];
  const hopeful = withoutHopeless(ground.propose, best);
  const policy = s.policy.make({
    space,
    random: seeded(s.seed).fork(task.id),
    propose: (config) => {
      const made = hopeful(config);
      if (!made.ok && made.code === 'HOPELESS') pruned.add(configKey(config));
      return made;
    },
    costModel: s.policy.model === 'with' ? trainer.model() : undefined,
  });
  const take = (result: MeasureResult): void => {
    const binary = result.binary ?? '';
    if (binary !== '' && binaries.has(binary)) return;
    binaries.add(binary);
    trials++;
    if (result.status === 'failed') failed++;
    else if (result.cycles < best()) steps.push([trials, result.cycles]);
  };
  const first = ground.propose(space.fallback);
  if (first.ok) take(await ground.measure(first.candidate));
  while (trials < s.trials) {
    const asked = await policy.ask(Math.min(batch, s.trials - trials));
    if (asked.length === 0) break;
    const results = await Promise.all(asked.map((c) => ground.measure(c)));
    results.forEach((result, i) => {
      take(result);
      policy.tell(asked[i] as Candidate, result);
    });
  }
  return { policy: s.name, seed: s.seed, trials, failed, pruned: pruned.size, steps };
}

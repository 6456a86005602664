/**
 * The thinking of a search about one task: candidates are proposed, measurements learned from, test vectors worked out. Must stay
 * true: nothing is answered at once, so that all of it may be done in another thread; wherever it is done, it comes to the same.
 */
import type { Board } from '../boards/board.ts';
import type { Graph } from '../compiler/graph/graph.ts';
import type { Task } from '../compiler/tasks.ts';
import { candidateMaker, type Proposed, withoutHopeless } from './candidates.ts';
import type { CostModel } from './cost-models/index.ts';
import { type Bench, benchOf, type Vector } from './measure/bench.ts';
import type { NamedPolicy, Opinion, Policy } from './policies/index.ts';
import type { Random } from './random.ts';
import { type SearchSpace, spaceOf, type TemplateSource } from './space.ts';
import type { Config } from './types.ts';

export interface Mind {
  readonly policy: Policy;
  propose(config: Config): Promise<Proposed>;
  /** The test vector that a number stands for, see Bench. */
  vector(n: number): Promise<Vector>;
}
/** What a mind is asked about. */
export interface Subject {
  readonly task: Task;
  readonly random: Random;
  /** Most scratch of a candidate. */
  readonly scratchBytes: number;
  /** Count of the fastest so far; Infinity before. */
  readonly best: () => number;
}

/** What there is to know of a task before anything is measured. */
export interface Ground {
  readonly bench: Bench;
  readonly space: SearchSpace;
  readonly propose: (config: Config) => Proposed;
}
export interface Setting {
  readonly graph: Graph;
  readonly board: Board;
  readonly templates: TemplateSource;
}

/** `scratchBytes`: from the bench, which says what a device's memory must hold beside. */
export function groundOf(task: Task, s: Setting, scratchBytes: (bench: Bench) => number): Ground {
  const bench = benchOf(task, s.graph);
  const space = spaceOf(task.workload, s.board.target.features, s.templates);
  return { bench, space, propose: candidateMaker(task, space, { board: s.board, scratchBytes: scratchBytes(bench) }) };
}

/** A mind in this thread. */
export function mindHere(
  { bench, space, propose }: Ground,
  policy: NamedPolicy,
  { random, best }: Pick<Subject, 'random' | 'best'>,
  costModel: CostModel | undefined,
  opinion?: Opinion,
): Mind {
  return {
    // What was measured before is proposed to be told, however slow it was; what a policy draws must have a chance.
    policy: policy.make({ space, random, propose: withoutHopeless(propose, best), costModel, opinion }),
    propose: async (config) => propose(config),
    vector: async (n) => bench.vector(n),
  };
}

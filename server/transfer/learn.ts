/**
 * What a search thinks of a candidate before anything is measured: what similar layers of the log teach, else what the cost model
 * says that ships for the board. Must stay true: it is an opinion about the order of candidates, which the search's own trials
 * correct; equal lessons teach the same.
 */
import type { Task } from '../../compiler/tasks.ts';
import {
  type Ranker,
  rankerFile,
  rankerOf,
  readRanker,
  type Trained,
  trainRanker,
} from '../../tuner/cost-models/shipped.ts';
import type { Opinion } from '../../tuner/policies/index.ts';
import { prepare } from '../models.ts';
import { intact, shippedDir } from '../shipped/file.ts';
import { workOf } from '../shipped/nearest.ts';
import { replayed } from '../trials/replayed.ts';
import type { Lesson } from './lessons.ts';

export interface Course {
  readonly board: string;
  /** The networks of all lessons, by model id. */
  readonly models: ReadonlyMap<string, { readonly name: string; readonly bytes: Uint8Array }>;
  readonly lessons: readonly Lesson[];
}
export interface Transfer {
  readonly opinionOf: (task: Task) => Opinion;
  /** Where it comes from, in words. */
  readonly from: string;
}

/** Fewer trials than these teach less than what ships. */
const enough = 48;

/** Takes seconds. Undefined where there is nothing to learn from. Throws DamagedFile. */
export function transferOf(course: Course): Transfer | undefined {
  const taught = trialsOf(course).filter((t) => t.length > 0);
  const trials = taught.flat();
  if (trials.length >= enough)
    return {
      opinionOf: opinionBy(rankerOf(trainRanker(trials))),
      from: `${trials.length} trials of ${taught.length} similar layers`,
    };
  const { board } = course;
  const ships = intact(rankerFile(shippedDir, board), () => readRanker(shippedDir, board));
  return ships && { opinionOf: opinionBy(ships), from: 'the cost model that ships' };
}

const opinionBy =
  (ranker: Ranker) =>
  ({ workload }: Task): Opinion => {
    const work = workOf(workload);
    return ({ features }) => ranker(features, work) + Math.log2(work);
  };

/** By lesson. */
function trialsOf({ board, models, lessons }: Course): readonly (readonly Trained[])[] {
  const networks = new Map([...models].map(([id, { bytes, name }]) => [id, prepare(bytes, name)]));
  return lessons.map(({ task: id, model, trials }) => {
    const network = networks.get(model);
    const task = network?.ok ? network.value.tasks.find((t) => t.id === id) : undefined;
    // Another microtune may have made other layers of that network.
    if (task === undefined) return [];
    const features = replayed(task, board, trials);
    const work = workOf(task.workload);
    return trials.flatMap(({ id: trial, cycles }): readonly Trained[] => {
      const seen = features.get(trial);
      return seen === undefined || cycles === null ? [] : [{ features: seen, work, cycles }];
    });
  });
}

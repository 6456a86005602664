/**
 * What a search may learn from other tasks of the log: trials of the layers that are most like its own, on its board, by its
 * compiler. Must stay true: nothing of the search's own tasks, which it knows itself; however long the log is, no more than a few
 * hundred trials.
 */
import { type Task, taskIdOf } from '../../compiler/tasks.ts';
import type { Workload } from '../../compiler/workload.ts';
import type { Comparable, Relative, Store, TuningRecord } from '../../db/types.ts';
import { distance } from '../shipped/nearest.ts';
import type { Course } from './learn.ts';

/** Trials of one task, which a network has. */
export interface Lesson {
  readonly task: string;
  /** Model id. */
  readonly model: string;
  readonly trials: readonly Pick<TuningRecord, 'id' | 'schedule' | 'cycles'>[];
}

/** Layers that are listened to, and trials of each: their schedules are replayed, about a hundred a second. */
const mostLayers = 12;
const trialsOfEach = 24;

/** All that is needed to learn from them elsewhere. `of`: what the measurements must have in common with the search's. */
export function courseFor(
  tasks: readonly Task[],
  of: Omit<Comparable, 'task' | 'job'>,
  store: Pick<Store, 'relatives' | 'spread' | 'model'>,
): Course {
  const lessons = lessonsFor(tasks, of, store);
  const models = [...new Set(lessons.map((l) => l.model))].flatMap((id) => store.model(id) ?? []);
  return { board: of.board, models: new Map(models.map((m) => [m.id, m])), lessons };
}

/** Nearest first. */
export function lessonsFor(
  tasks: readonly Task[],
  of: Omit<Comparable, 'task' | 'job'>,
  store: Pick<Store, 'relatives' | 'spread'>,
): readonly Lesson[] {
  const ops = [...new Set(tasks.map((t) => t.workload.op))];
  const near = store
    .relatives(of, ops)
    .map((relative) => ({ ...relative, apart: apart(relative, tasks) }))
    .filter((r) => Number.isFinite(r.apart) && !tasks.some((t) => t.id === r.task))
    .sort((a, b) => a.apart - b.apart);
  const lessons: Lesson[] = [];
  for (const { task, model } of near) {
    if (lessons.length === mostLayers) break;
    const trials = store.spread({ ...of, task }, trialsOfEach);
    if (trials.length > 0)
      lessons.push({ task, model, trials: trials.map(({ id, schedule, cycles }) => ({ id, schedule, cycles })) });
  }
  return lessons;
}

/** How unlike the most similar task it is; Infinity where what is written is not the workload of the task. */
function apart({ task, workload: key }: Relative, tasks: readonly Task[]): number {
  if (taskIdOf(key) !== task) return Number.POSITIVE_INFINITY;
  const workload = JSON.parse(key) as Workload;
  return Math.min(...tasks.map((t) => distance(workload, t.workload)));
}

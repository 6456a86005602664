/** The Log of a database (log-types.ts): each question put to the part that answers it. */
import type { Database } from 'better-sqlite3';
import { Curves } from './curves.ts';
import type { Log } from './log-types.ts';
import { logBytes, pageBytes } from './size.ts';
import { Stats } from './stats.ts';
import type { Tasks } from './tasks.ts';

/** `read` turns what the outside world does to the file into StoreError. */
export function logOn(db: Database, tasks: Tasks, read: <T>(work: () => T) => T): Log {
  const [stats, curves] = [new Stats(db), new Curves(db)];
  return {
    best: (filter) => read(() => stats.best(filter)),
    failures: (filter, by) => read(() => stats.failures(filter, by)),
    knobs: (of) => read(() => stats.knobs(of)),
    scatter: (of, limit) => read(() => stats.scatter(of, limit)),
    kinds: (filter) => read(() => stats.kinds(filter)),
    curveOfJob: (job) => read(() => curves.ofJob(job)),
    curveOfTask: (of) => read(() => curves.ofTask(of)),
    tasks: (filter, limit, cursor) => read(() => tasks.page(filter, limit, cursor)),
    task: (id) => read(() => tasks.task(id)),
    layerNames: (task, model) => read(() => tasks.layerNames(task, model)),
    size: () => read(() => sizeOf(db)),
  };
}

function sizeOf(db: Database): { readonly bytes: number; readonly trials: number } {
  const trials = db.prepare<[], number>('SELECT ifnull(sum(trials), 0) FROM lots').pluck().get()!;
  return { bytes: pageBytes(db) + logBytes(db.name), trials };
}

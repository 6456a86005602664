/**
 * Measures the records that ship again, without a search: after a change of kernels, templates or compiler their settings mean what
 * they mean today. Must stay true: what is not legal any more goes, and of a task all records are measured or none.
 */
import { cpus } from 'node:os';
import type { Task } from '../../compiler/tasks.ts';
import { type MeasuredOn, readShipped, type ShippedRecord } from '../../server/shipped/file.ts';
import { openSession, type Session, type Subject } from '../session.ts';
import { frontOf } from './front.ts';
import { measuredOn, recordOf, writeShipped } from './shipped.ts';

/** `names`: whose records, all where it is left out. `aboutOf`: the model or the layers that a name in the records stands for. */
export async function refresh(
  board: string,
  names: readonly string[] | undefined,
  aboutOf: (name: string) => string | Subject,
  say: (line: string) => void,
): Promise<void> {
  const file = readShipped(board);
  if (file === undefined) throw new Error(`no records ship for ${board}`);
  const done = new Map<string, readonly ShippedRecord[]>();
  let on: MeasuredOn = file.on;
  const stays = file.records.filter((r) => names !== undefined && !r.for.some((name) => names.includes(name)));
  const wanted = file.records.flatMap((r) => r.for).filter((name) => names?.includes(name) ?? true);
  for (const name of new Set(wanted)) {
    const session = await openSession(aboutOf(name), board, cpus().length);
    on = measuredOn(session);
    try {
      for (const task of session.tasks) {
        const old = file.records.filter((r) => r.task === task.id);
        if (old.length > 0 && !done.has(task.id)) done.set(task.id, await again(session, task, old, say));
      }
    } finally {
      await session.close();
    }
    say(`${name}: measured again`);
  }
  writeShipped({ on, records: [...stays, ...[...done.values()].flat()] });
}

/** The records of a task, as they are now. */
async function again(
  session: Session,
  task: Task,
  old: readonly ShippedRecord[],
  say: (line: string) => void,
): Promise<readonly ShippedRecord[]> {
  const names = [...new Set(old.flatMap((r) => r.for))].sort();
  const { space, propose, measure } = session.workbench(task);
  const configs = [space.fallback, ...old.filter((r) => r.config.template !== 'default').map((r) => r.config)];
  const measured = await Promise.all(
    configs.map(async (config) => {
      const made = propose(config);
      if (!made.ok) return void say(`refused now: ${JSON.stringify(config)}: ${made.detail}`);
      const result = await measure(made.candidate);
      if (result.status === 'ok') return recordOf(names, task, made.candidate, result);
      return void say(`${task.workload.op} ${result.code}: ${result.detail}`);
    }),
  );
  const fresh = measured.filter((r) => r !== undefined);
  const before = Math.min(...old.map((r) => r.cycles));
  const now = Math.min(...fresh.map((r) => r.cycles));
  if (now !== before) say(`${task.id} ${task.workload.op}: ${before} -> ${now} cycles`);
  return frontOf(task, fresh);
}

/**
 * Measures the records that ship again, without a search: after a change of kernels, templates or compiler their settings mean what
 * they mean today. Must stay true: what is not legal any more goes, and of a task all records are measured or none.
 */
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import type { Task } from '../../compiler/tasks.ts';
import {
  type MeasuredOn,
  printShipped,
  readShipped,
  type ShippedRecord,
  shippedDir,
} from '../../server/shipped/file.ts';
import type { Candidate } from '../../tuner/candidates.ts';
import type { PolicyFactory } from '../../tuner/policies/index.ts';
import type { Config } from '../../tuner/types.ts';
import { openSession, type Session, type Subject } from '../session.ts';
import { frontOf } from './front.ts';

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
    on = { ...on, toolchain: session.toolchain, flags: session.module.target.flags.join(' ') };
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
  writeFileSync(
    join(shippedDir, `${board}.jsonl`),
    printShipped({ on, records: [...stays, ...[...done.values()].flat()] }),
  );
}

/** The records of a task, as they are now. */
async function again(
  session: Session,
  task: Task,
  old: readonly ShippedRecord[],
  say: (line: string) => void,
): Promise<readonly ShippedRecord[]> {
  const fresh: ShippedRecord[] = [];
  const names = [...new Set(old.flatMap((r) => r.for))].sort();
  const configs = old.filter((r) => r.config.template !== 'default').map((r) => r.config);
  await session.run({
    policy: { make: listed(configs, say), model: 'without' },
    tasks: [task],
    seed: 1,
    trials: configs.length + 1,
    record: ({ config, schedule, result }) => {
      if (result.status === 'failed') return say(`${task.workload.op} ${result.code}: ${result.detail}`);
      const { cycles, sizes } = result;
      fresh.push({ for: names, task: task.id, workload: task.workload, cycles, sizes, config, schedule });
    },
  });
  const before = Math.min(...old.map((r) => r.cycles));
  const now = Math.min(...fresh.map((r) => r.cycles));
  if (now !== before) say(`${task.id} ${task.workload.op}: ${before} -> ${now} cycles`);
  return frontOf(task, fresh);
}

/** A policy that asks for what the list says, in its order, and tells what of it is not legal. */
const listed =
  (list: readonly Config[], say: (line: string) => void): PolicyFactory =>
  ({ propose }) => {
    const left = [...list];
    return {
      ask: (count) => {
        const out: Candidate[] = [];
        for (let next = left.shift(); next !== undefined; next = out.length < count ? left.shift() : undefined) {
          const made = propose(next);
          if (made.ok) out.push(made.candidate);
          else say(`refused now: ${JSON.stringify(next)}: ${made.detail}`);
        }
        return Promise.resolve(out);
      },
      tell: () => undefined,
    };
  };

/**
 * Measures the layers of a network in other layouts: the fastest settings that ship, as their neighbours could take and leave their
 * tensors. Must stay true: a layer's other records stay as they are.
 */
import { cpus } from 'node:os';
import { laysOut } from '../../compiler/select.ts';
import type { Task } from '../../compiler/tasks.ts';
import { templates } from '../../kernels/index.ts';
import type { Layouts } from '../../kernels/template.ts';
import { readShipped, type ShippedRecord } from '../../server/shipped/file.ts';
import { inLayouts, layoutsIn, noLayouts } from '../../tuner/layouts.ts';
import { openSession, type Session, type Subject } from '../session.ts';
import { fastestLaidOut } from './front.ts';
import { measuredOn, recordOf, writeShipped } from './shipped.ts';

/** Settings of a task whose layouts are measured: the fastest, and what other constants or less memory may want. */
const mostSettings = 3;

/** Puts what it measures of a network's layers into the records that ship. */
export async function measureLayouts(
  name: string,
  about: string | Subject,
  board: string,
  say: (line: string) => void,
): Promise<void> {
  const file = readShipped(board);
  if (file === undefined) throw new Error(`no records ship for ${board}`);
  const session = await openSession(about, board, cpus().length);
  try {
    const { graph, tasks, module } = session;
    if (JSON.stringify(measuredOn(session)) !== JSON.stringify(file.on))
      throw new Error('the records that ship are of another compiler: --refresh first');
    const layouts = layoutsIn(graph, tasks, templates, module.target.features);
    const made = new Map<string, readonly ShippedRecord[]>();
    for (const task of tasks) {
      const old = file.records.filter((r) => r.task === task.id && !laysOut(r.schedule));
      const fresh = await measured(session, task, old, layouts.get(task.id) ?? noLayouts);
      if (fresh.length > 0) made.set(task.id, [...old, ...fastestLaidOut(task, fresh)]);
    }
    const rest = file.records.filter((r) => !made.has(r.task));
    writeShipped({ on: file.on, records: [...rest, ...[...made.values()].flat()] });
    say(`${name}: ${made.size} of ${tasks.length} tasks in other layouts`);
  } finally {
    await session.close();
  }
}

async function measured(
  session: Session,
  task: Task,
  old: readonly ShippedRecord[],
  layouts: Required<Layouts>,
): Promise<readonly ShippedRecord[]> {
  const names = [...new Set(old.flatMap((r) => r.for))].sort();
  const { propose, measure } = session.workbench(task);
  const settings = old.filter((r) => 'knobs' in r.config).sort((a, b) => a.cycles - b.cycles);
  const configs = settings
    .flatMap(({ config }) => [inLayouts(config, task, templates, layouts)])
    .filter((all) => all.length > 0)
    .slice(0, mostSettings)
    .flat();
  const done = await Promise.all(
    configs.map(async (config) => {
      const made = propose(config);
      if (!made.ok) return undefined;
      const result = await measure(made.candidate);
      return result.status === 'ok' ? recordOf(names, task, made.candidate, result) : undefined;
    }),
  );
  return done.filter((r) => r !== undefined);
}

/**
 * Does the search find the kernels by itself? From no records, on the most costly tasks of the reference networks, each policy with
 * several seeds at equal numbers of trials; writes bench/results/search.json (search-BOARD.json for another board): curves, and how far each is from the best
 * known. Every result is measured on the board, once however many searches ask for it, and kept in build/: a bench that was stopped goes on.
 * `npm run bench:search -- [--board B] [--tasks N] [--trials N] [--seeds N] [--minutes N]`
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { Task } from '../compiler/tasks.ts';
import { readShipped } from '../server/shipped/file.ts';
import { modelsDir, networkNames } from '../test/models.ts';
import { startTrainer } from '../tuner/cost-models/index.ts';
import { policies } from '../tuner/policies/index.ts';
import { Measured } from './search/measured.ts';
import { type Ground, groundOf, type Run, searchTask } from './search/run.ts';
import { summaryOf, type TaskRuns } from './search/summary.ts';
import { layerOf, openSession, resultsDir, type Session } from './session.ts';

const compared = ['guided', 'evolutionary', 'random'] as const;
const usualBoard = 'nucleo-l4r5zi';
const { values } = parseArgs({
  options: {
    board: { type: 'string', default: usualBoard },
    tasks: { type: 'string', default: '12' },
    trials: { type: 'string', default: '200' },
    seeds: { type: 'string', default: '3' },
    minutes: { type: 'string', default: '600' },
    // Read by test/models.ts.
    models: { type: 'string' },
  },
});
const [trials, seeds] = [Number(values.trials), Number(values.seeds)];
const until = performance.now() + Number(values.minutes) * 60_000;

/** A task with what it costs its network. */
interface Costly {
  readonly network: string;
  readonly session: Session;
  readonly task: Task;
  readonly shipped: number | null;
}
const weight = ({ shipped, task }: Costly): number => (shipped ?? task.macs) * task.occurrences.length;

/** The most costly tasks: by the fastest records that ship, by a cycle a MAC where there are none. */
function costly(sessions: ReadonlyMap<string, Session>): readonly Costly[] {
  const records = readShipped(values.board)?.records ?? [];
  const all = [...sessions].flatMap(([network, session]) =>
    session.tasks.map((task): Costly => {
      const cycles = records.filter((r) => r.task === task.id).map((r) => r.cycles);
      return { network, session, task, shipped: cycles.length > 0 ? Math.min(...cycles) : null };
    }),
  );
  return all.toSorted((a, b) => weight(b) - weight(a)).slice(0, Number(values.tasks));
}

function write(all: readonly TaskRuns[], { kind, toolchain }: Session): void {
  // Only what every policy searched with equal seeds is compared.
  const seedsOf = (t: TaskRuns): readonly number[] =>
    Array.from({ length: seeds }, (_, i) => i + 1).filter((seed) =>
      compared.every((p) => t.runs.some((r) => r.policy === p && r.seed === seed)),
    );
  const whole = all
    .map((t) => ({ ...t, runs: t.runs.filter((r) => seedsOf(t).includes(r.seed)) }))
    .filter((t) => t.runs.length > 0);
  const points = [10, 25, 50, 100, 200].filter((n) => n < trials).concat(trials);
  const summary = summaryOf(whole, compared, points);
  const complete = whole.length === all.length && all.every((t) => seedsOf(t).length === seeds);
  const result = { board: values.board, kind, toolchain, trials, seeds, complete, summary, tasks: whole };
  mkdirSync(resultsDir, { recursive: true });
  const file = values.board === usualBoard ? 'search.json' : `search-${values.board}.json`;
  writeFileSync(join(resultsDir, file), `${JSON.stringify(result, null, 1)}\n`);
  console.log(JSON.stringify({ complete, at: summary.at, guidedWithin5: summary.guidedWithin5 }, null, 1));
  for (const t of summary.tasks)
    console.log(
      `${t.network} ${t.layer} x${t.occurrences}: ${JSON.stringify(t.above)}, trials to 1 %: ${JSON.stringify(t.reached)}, pruned ${t.guidedPruned}`,
    );
}

const sessions = new Map<string, Session>();
for (const name of networkNames)
  sessions.set(name, await openSession(join(modelsDir, `${name}_int8.tflite`), values.board, 2));
const [session] = sessions.values();
if (session === undefined) throw new Error('no networks');
const about = `${values.board}, ${session.toolchain}`;
const measured = new Measured(resolve(import.meta.dirname, `../build/bench/search-${values.board}.jsonl`), about);
const trainer = startTrainer();
const chosen = costly(sessions);
const grounds = new Map<Costly, Ground>(chosen.map((c) => [c, groundOf(c.session, c.task, measured)]));
const runs = new Map<Costly, Run[]>(chosen.map((c) => [c, []]));
/** All policies on all tasks with a seed before the next seed: what there is when time is up is comparable. */
const plan = Array.from({ length: seeds }, (_, i) => i + 1).flatMap((seed) =>
  chosen.flatMap((c) => compared.map((name) => ({ seed, c, name }))),
);
for (const { seed, c, name } of plan) {
  if (performance.now() > until) break;
  const [policy, ground] = [policies[name], grounds.get(c)];
  if (policy === undefined || ground === undefined) throw new Error(`no policy ${name}`);
  const since = performance.now();
  const run = await searchTask(ground, { name, policy, seed, trials }, trainer);
  runs.get(c)?.push(run);
  console.error(
    `${c.network} ${layerOf(c.task)} ${name} seed ${seed}: ${run.trials} trials, ${run.pruned} pruned, ${run.steps.at(-1)?.[1]} cycles at ${run.steps.at(-1)?.[0]} (${measured.size} known, ${Math.round((performance.now() - since) / 1000)} s)`,
  );
}
write(
  chosen.map((c) => ({
    network: c.network,
    task: c.task.id,
    layer: layerOf(c.task),
    occurrences: c.task.occurrences.length,
    space: grounds.get(c)?.space.size ?? 0,
    shipped: c.shipped,
    runs: runs.get(c) ?? [],
  })),
  session,
);
await trainer.close();
for (const s of sessions.values()) await s.close();

/**
 * Does tuning pay, and does guidance? Searches kws on emulated Cortex-M4 boards with several policies and seeds and writes
 * bench/results/tuning.json (tuning-BOARD.json for another board): what the whole network takes, the sum over its layers, after
 * so many trials.
 * `npm run bench:tuning [-- --model FILE --board B --trials N --seeds N]`.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { modelsDir } from '../test/models.ts';
import type { TaskProgress } from '../tuner/tune.ts';
import { millions } from './markdown.ts';
import { openSession, resultsDir, type Session } from './session.ts';

const searches = ['guided', 'evolutionary', 'random'] as const;
type Policy = (typeof searches)[number];

interface Run {
  readonly policy: Policy;
  readonly seed: number;
  readonly default: number;
  /** Best so far after each step of trials. */
  readonly curve: readonly number[];
}

const whole = (tasks: readonly TaskProgress[], of: (t: TaskProgress) => number | null): number =>
  tasks.reduce((n, t) => n + (of(t) ?? Number.POSITIVE_INFINITY) * t.task.occurrences.length, 0);

async function search(session: Session, policy: Policy, seed: number, trials: number, step: number): Promise<Run> {
  const curve: number[] = [];
  let plain = Number.POSITIVE_INFINITY;
  await session.run({
    policy,
    seed,
    trials,
    progress: (tasks, spent) => {
      plain = whole(tasks, (t) => t.default);
      const best = whole(tasks, (t) => t.best);
      const at = Math.floor(spent / step) - 1;
      while (curve.length <= at) curve.push(best);
    },
  });
  return { policy, seed, default: plain, curve };
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[(values.length - 1) >> 1] ?? Number.NaN;

function summary(runs: readonly Run[], trials: number, step: number) {
  const at = (policy: Policy, n: number): number =>
    median(runs.filter((r) => r.policy === policy).map((r) => r.curve[Math.floor(n / step) - 1] ?? Number.NaN));
  const half = trials / 2;
  return {
    default: median(runs.map((r) => r.default)),
    medians: Object.fromEntries(
      searches.map((p) => [p, { [`after ${half}`]: at(p, half), [`after ${trials}`]: at(p, trials) }]),
    ),
    guidedAtHalfBeatsRandomAtEnd: at('guided', half) <= at('random', trials),
    speedUp: Number((median(runs.map((r) => r.default)) / at('guided', trials)).toFixed(2)),
  };
}

const usualBoard = 'mps2-an386';
const { values } = parseArgs({
  options: {
    model: { type: 'string', default: join(modelsDir, 'kws_int8.tflite') },
    models: { type: 'string' },
    board: { type: 'string', default: usualBoard },
    trials: { type: 'string', default: '400' },
    seeds: { type: 'string', default: '5' },
  },
});
const trials = Number(values.trials);
const step = Math.max(1, Math.floor(trials / 16));
const session = await openSession(values.model, values.board, 2);
const runs: Run[] = [];
for (let seed = 1; seed <= Number(values.seeds); seed++) {
  for (const policy of searches) {
    const run = await search(session, policy, seed, trials, step);
    runs.push(run);
    const half = run.curve[Math.floor(trials / 2 / step) - 1] ?? Number.NaN;
    console.log(
      `${policy.padEnd(12)} seed ${seed}: default ${millions(run.default)} M, after ${trials / 2} trials ${millions(half)} M, after ${trials} ${millions(run.curve.at(-1) ?? Number.NaN)} M`,
    );
  }
}
await session.close();
const { model, board, kind, toolchain } = session;
const result = { model, board, kind, toolchain, trials, step, ...summary(runs, trials, step), runs };
mkdirSync(resultsDir, { recursive: true });
const file = board === usualBoard ? 'tuning.json' : `tuning-${board}.json`;
writeFileSync(join(resultsDir, file), `${JSON.stringify(result, null, 2)}\n`);
console.log(JSON.stringify(result.medians, null, 2));
console.log(`guided at half the trials beats random at the end: ${result.guidedAtHalfBeatsRandomAtEnd}`);

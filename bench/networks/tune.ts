/**
 * Makes the records that ship anew, from nothing: searches all layers of networks on emulated boards, keeps what frontOf() chooses, trains the cost
 * model on all trials. What other networks' searches found stays in the file, as long as compiler and board are the same.
 */
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import type { Task } from '../../compiler/tasks.ts';
import { type Template, templates } from '../../kernels/index.ts';
import { toolchainOf } from '../../server/offers.ts';
import { roomForScratch } from '../../server/scratch-room.ts';
import { type MeasuredOn, readShipped, type ShippedRecord, shippedDir } from '../../server/shipped/file.ts';
import { workOf } from '../../server/shipped/nearest.ts';
import { printRanker, rankerFile, type Trained, trainRanker } from '../../tuner/cost-models/shipped.ts';
import type { TaskProgress, TrialRecord } from '../../tuner/tune.ts';
import { openSession, type Session, type Subject } from '../session.ts';
import { frontOf } from './front.ts';
import { arenaBudget } from './published.ts';
import { measuredOn, recordOf, writeShipped } from './shipped.ts';
import { keepTrials } from './trials.ts';

export interface Search {
  readonly board: string;
  /** Of each task, on average: the task scheduler shares them out. */
  readonly trials: number;
  readonly seeds: number;
  readonly say: (line: string) => void;
}
/** How one search of one network went. */
export interface Went {
  readonly network: string;
  /** Where it was for less RAM than the board has. */
  readonly ramBudget?: number;
  readonly seed: number;
  readonly tasks: number;
  readonly trials: number;
  readonly failed: number;
  readonly seconds: number;
  /** Sums over the layers. */
  readonly defaultCycles: number;
  readonly cycles: number;
}

type Found = ReadonlyMap<string, { readonly task: Task; readonly trials: TrialRecord[] }>;

/** Searches one network, or one family of layers, and puts what it found into records/ and into the trials kept in build/. */
export async function tuneNetwork(name: string, about: string | Subject, s: Search): Promise<readonly Went[]> {
  const session = await openSession(about, s.board, cpus().length);
  try {
    const found: Found = new Map(session.tasks.map((task) => [task.id, { task, trials: [] }]));
    const went: Went[] = [];
    for (const room of [undefined, ...tightRooms(name, session)])
      for (let seed = 1; seed <= s.seeds; seed++) {
        went.push(await searchOnce(name, session, found, { ...s, seed, room }));
        s.say(wentText(went.at(-1) as Went));
      }
    keep(name, measuredOn(session), found);
    return went;
  } finally {
    await session.close();
  }
}

/** A search for networks that have less RAM than the board. */
interface Room {
  readonly ramBudget: number;
  readonly scratchBytes: (task: Task) => number;
}
/** Parts of what a budget leaves for scratch: all of it, and so little that the stack and some code have room beside it. */
const partsOfRoom = [1, 1 / 4];
/** Trials of a task in each of them: fewer than with all RAM, as fewer settings are legal. */
const tightTrials = (trials: number): number => Math.min(trials, Math.max(12, Math.ceil(trials / 4)));
/** Within what TFLite Micro's arena takes; none for layers that are no network, and on cores where nobody measured it. */
function tightRooms(name: string, { graph, tasks, module: board, toolchain }: Session): readonly Room[] {
  const ramBudget = arenaBudget(name, board.cpu);
  if (ramBudget === undefined) return [];
  const room = roomForScratch({ graph, tasks, board, toolchain: toolchainOf(board, toolchain), ramBytes: ramBudget });
  return partsOfRoom.map((part) => ({ ramBudget, scratchBytes: (task) => part * room(task) }));
}
/** Templates that place nothing in RAM. */
const inFlash: readonly Template[] = templates.map((template) => ({
  ...template,
  knobs: (w, features) =>
    template.knobs(
      w,
      features.filter((f) => f !== 'places'),
    ),
}));

async function searchOnce(
  network: string,
  session: Session,
  found: Found,
  { trials, say, seed, room }: Search & { readonly seed: number; readonly room: Room | undefined },
): Promise<Went> {
  const since = performance.now();
  let last: readonly TaskProgress[] = [];
  await session.run({
    policy: 'guided',
    seed,
    trials: (room === undefined ? trials : tightTrials(trials)) * session.tasks.length,
    ...(room !== undefined && { templates: inFlash, scratchBytes: room.scratchBytes }),
    record: (trial) => {
      found.get(trial.task.id)?.trials.push(trial);
      const { task, result, config } = trial;
      if (result.status === 'failed')
        say(
          `${network}: ${task.workload.op} ${result.stage} ${result.code}: ${result.detail} ${JSON.stringify(config)}`,
        );
    },
    progress: (tasks) => {
      last = tasks;
    },
  });
  const sum = (of: (t: TaskProgress) => number): number => last.reduce((n, t) => n + of(t), 0);
  return {
    network,
    ...(room !== undefined && { ramBudget: room.ramBudget }),
    seed,
    tasks: session.tasks.length,
    trials: sum((t) => t.trials),
    failed: sum((t) => t.failed),
    seconds: Math.round((performance.now() - since) / 1000),
    defaultCycles: sum((t) => (t.default ?? Number.NaN) * t.task.occurrences.length),
    cycles: sum((t) => (t.best ?? Number.NaN) * t.task.occurrences.length),
  };
}

export const wentText = (w: Went): string =>
  `${w.network}${w.ramBudget === undefined ? '' : ` within ${w.ramBudget} bytes of RAM`}: seed ${w.seed}, ${w.tasks} tasks, ${w.trials} trials (${w.failed} failed) in ${w.seconds} s: ` +
  `default ${w.defaultCycles} -> ${w.cycles} cycles, sum over layers`;

/** Puts what was found in the place of what the network had. */
function keep(name: string, on: MeasuredOn, found: Found): void {
  const before = readShipped(on.board);
  const same = before !== undefined && JSON.stringify(before.on) === JSON.stringify(on);
  const others = without(name, same ? before.records : []);
  const records = [...found.values()].flatMap(({ task, trials }) => merged(name, task, trials, others));
  const rest = others.filter((r) => !found.has(r.task));
  writeShipped({ on, records: [...rest, ...records] });
  writeFileSync(
    rankerFile(shippedDir, on.board),
    printRanker(trainRanker(Object.values(keepTrials(name, on.board, trained(found))).flat())),
  );
}

/** The records less those that only `name` has. */
export const without = (name: string, records: readonly ShippedRecord[]): readonly ShippedRecord[] =>
  records.map((r) => ({ ...r, for: r.for.filter((n) => n !== name) })).filter((r) => r.for.length > 0);

/** What ships of a task: of the trials, and of what was found when it was met in another network. */
function merged(
  name: string,
  task: Task,
  trials: readonly TrialRecord[],
  others: readonly ShippedRecord[],
): readonly ShippedRecord[] {
  const known = others.filter((r) => r.task === task.id);
  const names = [...new Set([name, ...known.flatMap((r) => r.for)])].sort();
  const fresh = trials.flatMap((trial) =>
    trial.result.status === 'ok' ? [recordOf(names, task, trial, trial.result)] : [],
  );
  // The default stays one, although a template may have come to the same steps.
  const keyOf = (r: ShippedRecord): string => `${r.config.template === 'default'} ${JSON.stringify(r.schedule)}`;
  const all = new Map([...known, ...fresh].map((r) => [keyOf(r), { ...r, for: names }]));
  return frontOf(task, [...all.values()]);
}

/** What the cost model learns from: whatever was measured, once. */
const trained = (found: Found): readonly Trained[] =>
  [...found.values()].flatMap(({ task, trials }) =>
    trials.flatMap(({ features, result, reusedFrom }) =>
      result.status === 'ok' && reusedFrom === null
        ? [{ features, work: workOf(task.workload), cycles: result.cycles }]
        : [],
    ),
  );

/**
 * From what is known to what a layer is offered: the best records of its task, best first, and the default schedule last.
 * Only records of the same environment count: another compiler or other flags make other code.
 */
import type { Board } from '../boards/index.ts';
import type { Result } from '../compiler/result.ts';
import { type Offer, type Selected, select } from '../compiler/select.ts';
import type { Task } from '../compiler/tasks.ts';
import type { Store, TuningRecord } from '../db/types.ts';
import { defaultSchedule, describeSchedule, placedInRam } from '../kernels/index.ts';
import type { Config } from '../tuner/types.ts';
import { type Candidates, type RamRoom, shareRam } from './ram-share.ts';

/** Records looked at for a task: the constants of an occurrence may refuse the first ones. */
const depth = 64;

/** What makes records comparable on one board. */
export interface Toolchain {
  /** First line of the compiler's version. */
  readonly version: string;
  readonly flags: string;
}
export const toolchainOf = (board: Board, version: string): Toolchain => ({
  version,
  flags: board.target.flags.join(' '),
});
export const sameToolchain = (r: TuningRecord, t: Toolchain): boolean =>
  r.toolchain === t.version && r.flags === t.flags;

export const wordsOf = (config: Config): string =>
  'knobs' in config
    ? describeSchedule({ template: config.template, knobs: config.knobs })
    : `${config.template}: ${describeSchedule({ schedule: config.schedule })}`;

const defaultOffer = (task: Task, board: Board): Offer => {
  const schedule = defaultSchedule(task.workload, board.target.features);
  return { schedule, words: `default: ${describeSchedule({ schedule })}` };
};

const offerOf = (r: TuningRecord): Offer => ({
  schedule: r.schedule,
  words: wordsOf(r.config),
  record: r.id,
  // A count that does not stand here is good for an order, not for a comment in C.
  ...(r.cycles !== null && r.doubt === null && { cycles: { count: r.cycles, kind: r.kind } }),
});

/** Where records come from: the database, or a file. */
export type Records = Pick<Store, 'best' | 'known'>;

/**
 * How much memory offers may take: `fast` any; `shared` of RAM for code and constants what trials had of it, shared out by
 * worth; `flash` none of that; `small` no more than the default schedule; `default` only that one.
 */
export type Appetite = 'fast' | 'shared' | 'flash' | 'small' | 'default';

/** From the most to the least. Where a board places nothing in RAM, two of them would change nothing. */
const appetitesOf = ({ placed }: Board): readonly Appetite[] =>
  placed === undefined ? ['fast', 'small', 'default'] : ['fast', 'shared', 'flash', 'small', 'default'];

/**
 * What is made with the fastest schedules; where that does not fit, with ones that take less and less memory. `told` hears of
 * each that was too big, and what is tried next.
 */
export async function fitting<T>(
  board: Board,
  make: (appetite: Appetite) => Promise<Result<T>>,
  told: (next: Appetite, why: string) => void = () => undefined,
): Promise<Result<T>> {
  const [first = 'fast', ...others] = appetitesOf(board);
  let made = await make(first);
  for (const next of others) {
    if (made.ok || made.error.code !== 'MODEL_TOO_BIG') break;
    told(next, made.error.detail);
    made = await make(next);
  }
  return made;
}

/**
 * The best schedules that the store knows for each layer of a network, best first, else the default ones. Without a store:
 * default schedules only.
 */
export function selectKnown(
  tasks: readonly Task[],
  board: Board,
  store: Records | undefined,
  toolchain: Toolchain,
  appetite: Appetite,
): readonly Selected[] {
  const known = tasks.map((task) => ({
    task,
    records: (store?.best(task.id, board.id, board.kind, depth) ?? []).filter((r) => sameToolchain(r, toolchain)),
  }));
  const usable = store === undefined ? new Map() : modest(known, board, store, appetite);
  return select(tasks, (task) => [...(usable.get(task.id) ?? []).map(offerOf), defaultOffer(task, board)]);
}

/** By task: the records whose memory suits the appetite. */
function modest(
  known: readonly Candidates[],
  board: Board,
  store: Records,
  appetite: Appetite,
): ReadonlyMap<string, readonly TuningRecord[]> {
  switch (appetite) {
    case 'fast':
      return new Map(known.map(({ task, records }) => [task.id, records]));
    case 'shared':
      return shareRam(known, board.placed ?? noRam);
    case 'flash':
      return shareRam(known, noRam);
    case 'small':
      return new Map(known.map(({ task, records }) => [task.id, records.filter(noLarger(task, board, store))]));
    case 'default':
      return new Map();
  }
}
const noRam: RamRoom = { dataBytes: 0, codeBytes: 0 };

/** Whether a record takes no more than the task's default schedule, and nothing of RAM that this one does not. */
function noLarger(task: Task, board: Board, store: Records): (r: TuningRecord) => boolean {
  const limit = store.known(task.id, board.id, board.kind).find((k) => k.template === 'default')?.sizes;
  return ({ schedule, sizes }) =>
    sizes !== null &&
    limit != null &&
    sizes.constBytes <= limit.constBytes &&
    sizes.scratchBytes <= limit.scratchBytes &&
    placedInRam(schedule).length === 0;
}

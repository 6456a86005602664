/**
 * From what is known to what a layer is offered: the best records of its task, best first, and the default schedule last.
 * Only records of the same environment count: another compiler or other flags make other code.
 */
import type { Board } from '../boards/index.ts';
import { type Offer, type Selected, select } from '../compiler/select.ts';
import type { Task } from '../compiler/tasks.ts';
import type { Store, TuningRecord } from '../db/types.ts';
import { defaultSchedule, describeSchedule } from '../kernels/index.ts';
import type { Config, Sizes } from '../tuner/types.ts';

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

/** What a task may be given: an offer, and what its trial took; undefined where there was none. */
export interface KnownOffer {
  readonly offer: Offer;
  readonly trial?: { readonly cycles: number; readonly sizes: Sizes };
}

/** The offers for a task, fastest first, at most `limit` and last the default schedule. Without a store only that one. */
export function offersFor(
  task: Task,
  board: Board,
  store: Records | undefined,
  toolchain: Toolchain,
  limit: number,
): readonly KnownOffer[] {
  const records = store?.best(task.id, board.id, board.kind, limit) ?? [];
  const known = records
    .filter((r) => sameToolchain(r, toolchain))
    .map((r): KnownOffer => {
      const trial = r.cycles !== null && r.sizes !== null ? { cycles: r.cycles, sizes: r.sizes } : undefined;
      return { offer: offerOf(r), ...(trial !== undefined && { trial }) };
    });
  return [...known, { offer: defaultOffer(task, board) }];
}

/** The fastest schedules known for each layer of a network that hold there, else the default ones. */
export const selectKnown = (
  tasks: readonly Task[],
  board: Board,
  store: Records | undefined,
  toolchain: Toolchain,
): readonly Selected[] =>
  select(tasks, (task) => offersFor(task, board, store, toolchain, depth).map(({ offer }) => offer));

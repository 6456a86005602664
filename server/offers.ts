/**
 * From what is known to what a layer is offered: the best records of its task, best first, and the default schedule last.
 * Only records of the same environment count: another compiler or other flags make other code.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { Board } from '../boards/index.ts';
import { type Offer, type Selected, select } from '../compiler/select.ts';
import type { Task } from '../compiler/tasks.ts';
import type { Store, TuningRecord } from '../db/types.ts';
import { defaultSchedule, describeSchedule } from '../kernels/index.ts';
import type { Config, Sizes } from '../tuner/types.ts';

/** Records looked at for a task: the constants of an occurrence may refuse the first ones, and the slower may be smaller. */
const depth = 4096;
/** Of them read at once while others wait: some milliseconds. */
const piece = 128;

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
  ...(r.cycles !== null && { expected: r.cycles }),
});

/** Where records come from: the database, a file, or what ships. */
export type Records = Pick<Store, 'best'>;

/** Of records from several places the fastest, in the order that a Store promises; what has no count comes last. */
export const fastest = (records: readonly TuningRecord[], limit: number): readonly TuningRecord[] =>
  records.toSorted((a, b) => cyclesOf(a) - cyclesOf(b)).slice(0, limit);
const cyclesOf = (r: TuningRecord): number => r.cycles ?? Number.POSITIVE_INFINITY;

/** What a task may be given: an offer, and what its trial took; undefined where there was none. */
export interface KnownOffer {
  readonly offer: Offer;
  readonly trial?: { readonly cycles: number; readonly sizes: Sizes };
  /** It is the default schedule. */
  readonly plain?: true;
}

/** By id of the task: offers, fastest first; among them, else as the last, is its default schedule. */
export type OffersByTask = ReadonlyMap<string, readonly KnownOffer[]>;

/** The offers for each task of a network. Without a store only the default schedules. */
export const offersFor = (
  tasks: readonly Task[],
  board: Board,
  store: Records | undefined,
  toolchain: Toolchain,
): OffersByTask => new Map(tasks.map((task) => [task.id, offersOf(task, board, store, toolchain)]));

function offersOf(task: Task, board: Board, store: Records | undefined, toolchain: Toolchain): readonly KnownOffer[] {
  const plain = defaultOffer(task, board);
  const records = store?.best(task.id, board.id, board.kind, depth) ?? [];
  return withDefault(knownOf(records, toolchain, plain), plain);
}

/** The offers for one task, of a log that may be long: others have their turn between two pieces of it. */
export async function offersInTurns(
  task: Task,
  board: Board,
  store: Pick<Store, 'bestInPieces'>,
  toolchain: Toolchain,
): Promise<readonly KnownOffer[]> {
  const plain = defaultOffer(task, board);
  const of = { task: task.id, board: board.id, kind: board.kind };
  const known: KnownOffer[] = [];
  for (const records of store.bestInPieces(of, { limit: depth, piece })) {
    known.push(...knownOf(records, toolchain, plain));
    await turn();
  }
  return withDefault(known, plain);
}

const knownOf = (records: readonly TuningRecord[], toolchain: Toolchain, plain: Offer): readonly KnownOffer[] =>
  records
    .filter((r) => sameToolchain(r, toolchain))
    .map((r): KnownOffer => {
      const trial = r.cycles !== null && r.sizes !== null ? { cycles: r.cycles, sizes: r.sizes } : undefined;
      const isPlain = isDeepStrictEqual(r.schedule, plain.schedule);
      return { offer: offerOf(r), ...(trial !== undefined && { trial }), ...(isPlain && { plain: true }) };
    });

const withDefault = (known: readonly KnownOffer[], plain: Offer): readonly KnownOffer[] =>
  known.some((k) => k.plain) ? known : [...known, { offer: plain, plain: true }];

/** The fastest schedules known for each layer of a network that hold there, else the default ones. */
export function selectKnown(
  tasks: readonly Task[],
  board: Board,
  store: Records | undefined,
  toolchain: Toolchain,
): readonly Selected[] {
  const known = offersFor(tasks, board, store, toolchain);
  return select(tasks, (task) => (known.get(task.id) ?? []).map(({ offer }) => offer));
}

/**
 * Shipped records as Records of one model on one board: what `compile` and `run` choose from where nothing was tuned. Must stay
 * true: a count stands only on the board and with the compiler that it was measured with; elsewhere its schedule is offered all
 * the same, as it is legal or refused anywhere, but its count is an estimate and the record says so (`doubt`).
 */
import { type Board, type BoardModule, boards } from '../../boards/index.ts';
import type { Task } from '../../compiler/tasks.ts';
import type { TuningRecord } from '../../db/types.ts';
import { placedInRam } from '../../kernels/index.ts';
import { type Ranker, rankerFile, readRanker } from '../../tuner/cost-models/shipped.ts';
import { fastest, type Records, type Toolchain } from '../offers.ts';
import { intact, readShipped, type ShippedFile, type ShippedRecord, shippedDir } from './file.ts';
import { nearest } from './nearest.ts';

/** A schedule for a task that is not in the database: what of a TuningRecord is known of it. */
export type Guess = Pick<TuningRecord, 'config' | 'schedule' | 'cycles' | 'sizes' | 'doubt'>;

/** Records that have no time of their own. */
const epoch = '1970-01-01T00:00:00.000Z';

/** The records that ship for a board: its own, else those of a board with its CPU, else with its instruction set; undefined where there are none. */
export function shippedFor(board: Board, dir = shippedDir): ShippedFile | undefined {
  const sameCpu = (b: Board): number => Number(b.cpu === board.cpu);
  const alike = boards.filter((b) => b.id !== board.id && b.target.isa === board.target.isa);
  for (const { id } of [board, ...alike.sort((a, b) => sameCpu(b) - sameCpu(a))]) {
    const file = readShipped(id, dir);
    if (file !== undefined) return file;
  }
  return undefined;
}

/** Shipped records of `tasks`, and for a task that has none the nearest ones, as records of this board and toolchain. Throws DamagedFile. */
export function shippedRecords(
  tasks: readonly Task[],
  board: BoardModule,
  toolchain: Toolchain,
  dir = shippedDir,
): Records | undefined {
  const file = shippedFor(board, dir);
  if (file === undefined) return undefined;
  const ranker = intact(rankerFile(dir, file.on.board), () => readRanker(dir, file.on.board));
  return recordsFrom(file, tasks, board, toolchain, ranker);
}

/** The same from a file and a cost model that are at hand. */
export function recordsFrom(
  file: ShippedFile,
  tasks: readonly Task[],
  board: BoardModule,
  toolchain: Toolchain,
  ranker: Ranker | undefined,
): Records {
  const made = new Map<string, readonly TuningRecord[]>();
  const usable = usableOn(file.records, board);
  const of = (id: string): readonly TuningRecord[] => {
    const known = made.get(id);
    const task = tasks.find((t) => t.id === id);
    if (known !== undefined || task === undefined) return known ?? [];
    const same = usable.filter((r) => r.task === id).map((r) => guessOf(r, file, board, toolchain));
    const guesses = same.length > 0 ? same : nearest(task, board, usable, ranker);
    const records = guesses.map((guess, i) => asRecord(guess, task, i, board, toolchain));
    made.set(id, records);
    return records;
  };
  return { best: (id, _board, _kind, limit) => fastest(of(id), limit) };
}

/** A board that places nothing in RAM has no use for schedules that do. */
const usableOn = (records: readonly ShippedRecord[], board: Board): readonly ShippedRecord[] =>
  board.placed === undefined ? records.filter((r) => placedInRam(r.schedule).length === 0) : records;

function guessOf(r: ShippedRecord, { on }: ShippedFile, board: Board, toolchain: Toolchain): Guess {
  const { config, schedule, cycles, sizes } = r;
  const foreign =
    on.board !== board.id
      ? `measured on ${on.board}`
      : on.toolchain !== toolchain.version || on.flags !== toolchain.flags
        ? `measured with ${on.toolchain}`
        : null;
  return { config, schedule, cycles, sizes, doubt: foreign };
}

const asRecord = (guess: Guess, task: Task, at: number, board: Board, toolchain: Toolchain): TuningRecord => ({
  id: `shipped-${task.id}-${at}`,
  at: epoch,
  job: null,
  task: task.id,
  workload: task.key,
  board: board.id,
  kind: board.kind,
  device: null,
  toolchain: toolchain.version,
  flags: toolchain.flags,
  firmware: null,
  policy: 'shipped',
  template: guess.config.template,
  status: 'ok',
  stage: null,
  code: null,
  detail: null,
  repeats: null,
  binary: null,
  reusedFrom: null,
  times: {},
  bytes: null,
  ...guess,
});

/** Records of one's own and shipped ones. Estimates are taken only for a task of which nothing was measured. */
export function withShipped(own: Records, shipped: Records): Records {
  const measured = (r: TuningRecord): boolean => r.doubt === null;
  const merged = (mine: readonly TuningRecord[], others: readonly TuningRecord[]): readonly TuningRecord[] =>
    mine.length === 0 ? others : [...mine, ...others.filter(measured)];
  return {
    best: (task, board, kind, limit) =>
      fastest(merged(own.best(task, board, kind, limit), shipped.best(task, board, kind, limit)), limit),
  };
}

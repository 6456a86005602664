/**
 * The records that ship: records/BOARD.jsonl, the schedules that were found best for a board's layers. The first line says on what
 * they were measured, each other line is a schedule. Must stay true: equal contents give equal bytes; a line holds its steps, so
 * that it stays what it was whatever becomes of the templates; a file of our own that cannot be read is thrown as DamagedFile.
 */
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Kind } from '../../boards/index.ts';
import { canonicalJson, type Workload, workloadKey } from '../../compiler/workload.ts';
import type { Schedule } from '../../kernels/index.ts';
import type { Config, Sizes } from '../../tuner/types.ts';

export const shippedDir = resolve(import.meta.dirname, '../../records');

/** What all schedules of a file were measured with. */
export interface MeasuredOn {
  readonly board: string;
  readonly kind: Kind;
  /** First line of the compiler's version. */
  readonly toolchain: string;
  /** Flags that select the CPU, joined by spaces. */
  readonly flags: string;
}
export interface ShippedRecord {
  /** The models whose layer it is, sorted. */
  readonly for: readonly string[];
  /** Task.id. */
  readonly task: string;
  readonly workload: Workload;
  /** Of a trial: the kernel alone, caches empty. */
  readonly cycles: number;
  readonly sizes: Sizes;
  readonly config: Config;
  readonly schedule: Schedule;
}
export interface ShippedFile {
  readonly on: MeasuredOn;
  readonly records: readonly ShippedRecord[];
}

const fileOf = (dir: string, board: string): string => resolve(dir, `${board}.jsonl`);

/** The records that were measured on a board; undefined where it has none. */
export function readShipped(board: string, dir = shippedDir): ShippedFile | undefined {
  const file = fileOf(dir, board);
  return existsSync(file) ? intact(file, () => parseShipped(readFileSync(file, 'utf8'))) : undefined;
}

/** Throws DamagedFile. */
export function parseShipped(text: string): ShippedFile {
  const [on = '', ...records] = text.split('\n').filter((line) => line !== '');
  return {
    on: lineAt<MeasuredOn>(on, 1, (v) => [v.board, v.kind, v.toolchain, v.flags]),
    records: records.map((line, i) =>
      recordOf(lineAt<Line>(line, i + 2, (v) => [v.task, v.cycles, v.sizes, v.workload, v.schedule.steps])),
    ),
  };
}

/** A file that ships is damaged: it is the copy of microtune that is wrong, not what its user does. */
export class DamagedFile extends Error {}

/** What `read` makes of a file. Throws DamagedFile with the file's name where it cannot. */
export function intact<T>(file: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof DamagedFile || error instanceof SyntaxError)) throw error;
    throw new DamagedFile(`${file}: ${error.message}`);
  }
}

/** A line's object, in which nothing of `needed` may be missing. */
function lineAt<T>(text: string, line: number, needed: (value: T) => readonly unknown[]): T {
  try {
    const value = JSON.parse(text) as T;
    if (needed(value).every((v) => v !== undefined)) return value;
  } catch {
    // Told below.
  }
  throw new DamagedFile(`line ${line} is damaged`);
}

/** A line: a template's setting has its name, version and knobs beside the steps, any other schedule has no knobs. */
interface Line extends Omit<ShippedRecord, 'config'> {
  readonly template: string;
  readonly version: number;
  readonly knobs?: Readonly<Record<string, number | string>>;
}

function recordOf({ template, version, knobs, ...rest }: Line): ShippedRecord {
  const { schedule } = rest;
  const config: Config =
    knobs === undefined
      ? { template: template === 'default' ? 'default' : 'literal', version, schedule }
      : { template, version, knobs };
  return { ...rest, config };
}

const lineOf = ({ config, schedule, workload, ...r }: ShippedRecord): string => {
  const { template, version } = config;
  const knobs = 'knobs' in config ? { knobs: config.knobs } : {};
  // What a reader looks for first stands first.
  return JSON.stringify({ ...r, template, version, ...knobs, workload: sorted(workload), schedule: sorted(schedule) });
};
/** Keys in order, so that equal values give equal text. */
const sorted = <T>(value: T): unknown => JSON.parse(canonicalJson(value));

/** By operator, then by layer, the fastest first. */
export function printShipped({ on, records }: ShippedFile): string {
  const keyed = records.map((r) => ({ r, key: `${r.workload.op} ${workloadKey(r.workload)}` }));
  keyed.sort((a, b) => compare(a.key, b.key) || a.r.cycles - b.r.cycles || compare(lineOf(a.r), lineOf(b.r)));
  return [JSON.stringify(on), ...keyed.map(({ r }) => lineOf(r)), ''].join('\n');
}
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/**
 * Trials: appending, merging and asking. Must stay true: a record read is the record that was appended, key for key; the
 * order of `seq` is the order of appending, and nothing but appending is ever done.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Database, Statement } from 'better-sqlite3';
import type { Kind } from '../boards/board.ts';
import type { Schedule } from '../kernels/template.ts';
import type { Config, Sizes, Stage, StageTimes, TrialBytes } from '../tuner/types.ts';
import { corrupt, StoreError } from './errors.ts';
import { parsed, parsedOrNull, textOrNull } from './json.ts';
import { Pages } from './pages.ts';
import type { Merged, NewRecord, Page, RecordFilter, RecordSort, TuningRecord } from './types.ts';

/** A row of `trials` with its task and environment. JSON columns are text here. */
interface Row {
  readonly seq: number;
  readonly id: string;
  readonly at: string;
  readonly job: string | null;
  readonly task: string;
  readonly workload: string;
  readonly board: string;
  readonly kind: Kind;
  readonly toolchain: string;
  readonly flags: string;
  readonly firmware: string | null;
  readonly device: string | null;
  readonly policy: string;
  readonly template: string;
  readonly config: string;
  readonly schedule: string;
  readonly status: 'ok' | 'failed';
  readonly stage: Stage | null;
  readonly code: string | null;
  readonly detail: string | null;
  readonly cycles: number | null;
  readonly repeats: string | null;
  readonly sizes: string | null;
  readonly binary: string | null;
  readonly reused_from: string | null;
  readonly times: string;
  readonly bytes: string | null;
  readonly doubt: string | null;
}

/** The order of keys here is the order in JSON Lines and of the columns in CSV. */
const recordOf = (r: Row): TuningRecord => ({
  id: r.id,
  at: r.at,
  job: r.job,
  task: r.task,
  workload: r.workload,
  board: r.board,
  kind: r.kind,
  device: r.device,
  toolchain: r.toolchain,
  flags: r.flags,
  firmware: r.firmware,
  policy: r.policy,
  template: r.template,
  config: parsed<Config>(r.config),
  schedule: parsed<Schedule>(r.schedule),
  status: r.status,
  stage: r.stage,
  code: r.code,
  detail: r.detail,
  cycles: r.cycles,
  repeats: parsedOrNull<readonly number[]>(r.repeats),
  sizes: parsedOrNull<Sizes>(r.sizes),
  binary: r.binary,
  reusedFrom: r.reused_from,
  times: parsed<StageTimes>(r.times),
  bytes: parsedOrNull<TrialBytes>(r.bytes),
  doubt: r.doubt,
});

type EnvironmentKey = [toolchain: string, flags: string, firmware: string | null];

const select = `SELECT t.*, k.workload, e.toolchain, e.flags, e.firmware, d.reason AS doubt
  FROM trials t JOIN tasks k ON k.id = t.task JOIN environments e ON e.id = t.environment
  LEFT JOIN doubts d ON d.record = t.id`;
/**
 * A parameter that the planner cannot look into: SQLite with STAT4 plans a join anew for each value of a plain one, which takes ten
 * times as long as the look-up.
 */
const fixed = '(SELECT ?)';
/** On a row t of trials: neither it nor the record whose measurement it took over is doubted. */
export const stands = `NOT EXISTS (SELECT 1 FROM doubts WHERE record IN (t.id, t.reused_from))`;
/** Of a job's trials those that count: not reused, not doubted. */
interface Counts {
  readonly done: number;
  readonly failed: number;
}
const counted = `ifnull(sum(trials), 0) AS done, ifnull(sum(trials) FILTER (WHERE status = 'failed'), 0) AS failed
  FROM tallied WHERE job = ? AND NOT reused AND stands`;
const insert = `INSERT INTO trials VALUES (@seq, @id, @at, @job, @task, @board, @kind, @environment, @device, @policy,
  @template, @config, @schedule, @status, @stage, @code, @detail, @cycles, @repeats, @sizes, @binary, @reusedFrom,
  @times, @bytes)`;

export class Trials {
  private readonly db: Database;
  private readonly farm: string;
  private readonly pages: Pages;
  private readonly insert: Statement;
  private readonly lastSeq: Statement<[], { readonly seq: number }>;
  private readonly byId: Statement<[string], Row>;
  private readonly bySeq: Statement<[number], Row>;
  private readonly insertTask: Statement<[string, string]>;
  private readonly workload: Statement<[string], { readonly workload: string }>;
  private readonly insertEnvironment: Statement<EnvironmentKey>;
  private readonly environmentOf: Statement<EnvironmentKey, { readonly id: number }>;
  private readonly countsOf: Statement<[string], Counts>;
  private readonly insertDoubt: Statement<[string, string, string]>;

  constructor(db: Database, farm: string) {
    this.db = db;
    this.farm = farm;
    this.pages = new Pages(db, farm);
    this.insert = db.prepare(insert);
    this.lastSeq = db.prepare('SELECT ifnull(max(seq), 0) AS seq FROM trials');
    this.byId = db.prepare(`${select} WHERE t.id = ${fixed}`);
    this.bySeq = db.prepare(`${select} WHERE t.seq = ${fixed}`);
    this.insertTask = db.prepare('INSERT INTO tasks (id, workload) VALUES (?, ?) ON CONFLICT DO NOTHING');
    this.workload = db.prepare('SELECT workload FROM tasks WHERE id = ?');
    this.insertEnvironment = db.prepare('INSERT INTO environments (toolchain, flags, firmware) VALUES (?, ?, ?)');
    this.insertDoubt = db.prepare('INSERT INTO doubts VALUES (?, ?, ?) ON CONFLICT DO NOTHING');
    this.countsOf = db.prepare(`SELECT ${counted}`);
    this.environmentOf = db.prepare('SELECT id FROM environments WHERE toolchain = ? AND flags = ? AND firmware IS ?');
  }

  /** Appends with the next id. The id's number is the row's, padded so that ids of one farm sort as text. */
  add(record: NewRecord, at: string): TuningRecord {
    const seq = this.lastSeq.get()!.seq + 1;
    const id = `t-${this.farm}-${String(seq).padStart(9, '0')}`;
    if (this.put(seq, { ...record, id, at, doubt: null }) === 'clash')
      throw new Error(`task ${record.task} names another workload than before`);
    return this.get(id)!;
  }

  merge(records: Iterable<TuningRecord>): Merged {
    const count = { added: 0, duplicates: 0, conflicts: 0 };
    let seq = this.lastSeq.get()!.seq;
    for (const record of records) {
      const known = this.get(record.id);
      if (known !== undefined) count[this.mergeDoubt(known, record)]++;
      else if (this.put(seq + 1, record) === 'clash') count.conflicts++;
      else {
        seq++;
        count.added++;
      }
    }
    return count;
  }

  doubt(id: string, reason: string, at: string): void {
    if (this.get(id) === undefined) throw new Error(`no record ${id} to doubt`);
    this.insertDoubt.run(id, at, reason);
  }

  /** A record that is known; what the other side holds against it counts here as well. */
  private mergeDoubt(known: TuningRecord, record: TuningRecord): 'duplicates' | 'conflicts' {
    if (!isDeepStrictEqual({ ...known, doubt: null }, { ...record, doubt: null })) return 'conflicts';
    if (record.doubt !== null) this.insertDoubt.run(record.id, record.at, record.doubt);
    return 'duplicates';
  }

  get(id: string): TuningRecord | undefined {
    const row = this.byId.get(id);
    return row && recordOf(row);
  }

  page(filter: RecordFilter, limit: number, cursor?: string, sort: RecordSort = 'at'): Page<TuningRecord> {
    const { seqs, next } = this.pages.page(filter, sort, limit, cursor);
    return { items: seqs.map((seq) => this.at(seq)), next };
  }

  /** The record of a row that an index names. */
  private at(seq: number): TuningRecord {
    const row = this.bySeq.get(seq);
    if (row === undefined) throw new StoreError(corrupt('record', this.db.name, `row ${seq} is not whole`).error);
    return recordOf(row);
  }

  known(task: string, board: string, kind: Kind): readonly TuningRecord[] {
    return this.db
      .prepare<[string, string, string], Row>(
        `${select} WHERE t.task = ? AND t.board = ? AND t.kind = ? AND t.reused_from IS NULL AND ${stands} ORDER BY t.seq`,
      )
      .all(task, board, kind)
      .map(recordOf);
  }

  best(task: string, board: string, kind: Kind, limit: number): readonly TuningRecord[] {
    const rows = this.db
      .prepare<[string, string, string], Row>(
        `${select} WHERE t.task = ? AND t.board = ? AND t.kind = ? AND t.status = 'ok' AND ${stands} ORDER BY t.cycles, t.seq`,
      )
      .iterate(task, board, kind);
    const best = new Map<string, Row>();
    for (const row of rows) {
      if (best.size >= limit) break;
      const key = row.binary ?? row.id;
      if (!best.has(key)) best.set(key, row);
    }
    return [...best.values()].map(recordOf);
  }

  kinds(task: string, board: string): readonly { readonly kind: Kind; readonly count: number }[] {
    return this.db
      .prepare<[string, string], { readonly kind: Kind; readonly count: number }>(
        `SELECT kind, sum(trials) AS count FROM lots WHERE task = ? AND board = ? AND status = 'ok' AND stands
         GROUP BY kind ORDER BY kind`,
      )
      .all(task, board);
  }

  counts(job: string): Counts {
    return this.countsOf.get(job)!;
  }
  /** By task. */
  madeBy(job: string): ReadonlyMap<string, Counts> {
    const rows = this.db
      .prepare<[string], Counts & { readonly task: string }>(`SELECT task, ${counted} GROUP BY task`)
      .all(job);
    return new Map(rows.map(({ task, ...counts }) => [task, counts]));
  }

  /** 'clash': the task is known with another workload; nothing was written. */
  private put(seq: number, record: TuningRecord): 'done' | 'clash' {
    this.insertTask.run(record.task, record.workload);
    if (this.workload.get(record.task)?.workload !== record.workload) return 'clash';
    this.insert.run({
      ...record,
      seq,
      environment: this.environment(record),
      config: JSON.stringify(record.config),
      schedule: JSON.stringify(record.schedule),
      repeats: textOrNull(record.repeats),
      sizes: textOrNull(record.sizes),
      times: JSON.stringify(record.times),
      bytes: textOrNull(record.bytes),
    });
    if (record.doubt !== null) this.insertDoubt.run(record.id, record.at, record.doubt);
    return 'done';
  }

  private environment({ toolchain, flags, firmware }: TuningRecord): number {
    const known = this.environmentOf.get(toolchain, flags, firmware);
    return known?.id ?? Number(this.insertEnvironment.run(toolchain, flags, firmware).lastInsertRowid);
  }
}

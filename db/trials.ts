/**
 * Trials: appending, merging and asking. Must stay true: a record read is the record that was appended, key for key; the
 * order of `seq` is the order of appending, and nothing but appending is ever done.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Database, Statement } from 'better-sqlite3';
import type { Kind } from '../boards/board.ts';
import { corrupt, StoreError } from './errors.ts';
import { Pages } from './pages.ts';
import { Texts } from './texts.ts';
import { type Row, recordOf, rowOf } from './trial-rows.ts';
import type { Merged, NewRecord, Page, Pieces, RankedOf, RecordFilter, RecordSort, TuningRecord } from './types.ts';

type EnvironmentKey = [toolchain: string, flags: string, firmware: string | null];

const columns = 't.*, k.workload, e.toolchain, e.flags, e.firmware, d.reason AS doubt';
const joined = `JOIN tasks k ON k.id = t.task JOIN environments e ON e.id = t.environment
  LEFT JOIN doubts d ON d.record = t.id`;
const select = `SELECT ${columns} FROM trials t ${joined}`;
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
const counted = (summary: 'outcomes' | 'tallied'): string =>
  `ifnull(sum(trials), 0) AS done, ifnull(sum(trials) FILTER (WHERE status = 'failed'), 0) AS failed
   FROM ${summary} WHERE job = ? AND NOT reused AND stands`;
const insert = `INSERT INTO trials VALUES (?${', ?'.repeat(23)})`;

/** What trials of one transaction have in common: looked up, or written, with the first of them. */
interface Common {
  readonly workloads: Map<string, string>;
  readonly environments: Map<string, number>;
}
const nothingYet = (): Common => ({ workloads: new Map(), environments: new Map() });

export class Trials {
  private readonly db: Database;
  private readonly farm: string;
  private readonly pages: Pages;
  private readonly texts: Texts;
  private readonly insert: Statement<(string | number | null)[]>;
  private readonly isKnown: Statement<[string], number>;
  private readonly byId: Statement<[string], Row>;
  private readonly bySeqs: Statement<[string], Row>;
  private readonly fastestBehind: Statement<[object], Row>;
  private readonly insertTask: Statement<[string, string]>;
  private readonly workload: Statement<[string], { readonly workload: string }>;
  private readonly insertEnvironment: Statement<EnvironmentKey>;
  private readonly findEnvironment: Statement<EnvironmentKey, { readonly id: number }>;
  private readonly countsOf: Statement<[string], Counts>;
  private readonly insertDoubt: Statement<[string, string, string]>;

  constructor(db: Database, farm: string) {
    this.db = db;
    this.farm = farm;
    this.pages = new Pages(db, farm);
    this.texts = new Texts(db, (seqs) => this.at(seqs));
    this.insert = db.prepare(insert);
    this.isKnown = db.prepare<[string], number>('SELECT 1 FROM trials WHERE id = ?').pluck();
    this.byId = db.prepare(`${select} WHERE t.id = ${fixed}`);
    this.bySeqs = db.prepare(
      `SELECT ${columns} FROM json_each(?) s CROSS JOIN trials t ON t.seq = s.value ${joined} ORDER BY s.key`,
    );
    this.fastestBehind = db.prepare(
      `${select} WHERE t.task = @task AND t.board = @board AND t.kind = @kind AND t.status = 'ok' AND ${stands}
       AND (@job IS NULL OR t.job = @job) AND (t.cycles, t.seq) > (@cycles, @seq) ORDER BY t.cycles, t.seq LIMIT @piece`,
    );
    this.insertTask = db.prepare('INSERT INTO tasks (id, workload) VALUES (?, ?) ON CONFLICT DO NOTHING');
    this.workload = db.prepare('SELECT workload FROM tasks WHERE id = ?');
    this.insertEnvironment = db.prepare('INSERT INTO environments (toolchain, flags, firmware) VALUES (?, ?, ?)');
    this.insertDoubt = db.prepare('INSERT INTO doubts VALUES (?, ?, ?) ON CONFLICT DO NOTHING');
    this.countsOf = db.prepare(`SELECT ${counted('outcomes')}`);
    this.findEnvironment = db.prepare(
      'SELECT id FROM environments WHERE toolchain = ? AND flags = ? AND firmware IS ?',
    );
  }

  /** Appends with the next id. The id's number is the row's, padded so that ids of one farm sort as text. */
  add(record: NewRecord, at: string): TuningRecord {
    const seq = this.pages.lastSeq() + 1;
    const id = `t-${this.farm}-${String(seq).padStart(9, '0')}`;
    if (this.put(seq, { ...record, id, at, doubt: null }, nothingYet()) === 'clash')
      throw new Error(`task ${record.task} names another workload than before`);
    return this.get(id)!;
  }

  merge(records: Iterable<TuningRecord>): Merged {
    const count = { added: 0, duplicates: 0, conflicts: 0 };
    const common = nothingYet();
    let seq = this.pages.lastSeq();
    for (const record of records) {
      if (this.isKnown.get(record.id) !== undefined) count[this.mergeDoubt(this.get(record.id)!, record)]++;
      else if (this.put(seq + 1, record, common) === 'clash') count.conflicts++;
      else {
        seq++;
        count.added++;
      }
    }
    return count;
  }

  doubt(id: string, reason: string, at: string): void {
    if (this.get(id) === undefined) throw new Error(`no record ${id} to doubt`);
    this.addDoubt(id, at, reason);
  }

  /** A record that is known; what the other side holds against it counts here as well. */
  private mergeDoubt(known: TuningRecord, record: TuningRecord): 'duplicates' | 'conflicts' {
    if (!isDeepStrictEqual({ ...known, doubt: null }, { ...record, doubt: null })) return 'conflicts';
    if (record.doubt !== null) this.addDoubt(record.id, record.at, record.doubt);
    return 'duplicates';
  }

  get(id: string): TuningRecord | undefined {
    const row = this.byId.get(id);
    return row && recordOf(row);
  }

  page(filter: RecordFilter, limit: number, cursor?: string, sort: RecordSort = 'at'): Page<TuningRecord> {
    const { seqs, next } = this.pages.page(filter, sort, limit, cursor);
    return { items: this.at(seqs).map(recordOf), next };
  }
  /** The same, each record as JSON. */
  textPage(filter: RecordFilter, limit: number, cursor?: string, sort: RecordSort = 'at'): Page<string> {
    const { seqs, next } = this.pages.page(filter, sort, limit, cursor);
    return { items: this.texts.at(seqs), next };
  }

  /** The rows that an index names: to ask for all at once takes a fifth of the time of one by one. */
  private at(seqs: readonly number[]): readonly Row[] {
    const rows = this.bySeqs.all(JSON.stringify(seqs));
    const lost = seqs.length - rows.length;
    if (lost > 0) throw new StoreError(corrupt('record', this.db.name, `${lost} rows of a page are not whole`).error);
    return rows;
  }

  best(task: string, board: string, kind: Kind, limit: number): readonly TuningRecord[] {
    return [...this.bestInPieces({ task, board, kind }, { limit, piece: limit })].flat();
  }
  *bestInPieces({ job, ...of }: RankedOf, { limit, piece }: Pieces): Generator<readonly TuningRecord[]> {
    const seen = new Set<string>();
    const isNew = ({ binary, id }: Row): boolean => {
      const before = seen.size;
      return before < limit && seen.add(binary ?? id).size > before;
    };
    let last: Pick<Row, 'cycles' | 'seq'> | undefined = { cycles: Number.NEGATIVE_INFINITY, seq: 0 };
    while (last !== undefined && seen.size < limit) {
      const { cycles, seq } = last;
      const rows = this.fastestBehind.all({ ...of, job: job ?? null, cycles, seq, piece });
      yield rows.filter(isNew).map(recordOf);
      last = rows.length < piece ? undefined : rows.at(-1);
    }
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
      .prepare<[string], Counts & { readonly task: string }>(`SELECT task, ${counted('tallied')} GROUP BY task`)
      .all(job);
    return new Map(rows.map(({ task, ...counts }) => [task, counts]));
  }

  /** 'clash': the task is known with another workload; nothing was written. */
  private put(seq: number, record: TuningRecord, common: Common): 'done' | 'clash' {
    if (this.workloadOf(record, common) !== record.workload) return 'clash';
    this.insert.run(...rowOf(seq, this.environmentOf(record, common), record));
    if (record.doubt !== null) this.addDoubt(record.id, record.at, record.doubt);
    return 'done';
  }

  private addDoubt(...row: [record: string, at: string, reason: string]): void {
    this.insertDoubt.run(...row);
    this.texts.forget();
  }

  /** What the record's task is known by; from now on by the record's own words, if by none. */
  private workloadOf({ task, workload }: TuningRecord, { workloads }: Common): string {
    const noted = workloads.get(task);
    if (noted !== undefined) return noted;
    this.insertTask.run(task, workload);
    const known = this.workload.get(task)!.workload;
    workloads.set(task, known);
    return known;
  }

  private environmentOf({ toolchain, flags, firmware }: TuningRecord, { environments }: Common): number {
    const key = JSON.stringify([toolchain, flags, firmware]);
    const noted = environments.get(key);
    if (noted !== undefined) return noted;
    const found = this.findEnvironment.get(toolchain, flags, firmware)?.id;
    const id = found ?? Number(this.insertEnvironment.run(toolchain, flags, firmware).lastInsertRowid);
    environments.set(key, id);
    return id;
  }
}

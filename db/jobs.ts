/** Models, jobs and their events. Must stay true: a job's state and the event that tells of it are written together. */
import type { Database } from 'better-sqlite3';
import type { Kind } from '../boards/board.ts';
import type { Failure } from '../compiler/result.ts';
import type { JobChange, JobEvent, JobRow, JobState, ModelRow, NewJob } from './types.ts';

type Json = Readonly<Record<string, unknown>>;
interface JobColumns {
  readonly id: string;
  readonly state: JobState;
  readonly model: string;
  readonly board: string;
  readonly kind: Kind;
  readonly policy: string;
  readonly seed: number;
  readonly trials: number;
  readonly time_ms: number | null;
  readonly ram_budget: number | null;
  readonly flash_budget: number | null;
  readonly spent_ms: number;
  readonly created_at: string;
  readonly started_at: string | null;
  readonly ended_at: string | null;
  readonly error: string | null;
  readonly report: string | null;
}
type EventColumns = Omit<JobEvent, 'data'> & { readonly data: string };

const jobOf = (r: JobColumns): JobRow => ({
  id: r.id,
  state: r.state,
  model: r.model,
  board: r.board,
  kind: r.kind,
  policy: r.policy,
  seed: r.seed,
  trials: r.trials,
  timeMs: r.time_ms,
  ramBudget: r.ram_budget,
  flashBudget: r.flash_budget,
  spentMs: r.spent_ms,
  createdAt: r.created_at,
  startedAt: r.started_at,
  endedAt: r.ended_at,
  error: r.error === null ? null : (JSON.parse(r.error) as Failure),
  report: r.report === null ? null : (JSON.parse(r.report) as Json),
});
const eventOf = (r: EventColumns): JobEvent => ({ ...r, data: JSON.parse(r.data) as Json });

export class Jobs {
  private readonly db: Database;
  private readonly farm: string;

  constructor(db: Database, farm: string) {
    this.db = db;
    this.farm = farm;
  }

  /** The same bytes put twice are one model, under the name it had first. */
  putModel(model: Omit<ModelRow, 'at'>, at: string): ModelRow {
    this.db
      .prepare('INSERT INTO models VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING')
      .run(model.id, model.name, model.bytes, at);
    return this.model(model.id)!;
  }

  model(id: string): ModelRow | undefined {
    const row = this.db.prepare<[string], ModelRow>('SELECT id, name, bytes, at FROM models WHERE id = ?').get(id);
    // A plain Uint8Array: a Buffer would not equal the bytes that were put.
    return row && { ...row, bytes: new Uint8Array(row.bytes) };
  }

  add(job: NewJob, at: string): JobRow {
    const last = this.db.prepare<[], { seq: number }>("SELECT seq FROM sqlite_sequence WHERE name = 'jobs'").get();
    const id = `j-${this.farm}-${(last?.seq ?? 0) + 1}`;
    this.db
      .prepare(
        `INSERT INTO jobs (id, state, model, board, kind, policy, seed, trials, time_ms, ram_budget, flash_budget,
         spent_ms, created_at)
         VALUES (@id, 'queued', @model, @board, @kind, @policy, @seed, @trials, @timeMs, @ramBudget, @flashBudget, 0, @at)`,
      )
      .run({ ramBudget: null, flashBudget: null, ...job, id, at });
    this.addEvent(id, 'state', { state: 'queued' }, at);
    return this.job(id)!;
  }

  job(id: string): JobRow | undefined {
    const row = this.db.prepare<[string], JobColumns>('SELECT * FROM jobs WHERE id = ?').get(id);
    return row && jobOf(row);
  }

  all(): readonly JobRow[] {
    return this.db.prepare<[], JobColumns>('SELECT * FROM jobs ORDER BY seq DESC').all().map(jobOf);
  }

  update(id: string, change: JobChange, at: string): JobRow {
    const before = this.job(id);
    if (before === undefined) throw new Error(`no job ${id}`);
    const { state, spentMs, startedAt, endedAt, error, report } = { ...before, ...change };
    this.db
      .prepare(
        `UPDATE jobs SET state = ?, spent_ms = ?, started_at = ?, ended_at = ?, error = ?, report = ? WHERE id = ?`,
      )
      .run(state, spentMs, startedAt, endedAt, error && JSON.stringify(error), report && JSON.stringify(report), id);
    if (change.state !== undefined) this.addEvent(id, 'state', error === null ? { state } : { state, error }, at);
    return this.job(id)!;
  }

  addEvent(job: string, type: string, data: Json, at: string): JobEvent {
    const added = this.db
      .prepare('INSERT INTO events (job, at, type, data) VALUES (?, ?, ?, ?)')
      .run(job, at, type, JSON.stringify(data));
    return { id: Number(added.lastInsertRowid), job, at, type, data };
  }

  events(job: string, after: number, limit: number): readonly JobEvent[] {
    return this.db
      .prepare<[string, number, number], EventColumns>(
        'SELECT * FROM events WHERE job = ? AND id > ? ORDER BY id LIMIT ?',
      )
      .all(job, after, limit)
      .map(eventOf);
  }

  lastEvent(job: string, type: string): JobEvent | undefined {
    const row = this.db
      .prepare<[string, string], EventColumns>(
        'SELECT * FROM events WHERE job = ? AND type = ? ORDER BY id DESC LIMIT 1',
      )
      .get(job, type);
    return row && eventOf(row);
  }
}

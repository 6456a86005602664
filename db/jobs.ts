/** Models, jobs and their events. Must stay true: a job's state and the event that tells of it are written together. */
import type { Database, Statement } from 'better-sqlite3';
import type { Kind } from '../boards/board.ts';
import type { Failure } from '../compiler/result.ts';
import { cursorAfter, pageOf, seqOf } from './cursor.ts';
import { parsed, parsedOrNull, textOrNull } from './json.ts';
import type {
  JobChange,
  JobEvent,
  JobFilter,
  JobRow,
  JobState,
  ModelRow,
  NewEvent,
  NewJob,
  Page,
  Priority,
  Store,
} from './types.ts';

type Json = Readonly<Record<string, unknown>>;
interface JobColumns {
  readonly seq: number;
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
  readonly name: string | null;
  readonly job_group: string | null;
  readonly priority: Priority;
  readonly work_window: string | null;
  readonly until_percent: number | null;
  readonly until_trials: number | null;
  readonly only_tasks: string | null;
  readonly cloned_from: string | null;
  readonly webhooks: string;
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
  name: r.name,
  group: r.job_group,
  priority: r.priority,
  window: r.work_window,
  until:
    r.until_percent === null || r.until_trials === null ? null : { percent: r.until_percent, trials: r.until_trials },
  only: parsedOrNull<readonly string[]>(r.only_tasks),
  clonedFrom: r.cloned_from,
  webhooks: parsed<readonly string[]>(r.webhooks),
  spentMs: r.spent_ms,
  createdAt: r.created_at,
  startedAt: r.started_at,
  endedAt: r.ended_at,
  error: parsedOrNull<Failure>(r.error),
  report: parsedOrNull<Json>(r.report),
});
/** What a new job has where nothing else is said. */
const unasked = {
  ramBudget: null,
  flashBudget: null,
  name: null,
  group: null,
  priority: 'normal',
  window: null,
  clonedFrom: null,
};
const textsOf = ({ until, only, webhooks }: NewJob) => ({
  untilPercent: until?.percent ?? null,
  untilTrials: until?.trials ?? null,
  only: textOrNull(only ?? null),
  webhooks: JSON.stringify(webhooks ?? []),
});
const eventOf = (r: EventColumns): JobEvent => ({ ...r, data: parsed<Json>(r.data) });

export class Jobs {
  private readonly db: Database;
  private readonly farm: string;
  private readonly byId: Statement<[string], JobColumns>;
  private readonly insertEvent: Statement<[job: string, at: string, type: string, data: string]>;
  private readonly latest: Statement<[string, string], EventColumns>;
  private readonly eventsOf: Statement<[job: string, after: number, limit: number], EventColumns>;
  private readonly eventsOfAll: Statement<[after: number, limit: number], EventColumns>;

  constructor(db: Database, farm: string) {
    this.db = db;
    this.farm = farm;
    this.byId = db.prepare('SELECT * FROM jobs WHERE id = ?');
    this.insertEvent = db.prepare('INSERT INTO events (job, at, type, data) VALUES (?, ?, ?, ?)');
    this.latest = db.prepare('SELECT * FROM events WHERE job = ? AND type = ? ORDER BY id DESC LIMIT 1');
    this.eventsOf = db.prepare('SELECT * FROM events WHERE job = ? AND id > ? ORDER BY id LIMIT ?');
    this.eventsOfAll = db.prepare('SELECT * FROM events WHERE id > ? ORDER BY id LIMIT ?');
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
    const id = `j-${this.farm}-${this.nextSeq()}`;
    this.db
      .prepare(
        `INSERT INTO jobs (id, state, model, board, kind, policy, seed, trials, time_ms, ram_budget, flash_budget, name,
         job_group, priority, work_window, until_percent, until_trials, only_tasks, cloned_from, webhooks, spent_ms, created_at)
         VALUES (@id, 'queued', @model, @board, @kind, @policy, @seed, @trials, @timeMs, @ramBudget, @flashBudget, @name,
         @group, @priority, @window, @untilPercent, @untilTrials, @only, @clonedFrom, @webhooks, 0, @at)`,
      )
      .run({ ...unasked, ...job, ...textsOf(job), id, at });
    this.addEvent(id, 'state', { state: 'queued' }, at);
    return this.job(id)!;
  }

  addGroup(jobs: readonly NewJob[], at: string): readonly JobRow[] {
    const group = `g-${this.farm}-${this.nextSeq()}`;
    return jobs.map((job) => this.add({ ...job, group }, at));
  }

  private nextSeq(): number {
    const last = this.db.prepare<[], { seq: number }>("SELECT seq FROM sqlite_sequence WHERE name = 'jobs'").get();
    return (last?.seq ?? 0) + 1;
  }

  job(id: string): JobRow | undefined {
    const row = this.byId.get(id);
    return row && jobOf(row);
  }

  all(): readonly JobRow[] {
    return this.db.prepare<[], JobColumns>('SELECT * FROM jobs ORDER BY seq DESC').all().map(jobOf);
  }

  open(): readonly JobRow[] {
    return this.db
      .prepare<[], JobColumns>("SELECT * FROM jobs WHERE state IN ('queued', 'running', 'paused') ORDER BY seq")
      .all()
      .map(jobOf);
  }

  page(filter: JobFilter, limit: number, cursor: string | undefined): Page<JobRow> {
    const { state = null, model = null, board = null, group = null } = filter;
    const normal = { jobs: 'newest first', state, model, board, group };
    const before = cursor === undefined ? Number.MAX_SAFE_INTEGER : seqOf(cursor, this.farm, normal);
    const rows = this.db
      .prepare<object, JobColumns>(
        `SELECT * FROM jobs WHERE seq < @before AND (@state IS NULL OR state = @state)
         AND (@model IS NULL OR model = @model) AND (@board IS NULL OR board = @board)
         AND (@group IS NULL OR job_group = @group) ORDER BY seq DESC LIMIT @limit`,
      )
      .all({ ...normal, before, limit: limit + 1 });
    const { items, next } = pageOf(rows, limit, ({ seq }) => cursorAfter(seq, this.farm, normal));
    return { items: items.map(jobOf), next };
  }

  update(id: string, change: JobChange, at: string, event?: NewEvent): JobRow {
    const before = this.job(id);
    if (before === undefined) throw new Error(`no job ${id}`);
    const { state, priority, spentMs, startedAt, endedAt, error, report } = { ...before, ...change };
    this.db
      .prepare(
        `UPDATE jobs SET state = ?, priority = ?, spent_ms = ?, started_at = ?, ended_at = ?, error = ?, report = ? WHERE id = ?`,
      )
      .run(state, priority, spentMs, startedAt, endedAt, textOrNull(error), textOrNull(report), id);
    if (change.priority !== undefined) this.addEvent(id, 'priority', { priority }, at);
    if (change.state !== undefined) this.addEvent(id, 'state', error === null ? { state } : { state, error }, at);
    if (event !== undefined) this.addEvent(id, event.type, event.data, at);
    return this.job(id)!;
  }

  addEvent(job: string, type: string, data: Json, at: string): JobEvent {
    const added = this.insertEvent.run(job, at, type, JSON.stringify(data));
    return { id: Number(added.lastInsertRowid), job, at, type, data };
  }

  events(job: string, after: number, limit: number): readonly JobEvent[] {
    return this.eventsOf.all(job, after, limit).map(eventOf);
  }

  allEvents(after: number, limit: number): readonly JobEvent[] {
    return this.eventsOfAll.all(after, limit).map(eventOf);
  }

  lastEventId(): number {
    return this.db.prepare<[], { last: number }>('SELECT ifnull(max(id), 0) AS last FROM events').get()!.last;
  }

  thinEvents(job: string, keep: Parameters<Store['thinEvents']>[1]): void {
    const numbered = `SELECT id, row_number() OVER (ORDER BY id DESC) - 1 AS back, count(*) OVER () AS n
      FROM events WHERE job = @job AND type = @type`;
    this.db
      .prepare(
        `DELETE FROM events WHERE id IN (SELECT id FROM (${numbered}) WHERE back % ((n + @keep - 1) / @keep) > 0)`,
      )
      .run({ job, type: 'progress', keep: keep.progress });
    this.db
      .prepare(`DELETE FROM events WHERE id IN (SELECT id FROM (${numbered}) WHERE back >= @keep)`)
      .run({ job, type: 'log', keep: keep.logs });
  }

  lastEvent(job: string, type: string): JobEvent | undefined {
    const row = this.latest.get(job, type);
    return row && eventOf(row);
  }

  /** How many jobs there are of each state. */
  states(): Readonly<Record<string, number>> {
    const rows = this.db
      .prepare<[], { state: string; count: number }>('SELECT state, count(*) AS count FROM jobs GROUP BY state')
      .all();
    return Object.fromEntries(rows.map((r) => [r.state, r.count]));
  }
}

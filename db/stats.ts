/**
 * What the log says of many trials at once: the best, failures, knobs, points of a scatter plot. Must stay true: only trials count
 * that stand, and each answer is what a plain scan of all trials would say.
 */
import type { Database } from 'better-sqlite3';
import type { Kind } from '../boards/board.ts';
import type { Knobs } from '../kernels/template.ts';
import { type Conditions, conditionsOf, normalFilter, summaryWith } from './filter.ts';
import { parsed } from './json.ts';
import type { BestRow, FailureKey, FailureRow, KnobRow, Place, ScatterPoint } from './log-types.ts';
import { Prepared } from './prepared.ts';
import { stands } from './trials.ts';
import type { RecordFilter } from './types.ts';

/** Configs that are read to tell of knobs. */
const configsRead = 10_000;

export class Stats {
  private readonly db: Database;
  private readonly statements: Prepared;

  constructor(db: Database) {
    this.db = db;
    this.statements = new Prepared(db);
  }

  /** Of some tasks only, where they are given. */
  best(filter: RecordFilter, tasks?: readonly string[]): readonly BestRow[] {
    const c = conditionsOf(normalFilter(filter));
    const within = tasks === undefined ? '' : 'WHERE task IN (SELECT value FROM json_each(@tasks))';
    return this.db
      .prepare<object, BestRow>(
        `WITH groups AS MATERIALIZED (
           SELECT task, board, kind,
             sum(iif(reused, 0, trials)) AS trials,
             sum(iif(reused OR status <> 'failed', 0, trials)) AS failed,
             min(iif(template = 'default', best, NULL)) AS "default",
             min(best) AS best
           FROM (${foundBy(c, ['task', 'board', 'kind', 'template', 'status', 'reused'])}) ${within} GROUP BY task, board, kind)
         SELECT g.task, k.op, k.shape, g.board, g.kind, g.trials, g.failed, g."default", g.best, (
           SELECT t.id FROM trials t
           WHERE t.task = g.task AND t.board = g.board AND t.kind = g.kind AND t.status = 'ok' AND t.cycles = g.best
             AND ${stands} AND ${c.trial} AND ${c.knobs}
           ORDER BY t.seq LIMIT 1) AS record
         FROM groups g JOIN tasks k ON k.id = g.task ORDER BY g.task, g.board, g.kind`,
      )
      .all({ ...c.parameters, ...(tasks !== undefined && { tasks: JSON.stringify(tasks) }) });
  }

  failures(filter: RecordFilter, by: FailureKey): readonly FailureRow[] {
    const c = conditionsOf(normalFilter(filter));
    const counts = this.db
      .prepare<object, Count>(
        `SELECT ${by} AS key, code, sum(trials) AS trials FROM (${foundBy(c, ['reused', 'code', by])}) WHERE NOT reused GROUP BY 1, 2 ORDER BY 1, 2`,
      )
      .all(c.parameters);
    const all = counts.reduce((n, { trials }) => n + trials, 0);
    const ofFailures = by === 'stage' || by === 'code';
    const rows = [...Map.groupBy(counts, ({ key }) => key)]
      .filter(([key]) => !ofFailures || key !== null)
      .map(([key, own]) => failureRow(key, own, ofFailures ? all : undefined));
    return rows.toSorted((a, b) => b.failed - a.failed);
  }

  knobs(of: Place & { readonly template?: string }): readonly KnobRow[] {
    const rows = this.db
      .prepare<object, ConfigRow>(
        `SELECT t.template, t.config, t.cycles FROM (${marksOfPlace(of.template === undefined ? '' : 'AND y.template = @template')}
         ORDER BY m.seq DESC LIMIT ${configsRead}) m JOIN trials t ON t.seq = m.seq`,
      )
      .all(of);
    return knobRows(rows);
  }

  scatter(of: Place & { readonly job?: string }, limit: number): readonly ScatterPoint[] {
    const more = of.job === undefined ? '' : 'AND y.job = @job';
    const total = this.db
      .prepare<object, number>(`SELECT ifnull(sum(y.trials), 0) FROM tallied y WHERE ${ofPlace} ${more}`)
      .pluck()
      .get(of)!;
    return this.db
      .prepare<object, ScatterPoint>(
        `SELECT t.id AS record, 0 AS n, m.at, m.cycles, m.template, m.status, m.job
         FROM (${marksOfPlace(more)} ORDER BY m.seq DESC LIMIT @limit) m
         CROSS JOIN trials t INDEXED BY trials_of_task ON t.task = @task AND t.seq = m.seq ORDER BY m.seq`,
      )
      .all({ ...of, limit })
      .map((point, i, { length }) => ({ ...point, n: total - length + i + 1 }));
  }

  kinds(filter: RecordFilter): readonly Kind[] {
    const { asks, tally, parameters } = conditionsOf(normalFilter(filter));
    return this.statements
      .of<Kind>(
        `SELECT DISTINCT kind FROM ${summaryWith([...asks, 'kind'])} y WHERE best IS NOT NULL AND ${tally} ORDER BY kind`,
      )
      .pluck()
      .all(parameters);
  }
}

type Column = 'task' | 'board' | 'kind' | 'template' | 'status' | 'reused' | FailureKey;

/** These columns, how many trials, and their best: of as many trials a row as one condition can be asked of at once. */
function foundBy(c: Conditions, columns: readonly Column[]): string {
  const alike = `SELECT ${[...new Set(columns)].map((name) => `y.${name}`).join(', ')}`;
  const one = `${alike}, 1 AS trials, m.cycles AS best FROM tallied y CROSS JOIN marks m ON m.tally = y.id`;
  switch (c.needs) {
    case 'summary':
      return `${alike}, y.trials, y.best FROM ${summaryWith([...c.asks, ...columns])} y WHERE y.stands AND ${c.tally}`;
    case 'marks':
      return `${one} WHERE y.stands AND ${c.tally} AND ${c.mark}`;
    case 'trials':
      return `${one} JOIN trials t ON t.seq = m.seq WHERE y.stands AND ${c.tally} AND ${c.mark} AND ${c.rest}`;
  }
}

/** On a tally y: it is of a place. */
const ofPlace = 'y.task = @task AND y.board = @board AND y.kind = @kind AND y.stands';
/** Marks of a place with what their tallies say. */
const marksOfPlace = (more: string): string =>
  `SELECT m.seq, m.at, m.cycles, y.template, y.status, y.job FROM tallied y CROSS JOIN marks m ON m.tally = y.id
   WHERE ${ofPlace} ${more}`;

interface Count {
  readonly key: string | null;
  readonly code: string | null;
  readonly trials: number;
}
/** A trial without a code did not fail. */
function failureRow(key: string | null, own: readonly Count[], all: number | undefined): FailureRow {
  const failures = own.flatMap(({ code, trials }): [string, number][] => (code === null ? [] : [[code, trials]]));
  return {
    key,
    trials: all ?? own.reduce((n, { trials }) => n + trials, 0),
    failed: failures.reduce((n, [, trials]) => n + trials, 0),
    codes: Object.fromEntries(failures),
  };
}

interface ConfigRow {
  readonly template: string;
  readonly config: string;
  readonly cycles: number | null;
}
/** Counts of the trials with one value of a knob; null: failed. */
type Outcomes = (number | null)[];
type ByKnob = Map<string, Map<string | number, Outcomes>>;

function knobRows(rows: readonly ConfigRow[]): readonly KnobRow[] {
  const templates = new Map<string, ByKnob>();
  // Many trials have the same config.
  const known = new Map<string, readonly [knob: string, value: string | number][]>();
  for (const { template, config, cycles } of rows) {
    const knobs = known.get(config) ?? Object.entries(parsed<{ readonly knobs?: Knobs }>(config).knobs ?? {});
    known.set(config, knobs);
    const byKnob: ByKnob = templates.get(template) ?? new Map();
    templates.set(template, byKnob);
    for (const [knob, value] of knobs) noteOutcome(byKnob, knob, value, cycles);
  }
  return [...templates]
    .flatMap(([template, byKnob]) =>
      [...byKnob].flatMap(([knob, values]) =>
        [...values].map(([value, outcomes]) => ({ template, knob, value, ...summaryOf(outcomes) })),
      ),
    )
    .toSorted(inOrder);
}

function noteOutcome(byKnob: ByKnob, knob: string, value: string | number, cycles: number | null): void {
  const values = byKnob.get(knob) ?? new Map<string | number, Outcomes>();
  byKnob.set(knob, values);
  const outcomes = values.get(value);
  if (outcomes === undefined) values.set(value, [cycles]);
  else outcomes.push(cycles);
}

function summaryOf(outcomes: Outcomes): Pick<KnobRow, 'trials' | 'failed' | 'best' | 'median'> {
  const counts = Float64Array.from(outcomes.filter((c) => c !== null)).sort();
  return {
    trials: outcomes.length,
    failed: outcomes.length - counts.length,
    best: counts[0] ?? null,
    median: counts[(counts.length - 1) >> 1] ?? null,
  };
}

const inOrder = (a: KnobRow, b: KnobRow): number =>
  byText(a.template, b.template) || byText(a.knob, b.knob) || byValue(a.value, b.value);
const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
/** Numbers by size, before texts. */
function byValue(a: string | number, b: string | number): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  if (typeof a === typeof b) return byText(String(a), String(b));
  return typeof a === 'number' ? -1 : 1;
}

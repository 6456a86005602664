/**
 * Filters of the log: one form of each, for cursors, and the SQL that it stands for. Must stay true: every key of a RecordFilter
 * has its condition here, and values reach SQLite only as parameters.
 *
 * Three kinds of tables answer, each for more and at a higher price: summaries (alias y) know what many trials share, `marks`
 * (alias m) time and count of each, `trials` (alias t) all of it. Columns have the same names in all.
 */
import { BadFilter } from './errors.ts';
import type { RecordFilter } from './types.ts';

type Key = Exclude<keyof RecordFilter, 'knobs'>;
/** Columns of summaries beside their counts. `tallied` has them all. */
const columnsOf = {
  outcomes: ['job', 'device', 'board', 'kind', 'status', 'stage', 'code', 'reused', 'stands'],
  lots: ['task', 'board', 'kind', 'environment', 'policy', 'template', 'status', 'stage', 'code', 'reused', 'stands'],
} as const;
export type SummaryColumn = (typeof columnsOf)[keyof typeof columnsOf][number];

/** The cheapest summary that has all of these. */
export function summaryWith(columns: readonly SummaryColumn[]): 'outcomes' | 'lots' | 'tallied' {
  const has = (summary: keyof typeof columnsOf): boolean => {
    const there: readonly SummaryColumn[] = columnsOf[summary];
    return columns.every((column) => there.includes(column));
  };
  return has('outcomes') ? 'outcomes' : has('lots') ? 'lots' : 'tallied';
}

interface Condition {
  /** The cheapest kind of table that can tell. */
  readonly of: 'summary' | 'marks' | 'trials';
  /** What it, or what it narrows by, asks of a summary. */
  readonly asks?: SummaryColumn;
  /** The condition on a row of `alias`. */
  readonly sql: (alias: string) => string;
  /** On a row of a summary: false where none of its trials can fit. Narrows what marks are read. */
  readonly narrows?: string;
  /** On a row s of spans: false where no trial with its numbers can fit. */
  readonly span?: string;
}

const onSummary = (asks: SummaryColumn, is: string): Condition => ({
  of: 'summary',
  asks,
  sql: (a) => `${a}.${asks} ${is}`,
});
const equal = (column: SummaryColumn): Condition => onSummary(column, `= @${column}`);
const onMark = (sql: Condition['sql'], narrows: string): Condition => ({ of: 'marks', sql, narrows });
const onTime = (sql: Condition['sql'], narrows: string, span: string): Condition => ({
  of: 'marks',
  sql,
  narrows,
  span,
});

const conditions: Readonly<Record<Key, Condition>> = {
  job: equal('job'),
  network: onSummary('task', 'IN (SELECT task FROM layers WHERE model = @network)'),
  layer: onSummary('task', 'IN (SELECT task FROM layers WHERE model = @network AND name = @layer)'),
  task: equal('task'),
  op: onSummary('task', 'IN (SELECT id FROM tasks WHERE op = @op)'),
  shape: onSummary('task', 'IN (SELECT id FROM tasks WHERE shape = @shape)'),
  board: equal('board'),
  kind: equal('kind'),
  policy: equal('policy'),
  template: equal('template'),
  status: equal('status'),
  stage: equal('stage'),
  code: equal('code'),
  device: equal('device'),
  toolchain: onSummary('environment', 'IN (SELECT id FROM environments WHERE toolchain = @toolchain)'),
  binary: {
    of: 'trials',
    asks: 'task',
    sql: (a) => `${a}.binary = @binary`,
    narrows: 'y.task IN (SELECT task FROM trials WHERE binary = @binary)',
  },
  cyclesMin: onMark((a) => `${a}.cycles >= @cyclesMin`, 'y.best IS NOT NULL'),
  cyclesMax: onMark((a) => `${a}.cycles <= @cyclesMax`, 'y.best <= @cyclesMax'),
  since: onTime((a) => `${a}.at >= @since`, 'y.last_at >= @since', 's.last_at >= @since'),
  until: onTime((a) => `${a}.at < @until`, 'y.first_at < @until', 's.first_at < @until'),
};
/** Keys of a filter that hold one value. */
export const filterKeys = Object.keys(conditions) as readonly Key[];
const times: ReadonlySet<Key> = new Set(['since', 'until']);

/** Filters that all trials of a task on a board in a kind fit, or none. */
const ofPlaces: ReadonlySet<string> = new Set([
  'network',
  'layer',
  'task',
  'op',
  'shape',
  'board',
  'kind',
] satisfies Key[]);

/** A filter in one form: keys in one order, times as stored ones are written, knobs by name. */
export type NormalFilter = readonly (readonly [name: string, value: string | number])[];

/** Throws BadFilter. */
export function normalFilter(filter: RecordFilter): NormalFilter {
  if (filter.layer !== undefined && filter.network === undefined)
    throw new BadFilter('layer: a layer is one of a `network`, which must be given as well');
  const plain = filterKeys.flatMap((k): [string, string | number][] => {
    const v = filter[k];
    return v === undefined ? [] : [[k, times.has(k) ? isoTime(k, String(v)) : v]];
  });
  const knobs = Object.entries(filter.knobs ?? {}).map(([k, v]): [string, string] => [
    `knob.${knobName(k)}`,
    String(v),
  ]);
  return [...plain, ...knobs.toSorted(([a], [b]) => (a < b ? -1 : 1))];
}

function isoTime(key: string, text: string): string {
  const ms = Date.parse(text);
  if (Number.isNaN(ms)) throw new BadFilter(`${key}: "${text}" is not a time like 2026-01-31T12:00:00Z`);
  return new Date(ms).toISOString();
}

/** Letters, digits, _ and -: what may stand in a path of JSON. */
function knobName(name: string): string {
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(name)) throw new BadFilter(`knob.${name}: no knob has such a name`);
  return name;
}

/** A filter as SQL: joined by AND, 'true' where there is nothing to ask. */
export interface Conditions {
  readonly parameters: Readonly<Record<string, string | number>>;
  /** What `tally` asks of a summary; for times the job too, as jobs come one after another. */
  readonly asks: readonly SummaryColumn[];
  /** On a row y of a summary: what summaries alone can tell, and what narrows them. */
  readonly tally: string;
  /** On a row s of spans. */
  readonly span: string;
  /** On a row m of marks, beyond `tally`. */
  readonly mark: string;
  /** On a row t of trials: everything but knobs. */
  readonly trial: string;
  /** On a row t of trials: knobs, which are read from each config. */
  readonly knobs: string;
  /** On a row t of trials: what neither summaries nor marks tell. */
  readonly rest: string;
  /** The dearest table that is needed. */
  readonly needs: 'summary' | 'marks' | 'trials';
  /** What it is about: whole places (a task on a board in a kind), of which all measured trials fit, or any trials. */
  readonly about: 'places' | 'trials';
}

/** The SQL of a filter. */
export function conditionsOf(normal: NormalFilter): Conditions {
  const plain = normal.flatMap(([k]) => (isKnob(k) ? [] : [conditions[k as Key]]));
  const knobs = normal.filter(([k]) => isKnob(k)).map((_, i) => `CAST(t.config ->> @path${i} AS TEXT) = @knob${i}`);
  const on = (where: Condition['of'], alias: string): string[] =>
    plain.filter((c) => c.of === where).map((c) => c.sql(alias));
  const narrowing = plain.flatMap((c) => c.narrows ?? []);
  const rest = [...on('trials', 't'), ...knobs];
  return {
    parameters: parametersOf(normal),
    asks: plain.flatMap((c) => (c.span === undefined ? (c.asks ?? []) : 'job')),
    tally: all([...on('summary', 'y'), ...narrowing]),
    span: all(plain.flatMap((c) => c.span ?? [])),
    mark: all(on('marks', 'm')),
    trial: all(plain.map((c) => c.sql('t'))),
    knobs: all(knobs),
    rest: all(rest),
    about: normal.every(([k, v]) => ofPlaces.has(k) || (k === 'status' && v === 'ok')) ? 'places' : 'trials',
    needs: rest.length > 0 ? 'trials' : narrowing.length > 0 ? 'marks' : 'summary',
  };
}

const isKnob = (name: string): boolean => name.startsWith('knob.');
const all = (parts: readonly string[]): string => (parts.length === 0 ? 'true' : parts.join(' AND '));

function parametersOf(normal: NormalFilter): Conditions['parameters'] {
  const knobs = normal.filter(([k]) => isKnob(k));
  return Object.fromEntries([
    ...normal.filter(([k]) => !isKnob(k)),
    ...knobs.flatMap(([k, v], i) => [
      [`path${i}`, `$.knobs."${k.slice('knob.'.length)}"`],
      [`knob${i}`, v],
    ]),
  ]);
}

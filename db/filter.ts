/**
 * Filters of the log: one form of each, for cursors, and the SQL that it stands for. Must stay true: every key of a RecordFilter
 * has its condition here, and values reach SQLite only as parameters.
 *
 * Four tables answer, each for more and at a higher price: `lots` (alias y) know what alike trials share, `tallied` (alias y) also
 * their job and device, `marks` (alias m) time and count of each, `trials` (alias t) all of it. Columns have the same names in all.
 */
import { BadFilter } from './errors.ts';
import type { RecordFilter } from './types.ts';

type Key = Exclude<keyof RecordFilter, 'knobs'>;
type Where = 'lots' | 'tallied' | 'marks' | 'trials';
interface Condition {
  /** The cheapest table that can tell. */
  readonly of: Where;
  /** The condition on a row of `alias`. */
  readonly sql: (alias: string) => string;
  /** On a lot or tally: false where none of its trials can fit. Narrows what marks are read. */
  readonly narrows?: string;
  /** On a row s of spans: false where no trial with its numbers can fit. */
  readonly span?: string;
}

const equal = (column: string, of: Where = 'lots'): Condition => ({ of, sql: (a) => `${a}.${column} = @${column}` });
const ofTask = (column: string): Condition => ({
  of: 'lots',
  sql: (a) => `${a}.task IN (SELECT id FROM tasks WHERE ${column} = @${column})`,
});
const onMark = (sql: Condition['sql'], narrows: string): Condition => ({ of: 'marks', sql, narrows });
const onTime = (sql: Condition['sql'], narrows: string, span: string): Condition => ({
  of: 'marks',
  sql,
  narrows,
  span,
});

const conditions: Readonly<Record<Key, Condition>> = {
  job: equal('job', 'tallied'),
  network: { of: 'lots', sql: (a) => `${a}.task IN (SELECT task FROM layers WHERE model = @network)` },
  layer: {
    of: 'lots',
    sql: (a) => `${a}.task IN (SELECT task FROM layers WHERE model = @network AND name = @layer)`,
  },
  task: equal('task'),
  op: ofTask('op'),
  shape: ofTask('shape'),
  board: equal('board'),
  kind: equal('kind'),
  policy: equal('policy'),
  template: equal('template'),
  status: equal('status'),
  stage: equal('stage'),
  code: equal('code'),
  device: equal('device', 'tallied'),
  toolchain: {
    of: 'lots',
    sql: (a) => `${a}.environment IN (SELECT id FROM environments WHERE toolchain = @toolchain)`,
  },
  binary: {
    of: 'trials',
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
  /** The cheapest summary with the columns of `tally`, as y; for times the finer one, as jobs come one after another. */
  readonly summary: 'lots y' | 'tallied y';
  /** On a row y of it: what summaries alone can tell, and what narrows them. */
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
  const on = (where: Where, alias: string): string[] => plain.filter((c) => c.of === where).map((c) => c.sql(alias));
  const narrowing = plain.flatMap((c) => c.narrows ?? []);
  const rest = [...on('trials', 't'), ...knobs];
  return {
    parameters: parametersOf(normal),
    summary: plain.some((c) => c.of === 'tallied' || c.span !== undefined) ? 'tallied y' : 'lots y',
    tally: all([...on('tallied', 'y'), ...on('lots', 'y'), ...narrowing]),
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

/**
 * Pages of records, in any order, under any filter, of a log that grows. Must stay true: every row that fits comes once, in order,
 * whatever is appended meanwhile; a page costs little however many rows there are and however few fit. For that a page may hold
 * fewer records than were asked for although more follow: only `next` tells.
 */
import type { Database, Statement } from 'better-sqlite3';
import { cursorAfter, seqOf } from './cursor.ts';
import { type Conditions, conditionsOf, normalFilter, summaryWith } from './filter.ts';
import { Prepared } from './prepared.ts';
import type { RecordFilter, RecordSort } from './types.ts';

/** How much a page may cost. */
export interface Effort {
  /** Rows that are looked at before summaries are asked: those that fit often lie side by side. */
  readonly glanced: number;
  /** Up to so many trials are taken out of their tallies without a thought for other ways. */
  readonly few: number;
  /** Up to so many trials are taken out of their tallies and put in order; of more, enough are met by going along. */
  readonly gathered: number;
  /** Configs read to look for knobs. */
  readonly lookedAt: number;
}
const usualEffort: Effort = { glanced: 200, few: 2000, gathered: 150_000, lookedAt: 10_000 };
/** Rows of trials cost so many times what marks do, and are read so many times farther than were enough if those that fit lay evenly. */
const [dearer, farther] = [4, 4] as const;

interface Order {
  /** Columns of the order on a table of this alias. */
  readonly by: (alias: string) => string;
  /** What lies behind the last row of the page before. */
  readonly beyond: (alias: string) => string;
  /** On a row y of a summary: some of it may lie there. */
  readonly reaches: string;
  /** On a row of trials: it comes no later than a row with this count. */
  readonly upTo: string;
  readonly first: Place;
}
interface Place {
  readonly seq: number;
  readonly cycles: number;
}
const end = Number.MAX_SAFE_INTEGER;
const counted = (alias: string): string => `${alias}.cycles IS NOT NULL`;
const orders: Readonly<Record<RecordSort, Order>> = {
  at: {
    by: (a) => `${a}.seq`,
    beyond: (a) => `${a}.seq > @seq`,
    reaches: 'y.last_seq > @seq',
    upTo: 'true',
    first: { seq: 0, cycles: 0 },
  },
  '-at': {
    by: (a) => `${a}.seq DESC`,
    beyond: (a) => `${a}.seq < @seq`,
    reaches: 'y.first_seq < @seq',
    upTo: 'true',
    first: { seq: end, cycles: 0 },
  },
  cycles: {
    by: (a) => `${a}.cycles, ${a}.seq`,
    beyond: (a) => `${counted(a)} AND (${a}.cycles, ${a}.seq) > (@cycles, @seq)`,
    reaches: 'y.best IS NOT NULL',
    upTo: 't.cycles <= @edge',
    first: { seq: 0, cycles: Number.NEGATIVE_INFINITY },
  },
  '-cycles': {
    by: (a) => `${a}.cycles DESC, ${a}.seq DESC`,
    beyond: (a) => `${counted(a)} AND (${a}.cycles, ${a}.seq) < (@cycles, @seq)`,
    reaches: 'y.best <= @cycles',
    upTo: 't.cycles >= @edge',
    first: { seq: end, cycles: Number.POSITIVE_INFINITY },
  },
};

/** Numbers of the rows of a page, and the cursor behind it. */
export interface Seqs {
  readonly seqs: readonly number[];
  readonly next: string | null;
}
/** Parameters of a statement. */
type Bound = Conditions['parameters'] & Place & { readonly limit: number };
/** Trials of all rows of a summary that may have some in the page, and the first and the last of them. */
interface Reached {
  readonly trials: number;
  readonly first: number;
  readonly last: number;
}
interface Row {
  readonly seq: number;
  /** 1: its knobs are those that are asked for. */
  readonly fits: number;
}

export class Pages {
  private readonly db: Database;
  private readonly farm: string;
  private readonly effort: Effort;
  private readonly statements: Prepared;
  private readonly last: Statement<[], number>;

  constructor(db: Database, farm: string, effort = usualEffort) {
    this.db = db;
    this.statements = new Prepared(db);
    this.last = db.prepare<[], number>('SELECT ifnull(max(seq), 0) FROM trials').pluck();
    this.farm = farm;
    this.effort = effort;
  }

  /** The number of the newest row; 0 before the first. */
  lastSeq(): number {
    return this.last.get()!;
  }

  /** Throws BadFilter, BadCursor, RangeError. */
  page(filter: RecordFilter, sort: RecordSort, limit: number, cursor: string | undefined): Seqs {
    if (!Number.isInteger(limit) || limit < 1) throw new RangeError(`a page of ${limit} records`);
    const normal = normalFilter(filter);
    const list = [sort, normal];
    const place = cursor === undefined ? orders[sort].first : this.placeAt(seqOf(cursor, this.farm, list));
    const c = conditionsOf(normal);
    // One more than asked for tells whether there is a next page.
    const most = c.knobs === 'true' ? limit + 1 : this.effort.lookedAt;
    const seqs: number[] = [];
    let looked = 0;
    let last = place.seq;
    for (const { seq, fits } of this.rows(c, sort, place, most)) {
      looked++;
      if (fits === 1 && seqs.push(seq) > limit) break;
      last = seq;
    }
    const more = seqs.length > limit || (c.knobs !== 'true' && looked === most);
    return { seqs: seqs.slice(0, limit), next: more ? cursorAfter(last, this.farm, list) : null };
  }

  /** A row never changes: its number tells its place in every order. */
  private placeAt(seq: number): Place {
    const row = this.db
      .prepare<[number], { cycles: number | null }>('SELECT cycles FROM trials WHERE seq = ?')
      .get(seq);
    return { seq, cycles: row?.cycles ?? 0 };
  }

  private rows(c: Conditions, sort: RecordSort, place: Place, limit: number): Iterable<Row> {
    const bound: Bound = { ...c.parameters, ...place, limit };
    if ('binary' in c.parameters) return this.along(c, sort, bound, 'INDEXED BY trials_of_binary');
    if (sort === 'at' || sort === '-at')
      return c.tally === 'true' ? this.along(c, sort, bound, 'NOT INDEXED') : this.byTime(c, sort, bound);
    const reached = this.reached(c, sort, bound);
    if (reached.trials === 0) return [];
    return (
      (reached.trials > this.effort.few && c.about === 'places' && this.merge(c, sort, bound, reached)) ||
      this.gather(c, sort, bound)
    );
  }

  /** What summaries say of the trials that may fit. */
  private reached(c: Conditions, sort: RecordSort, bound: Bound): Reached {
    const reached = this.statements
      .of<Reached>(
        `SELECT ifnull(sum(trials), 0) AS trials, min(first_seq) AS first, max(last_seq) AS last FROM ${summaryWith(c.asks)} y
         WHERE ${c.tally} AND ${orders[sort].reaches}`,
      )
      .get(bound)!;
    if (c.span === 'true' || reached.trials === 0) return reached;
    const { first, last } = this.statements
      .of<{ readonly first: number | null; readonly last: number | null }>(
        `SELECT min(block) * 1024 AS first, max(block) * 1024 + 1023 AS last FROM spans s WHERE ${c.span}`,
      )
      .get(bound)!;
    if (first === null || last === null) return { ...reached, trials: 0 };
    return { ...reached, first: Math.max(reached.first, first), last: Math.min(reached.last, last) };
  }

  private byTime(c: Conditions, sort: 'at' | '-at', bound: Bound): Iterable<Row> {
    return this.glance(c, sort, bound) ?? this.beyond(c, sort, bound, this.reached(c, sort, bound));
  }

  /** A page of the very next rows, if they hold one. */
  private glance(c: Conditions, sort: 'at' | '-at', bound: Bound): Iterable<Row> | undefined {
    const { glanced } = this.effort;
    if (bound.limit > glanced || c.knobs !== 'true') return undefined;
    const seq = sort === 'at' ? bound.seq : Math.min(bound.seq, this.lastSeq() + 1);
    return this.within(Math.min(glanced, farther * bound.limit), c, sort, { ...bound, seq });
  }

  private beyond(c: Conditions, sort: 'at' | '-at', bound: Bound, reached: Reached): Iterable<Row> {
    if (reached.trials === 0) return [];
    const seq = sort === 'at' ? Math.max(bound.seq, reached.first - 1) : Math.min(bound.seq, reached.last + 1);
    const { first, last } = reached;
    const from = { ...bound, seq, first, last };
    if (reached.trials > this.effort.gathered)
      return this.along(c, sort, from, 'NOT INDEXED', 't.seq BETWEEN @first AND @last');
    return this.nearby(c, sort, from, reached) ?? this.gather(c, sort, bound);
  }

  /** Where many fit, a page is likely to lie within the next few rows. Undefined: not likely, or it does not. */
  private nearby(c: Conditions, sort: 'at' | '-at', bound: Bound, reached: Reached): Iterable<Row> | undefined {
    const { seq, limit } = bound;
    const span = sort === 'at' ? reached.last - seq : seq - reached.first;
    const reach = Math.ceil((farther * limit * span) / reached.trials);
    return reach * dearer > reached.trials ? undefined : this.within(reach, c, sort, bound);
  }

  /** A page of the next `reach` rows; undefined where they do not hold a whole one. */
  private within(reach: number, c: Conditions, sort: 'at' | '-at', bound: Bound): Iterable<Row> | undefined {
    const near = 't.seq BETWEEN @seq - @reach AND @seq + @reach';
    const rows = [...this.along(c, sort, { ...bound, reach }, 'NOT INDEXED', near)];
    return rows.length < bound.limit ? undefined : rows;
  }

  /** Row by row in the order of a key, until enough fit. */
  private along(c: Conditions, sort: RecordSort, bound: object, index: string, within = 'true'): Iterable<Row> {
    const { by, beyond } = orders[sort];
    return this.read(
      `SELECT t.seq, ${c.knobs} AS fits FROM trials t ${index}
       WHERE ${beyond('t')} AND ${within} AND ${c.trial} ORDER BY ${by('t')} LIMIT @limit`,
      c,
      bound,
    );
  }

  /** The first ones of each place, which an index has in order, then put in order. Undefined where to gather all costs less. */
  private merge(c: Conditions, sort: RecordSort, bound: Bound, reached: Reached): Iterable<Row> | undefined {
    const { by, beyond, upTo } = orders[sort];
    const places = this.statements
      .of<object>(
        `SELECT task, board, kind FROM lots y INDEXED BY lots_once WHERE ${c.tally} GROUP BY 1, 2, 3 ORDER BY min(best)`,
      )
      .all(bound);
    const fewer = dearer * places.length * bound.limit < reached.trials;
    if (!fewer && reached.trials <= this.effort.gathered) return undefined;
    const first = this.statements.of<Place>(
      `SELECT t.seq, t.cycles FROM trials t INDEXED BY trials_fastest
       WHERE t.task = @task AND t.board = @board AND t.kind = @kind AND t.status = 'ok' AND ${beyond('t')} AND ${upTo}
       ORDER BY ${by('t')} LIMIT @limit`,
    );
    const sign = sort === 'cycles' ? 1 : -1;
    let rows: Place[] = [];
    // What the page's last row so far leaves no room for is not read.
    let edge = sign * Number.POSITIVE_INFINITY;
    for (const place of places) {
      rows.push(...first.all({ ...bound, ...place, edge }));
      rows.sort((a, b) => sign * (a.cycles - b.cycles || a.seq - b.seq));
      rows = rows.slice(0, bound.limit);
      edge = rows[bound.limit - 1]?.cycles ?? edge;
    }
    return rows.map(({ seq }) => ({ seq, fits: 1 }));
  }

  /** All marks of the tallies that fit, then put in order. */
  private gather(c: Conditions, sort: RecordSort, bound: object): Iterable<Row> {
    const { by, beyond, reaches } = orders[sort];
    const marks = `SELECT m.seq, 1 AS fits, m.cycles FROM tallied y CROSS JOIN marks m ON m.tally = y.id
       WHERE ${c.tally} AND ${reaches} AND ${c.mark} AND ${beyond('m')} ORDER BY ${by('m')} LIMIT @limit`;
    const rows =
      c.knobs === 'true'
        ? marks
        : `SELECT t.seq, ${c.knobs} AS fits FROM (${marks}) m JOIN trials t ON t.seq = m.seq ORDER BY ${by('m')}`;
    return this.read(rows, c, bound);
  }

  /** Rows one by one where whoever takes them may have enough of them early; else all at once, which takes half the time. */
  private read(sql: string, c: Conditions, bound: object): Iterable<Row> {
    const statement = this.statements.of<Row>(sql);
    return c.knobs === 'true' ? statement.all(bound) : statement.iterate(bound);
  }
}

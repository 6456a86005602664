/**
 * Curves: the best that is known against the number of trials. Must stay true: a curve never rises, and its counts are of one
 * kind, board, compiler and set of flags.
 */
import type { Database } from 'better-sqlite3';
import type { Kind } from '../boards/board.ts';
import type { Curve, Place } from './log-types.ts';

type Point = Curve['points'][number];
/** Points of a curve at most. */
const mostPoints = 500;
const nothing: Curve = { kind: null, default: null, points: [] };

/** What a job's trials were made with and for. */
interface JobSpan {
  readonly board: string;
  readonly kind: Kind;
  readonly first: number;
  readonly last: number;
  readonly firstAt: string;
}
interface Step {
  readonly at: string;
  readonly task: string;
  readonly cycles: number | null;
  /** 1: it counts as one of the trials. */
  readonly counts: number;
}

/** Tallies y of what a job may compare its trials with: the tasks of its network, made by the same compiler and flags. */
const comparable = (tasks: string): string => `y.stands AND y.board = @board AND y.kind = @kind AND y.task IN (${tasks})
  AND y.environment IN (
    SELECT a.id FROM environments a JOIN environments b ON a.toolchain = b.toolchain AND a.flags = b.flags
    WHERE b.id IN (SELECT environment FROM tallied WHERE job = @job))`;

export class Curves {
  private readonly db: Database;

  constructor(db: Database) {
    this.db = db;
  }

  ofJob(job: string): Curve {
    const layers = this.db
      .prepare<[string], { task: string; count: number }>(
        'SELECT l.task, count(*) AS count FROM layers l JOIN jobs j ON j.model = l.model WHERE j.id = ? GROUP BY l.task',
      )
      .all(job);
    return this.ofLayers(job, layers);
  }

  ofTask({ job, policy, ...place }: Place & { readonly job?: string; readonly policy?: string }): Curve {
    return job === undefined ? this.ofAll(place, policy) : this.ofLayers(job, [{ task: place.task, count: 1 }]);
  }

  /** A task by its trials of all jobs, or of one policy. */
  private ofAll(place: Place, policy: string | undefined): Curve {
    const from = `FROM tallied y CROSS JOIN marks m ON m.tally = y.id WHERE y.stands
      AND y.task = @task AND y.board = @board AND y.kind = @kind`;
    const of = { ...place, ...(policy !== undefined && { policy }) };
    const steps = this.db
      .prepare<object, Step>(
        `SELECT m.at, y.task, m.cycles, NOT y.reused AS counts ${from}
         ${policy === undefined ? '' : 'AND y.policy = @policy'} ORDER BY m.seq`,
      )
      .all(of);
    const plain = this.defaults(`y.stands AND y.task = @task AND y.board = @board AND y.kind = @kind`, place);
    const best = new Best([{ task: place.task, count: 1 }]);
    return {
      kind: steps.length === 0 ? null : place.kind,
      default: plain.get(place.task) ?? null,
      points: pointsOf(steps, best),
    };
  }

  private ofLayers(job: string, layers: readonly { readonly task: string; readonly count: number }[]): Curve {
    const span = this.spanOf(job);
    if (span === undefined || layers.length === 0) return nothing;
    const of = { job, ...span, tasks: JSON.stringify(layers.map((l) => l.task)) };
    const where = comparable('SELECT value FROM json_each(@tasks)');
    const best = new Best(layers);
    for (const [task, cycles] of this.bests(`${where} AND y.last_seq < @first`, of)) best.take(task, cycles);
    const known = best.sum;
    const points = pointsOf(this.steps(where, of), best);
    const start: Point[] = known === undefined ? [] : [{ n: 0, at: span.firstAt, cycles: known }];
    const plain = new Best(layers);
    for (const [task, cycles] of this.defaults(where, of)) plain.take(task, cycles);
    return { kind: span.kind, default: plain.sum ?? null, points: thinned([...start, ...points]) };
  }

  private spanOf(job: string): JobSpan | undefined {
    const span = this.db
      .prepare<[string], JobSpan>(
        `SELECT board, kind, min(first_seq) AS first, max(last_seq) AS last, min(first_at) AS firstAt
         FROM outcomes WHERE job = ? GROUP BY board, kind ORDER BY sum(trials) DESC LIMIT 1`,
      )
      .get(job);
    return span;
  }

  /** What was made while the job was at it, whoever made it, in order; only its own trials count. */
  private steps(where: string, of: object): readonly Step[] {
    return this.db
      .prepare<object, Step>(
        `SELECT m.at, y.task, m.cycles, y.job IS @job AND NOT y.reused AS counts
         FROM tallied y CROSS JOIN marks m ON m.tally = y.id
         WHERE ${where} AND y.last_seq >= @first AND y.first_seq <= @last AND m.seq <= @last ORDER BY m.seq`,
      )
      .all(of);
  }

  private defaults(where: string, of: object): ReadonlyMap<string, number> {
    return this.bests(`${where} AND y.template = 'default'`, of);
  }
  private bests(where: string, of: object): ReadonlyMap<string, number> {
    const rows = this.db
      .prepare<object, [string, number]>(
        `SELECT task, min(best) FROM tallied y WHERE best IS NOT NULL AND ${where} GROUP BY task`,
      )
      .raw()
      .all(of);
    return new Map(rows);
  }
}

/** The best of each layer so far, and their sum. */
class Best {
  private readonly weights: ReadonlyMap<string, number>;
  private readonly best = new Map<string, number>();
  private total = 0;

  constructor(layers: readonly { readonly task: string; readonly count: number }[]) {
    this.weights = new Map(layers.map(({ task, count }) => [task, count]));
  }

  take(task: string, cycles: number): void {
    const weight = this.weights.get(task) ?? 0;
    const before = this.best.get(task);
    if (before !== undefined && before <= cycles) return;
    this.best.set(task, cycles);
    this.total += weight * (cycles - (before ?? 0));
  }
  /** undefined until every layer has a count. */
  get sum(): number | undefined {
    return this.best.size === this.weights.size ? this.total : undefined;
  }
}

function pointsOf(steps: readonly Step[], best: Best): readonly Point[] {
  const points: Point[] = [];
  let n = 0;
  let before = best.sum;
  for (const { task, cycles, counts, at } of steps) {
    n += counts;
    if (cycles !== null) best.take(task, cycles);
    if (best.sum !== undefined && best.sum !== before) points.push({ n, at, cycles: best.sum });
    before = best.sum;
  }
  const last = steps.at(-1);
  if (last !== undefined && before !== undefined && points.at(-1)?.n !== n)
    points.push({ n, at: last.at, cycles: before });
  return thinned(points);
}

/** Evenly, the first and the last one kept. */
function thinned(points: readonly Point[]): readonly Point[] {
  if (points.length <= mostPoints) return points;
  const step = (points.length - 1) / (mostPoints - 1);
  return Array.from({ length: mostPoints }, (_, i) => points[Math.round(i * step)]!);
}

/**
 * What a search begins with: enough of what was measured before, of its tasks and of others like them, however long the log is, and
 * the trials that a job has made itself. Must stay true: only measurements that stand and can be compared, reused ones left out; what is asked of a task costs no more in a
 * log of a million trials than in one of a thousand, what is asked of a job grows with that job alone.
 */
import type { Database } from 'better-sqlite3';
import type { Comparable, Relative, TuningRecord } from './types.ts';

type Named = Omit<Comparable, 'job'> & { readonly job: string | null };

/** Measurements of a task that can be compared with each other and stand. */
const comparable = `t.task = @task AND t.board = @board AND t.kind = @kind AND t.reused_from IS NULL
  AND t.environment IN (SELECT id FROM environments WHERE toolchain = @toolchain AND flags = @flags)
  AND (@job IS NULL OR t.job = @job) AND NOT EXISTS (SELECT 1 FROM doubts WHERE record = t.id)`;

/** Tasks that are looked at as relatives, and a task's trials from which a few are taken. */
const mostRelatives = 1000;
const spreadOver = 2000;

export class WarmStart {
  private readonly db: Database;
  private readonly get: (id: string) => TuningRecord | undefined;

  /** `get` reads a record. */
  constructor(db: Database, get: (id: string) => TuningRecord | undefined) {
    this.db = db;
    this.get = get;
  }

  /** The `best` fastest and the `latest` last ones, oldest first. */
  some(of: Comparable, best: number, latest: number): readonly TuningRecord[] {
    return this.records(
      `SELECT seq, id FROM (SELECT seq, id FROM trials t WHERE ${comparable} AND t.status = 'ok' ORDER BY t.cycles, t.seq LIMIT @best)
       UNION SELECT seq, id FROM (SELECT seq, id FROM trials t WHERE ${comparable} ORDER BY t.seq DESC LIMIT @latest)
       ORDER BY seq`,
      { ...named(of), best, latest },
    );
  }

  /** Tasks of these operators with a success on a board, that some network here has. */
  relatives({ board, kind }: Pick<Comparable, 'board' | 'kind'>, ops: readonly string[]): readonly Relative[] {
    return this.db
      .prepare<object, Relative>(
        `SELECT k.id AS task, k.workload, min(l.model) AS model FROM tasks k JOIN layers l ON l.task = k.id
         WHERE k.op IN (SELECT value FROM json_each(@ops)) AND EXISTS (
           SELECT 1 FROM trials WHERE task = k.id AND board = @board AND kind = @kind AND status = 'ok')
         GROUP BY k.id ORDER BY k.id LIMIT ${mostRelatives}`,
      )
      .all({ board, kind, ops: JSON.stringify(ops) });
  }

  /** Of the first two thousand successes `many`, as far apart as can be, oldest first. */
  spread(of: Comparable, many: number): readonly TuningRecord[] {
    return this.records(
      `WITH firsts AS (SELECT id, row_number() OVER (ORDER BY seq) AS n FROM (
         SELECT seq, id FROM trials t WHERE ${comparable} AND t.status = 'ok' ORDER BY t.seq LIMIT ${spreadOver}))
       SELECT id FROM firsts, (SELECT count(*) AS total FROM firsts)
       WHERE floor(n * @many / total) > floor((n - 1) * @many / total) ORDER BY n`,
      { ...named(of), many },
    );
  }

  /** Those of one binary, oldest first. */
  ofBinary(of: Comparable, binary: string): readonly TuningRecord[] {
    const sql = `SELECT id FROM trials t WHERE t.binary = @binary AND ${comparable} ORDER BY t.seq LIMIT 8`;
    return this.records(sql, { ...named(of), binary });
  }

  /** What a job counted, trial by trial, in order; null for what failed. Reused and doubted ones do not count. */
  inOrder(job: string): readonly { readonly task: string; readonly cycles: number | null }[] {
    return this.db
      .prepare<[string], { readonly task: string; readonly cycles: number | null }>(
        `SELECT t.task, t.cycles FROM trials t WHERE t.job = ? AND t.reused_from IS NULL
         AND NOT EXISTS (SELECT 1 FROM doubts WHERE record = t.id) ORDER BY t.seq`,
      )
      .all(job);
  }

  private records(sql: string, parameters: object): readonly TuningRecord[] {
    const rows = this.db.prepare<object, { readonly id: string }>(sql).all(parameters);
    return rows.map(({ id }) => this.get(id)).filter((r) => r !== undefined);
  }
}

const named = ({ job, ...of }: Comparable): Named => ({ ...of, job: job ?? null });

/**
 * Tallies and marks against the trials that they are worked out from. Must stay true: what repair() leaves is what the triggers of
 * 0006-log.sql would have made, and it touches no trial.
 */
import type { Database } from 'better-sqlite3';

const columns = 'job, task, board, kind, environment, device, policy, template, status, stage, code, reused, stands';
const summary = 'trials, first_seq, last_seq, first_at, last_at, best, best_seq';

/** What tallies must be, by a scan of all trials. */
const scanned = `SELECT key, ${columns}, count(*) AS trials, min(seq) AS first_seq, max(seq) AS last_seq, min(at) AS first_at,
    max(at) AS last_at, min(cycles) AS best, NULL AS best_seq
  FROM placed GROUP BY key`;
const bestSeqs = `SELECT p.key, min(p.seq) AS seq FROM placed p
  JOIN (SELECT key, min(cycles) AS cycles FROM placed GROUP BY key) b ON b.key = p.key AND b.cycles = p.cycles GROUP BY p.key`;
const wanted = `SELECT s.key, ${columns}, trials, first_seq, last_seq, first_at, last_at, best, b.seq AS best_seq
  FROM (${scanned}) s LEFT JOIN (${bestSeqs}) b ON b.key = s.key`;
const there = `SELECT key, ${columns}, ${summary} FROM tallies`;

/** How many rows of tallies and marks are not what a scan of the trials says; it reads the whole log. */
export function wrongSummaries(db: Database): { readonly tallies: number; readonly marks: number } {
  const differing = (a: string, b: string): number =>
    db.prepare<[], number>(`SELECT count(*) FROM (${a} EXCEPT ${b})`).pluck().get() ?? 0;
  const marks = 'SELECT y.key, m.seq, m.at, m.cycles FROM marks m LEFT JOIN tallies y ON y.id = m.tally';
  const placed = 'SELECT key, seq, at, cycles FROM placed';
  return {
    tallies: differing(wanted, there) + differing(there, wanted),
    marks: differing(placed, marks) + differing(marks, placed),
  };
}

/** Makes them again from the trials. To be called in a transaction. */
export function remakeSummaries(db: Database): void {
  // Tallies first: what the triggers on marks would count is not there any more.
  db.exec('DELETE FROM tallies; DELETE FROM marks');
  db.exec(`INSERT INTO tallies (key, ${columns}) SELECT DISTINCT key, ${columns} FROM placed`);
  db.exec('INSERT INTO marks SELECT y.id, p.seq, p.at, p.cycles FROM placed p JOIN tallies y ON y.key = p.key');
}

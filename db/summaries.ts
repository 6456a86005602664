/**
 * Lots, tallies, outcomes, marks and spans against the trials that they are worked out from. Must stay true: what remakeSummaries()
 * leaves is what the triggers of 0010-lots.sql and 0013-outcomes.sql would have made, and it touches no trial.
 */
import type { Database } from 'better-sqlite3';

const ofLot = 'task, board, kind, environment, policy, template, status, stage, code, reused, stands';
const ofTally = `${ofLot}, job, device`;
const ofOutcome = 'job, device, board, kind, status, stage, code, reused, stands';
const summary = 'trials, first_seq, last_seq, first_at, last_at, best, best_seq';

/** What there must be of each combination of these columns, by a scan of all trials. */
const scanned = (columns: string): string =>
  `SELECT ${columns}, count(*) AS trials, min(seq) AS first_seq, max(seq) AS last_seq, min(at) AS first_at, max(at) AS last_at,
     min(cycles) AS best, min(seq) FILTER (WHERE place = 1) AS best_seq
   FROM (SELECT *, iif(cycles IS NULL, NULL, rank() OVER (PARTITION BY ${columns} ORDER BY cycles NULLS LAST, seq)) AS place FROM placed)
   GROUP BY ${columns}`;

/** As much of it as outcomes have. */
const scannedOutcomes = `SELECT ${ofOutcome}, count(*) AS trials, min(seq) AS first_seq, max(seq) AS last_seq, min(at) AS first_at,
     max(at) AS last_at, min(cycles) AS best FROM placed GROUP BY ${ofOutcome}`;

const spans = 'SELECT seq / 1024 AS block, min(at) AS first_at, max(at) AS last_at FROM trials GROUP BY 1';

/** How many rows of lots, tallies, outcomes, marks and spans are not what a scan of the trials says; it reads the whole log. */
export function wrongSummaries(db: Database): {
  readonly tallies: number;
  readonly outcomes: number;
  readonly marks: number;
  readonly spans: number;
} {
  const count = (sql: string): number => db.prepare<[], number>(sql).pluck().get() ?? 0;
  const differing = (a: string, b: string): number => count(`SELECT count(*) FROM (${a} EXCEPT ${b})`);
  const unlike = (a: string, b: string): number => differing(a, b) + differing(b, a);
  const lots = unlike(scanned(ofLot), `SELECT ${ofLot}, ${summary} FROM lots`);
  const tallies = unlike(scanned(ofTally), `SELECT ${ofTally}, ${summary} FROM tallied`);
  return {
    tallies: lots + tallies + count('SELECT count(*) FROM tallies WHERE lot NOT IN (SELECT id FROM lots)'),
    outcomes:
      unlike(
        scannedOutcomes,
        `SELECT ${ofOutcome}, trials, first_seq, last_seq, first_at, last_at, best FROM outcomes`,
      ) + unlike('SELECT id, outcome FROM tallies', 'SELECT tally, outcome FROM settled'),
    marks: unlike('SELECT tally, seq, at, cycles FROM placed', 'SELECT tally, seq, at, cycles FROM marks'),
    spans: unlike(spans, 'SELECT * FROM spans'),
  };
}

/** Makes them again from the trials. To be called in a transaction. */
export function remakeSummaries(db: Database): void {
  // Marks last: what their triggers would count is not there any more.
  db.exec('DELETE FROM lots; DELETE FROM tallies; DELETE FROM outcomes; DELETE FROM marks; DELETE FROM spans');
  db.exec(`INSERT INTO lots (${ofLot}) SELECT DISTINCT ${ofLot} FROM placed`);
  db.exec('INSERT INTO tallies (lot, job, device) SELECT DISTINCT lot, job, device FROM placed');
  db.exec('INSERT INTO marks SELECT tally, seq, at, cycles FROM placed');
  db.exec(`INSERT INTO spans ${spans}`);
}

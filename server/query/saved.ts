/**
 * Queries that come with microtune. Must stay true: each runs on any database, in a moment also on a log of a million trials (it asks
 * the totals, or the latest trials); it reads only what the views document; a name stays, for people have it in their notes.
 */
import type { SavedQuery } from '../../db/queries.ts';

/** Of a trial `t`: among the latest so many. */
const latest = (count: number): string => `t.number > (SELECT max(number) FROM trials) - ${count}`;

export const builtInQueries: readonly SavedQuery[] = [
  {
    name: 'best-per-task',
    title: 'The fastest trial of each task, by board and kind',
    sql: `SELECT task, op, shape, board, kind, cycles, record, trials FROM best ORDER BY board, kind, cycles DESC`,
  },
  {
    name: 'failures-by-stage',
    title: 'Share of trials that fail, by stage and code',
    sql: `SELECT stage, code, sum(trials) AS failed,
  round(100.0 * sum(trials) / (SELECT sum(trials) FROM totals WHERE NOT reused), 2) AS percent
FROM totals WHERE status = 'failed' AND NOT reused GROUP BY stage, code ORDER BY failed DESC`,
  },
  {
    name: 'failures-by-template',
    title: 'Share of trials that fail, by operator, board and template',
    sql: `SELECT op, board, template, sum(trials) AS trials,
  round(100.0 * sum(trials) FILTER (WHERE status = 'failed') / sum(trials), 2) AS percent_failed
FROM totals WHERE NOT reused GROUP BY op, board, template ORDER BY percent_failed DESC, trials DESC`,
  },
  {
    name: 'last-failures',
    title: 'The latest hundred failures',
    sql: `SELECT at, id, job, task, op, board, device, stage, code, detail
FROM trials WHERE status = 'failed' ORDER BY number DESC LIMIT 100`,
  },
  {
    name: 'devices-by-failures',
    title: 'Devices by how often trials fail on them',
    sql: `SELECT device, board, trials, failed, round(100.0 * failed / trials, 2) AS percent, first_at, last_at
FROM devices ORDER BY percent DESC, trials DESC`,
  },
  {
    name: 'doubted',
    title: 'Trials that do not stand, and why',
    // CROSS: each doubt looks for its trial. SQLite would read all trials to look for their doubts.
    sql: `SELECT d.at, d.record, t.device, t.board, t.cycles, d.reason
FROM doubts d CROSS JOIN trials t ON t.id = d.record ORDER BY d.at DESC LIMIT 1000`,
  },
  {
    name: 'templates',
    title: 'The best that each template came to, by task and board',
    sql: `SELECT task, op, shape, board, kind, template, sum(trials) AS trials, min(best) AS best
FROM totals WHERE stands GROUP BY task, board, kind, template ORDER BY board, kind, task, best`,
  },
  {
    name: 'policies',
    title: 'What each search policy found, by task and board',
    sql: `SELECT task, op, board, kind, policy, sum(trials) AS trials, min(best) AS best
FROM totals WHERE stands GROUP BY task, board, kind, policy ORDER BY board, kind, task, best`,
  },
  {
    name: 'knob-effects',
    title: 'What each value of each knob came to, over the latest 3,000 trials',
    sql: `SELECT t.op, t.board, t.kind, t.template, k.key AS knob, k.value AS value, count(*) AS trials,
  count(*) FILTER (WHERE t.status = 'failed') AS failed, min(t.cycles) AS best, median(t.cycles) AS median
FROM trials t, json_each(t.knobs) k WHERE ${latest(3000)} AND t.doubt IS NULL
GROUP BY t.op, t.board, t.kind, t.template, knob, value ORDER BY t.op, t.board, t.kind, t.template, knob, median`,
  },
  {
    name: 'slowest-compiles',
    title: 'Of the latest 10,000 trials the fifty that took longest to compile',
    sql: `SELECT t.id, t.compile_ms, t.op, t.template, t.knobs, t.board, t.toolchain
FROM trials t WHERE ${latest(10_000)} AND t.compile_ms IS NOT NULL ORDER BY t.compile_ms DESC LIMIT 50`,
  },
  {
    name: 'time-by-stage',
    title: 'Where the time of trials goes: milliseconds on average over the latest 10,000, by board',
    sql: `SELECT t.board, count(*) AS trials, round(avg(t.compile_ms), 1) AS compile, round(avg(t.link_ms), 1) AS link,
  round(avg(t.load_ms), 1) AS load, round(avg(t.run_ms), 1) AS run, round(avg(t.verify_ms), 1) AS verify
FROM trials t WHERE ${latest(10_000)} AND t.reused_from IS NULL GROUP BY t.board ORDER BY trials DESC`,
  },
  {
    name: 'trials-per-hour',
    title: 'Trials in each hour, over the latest 20,000: all, taken over, failed',
    sql: `SELECT substr(t.at, 1, 13) || ':00Z' AS hour, count(*) AS trials,
  count(*) FILTER (WHERE t.reused_from IS NOT NULL) AS taken_over, count(*) FILTER (WHERE t.status = 'failed') AS failed
FROM trials t WHERE ${latest(20_000)} GROUP BY hour ORDER BY hour DESC`,
  },
  {
    name: 'jobs-before-and-after',
    title: 'Each finished job: the network with default schedules and tuned',
    sql: `SELECT id, name, model_name, board, kind, policy, default_cycles, cycles,
  round(default_cycles / cycles, 3) AS times_faster, round(spent_ms / 60000, 1) AS minutes
FROM jobs WHERE state = 'done' ORDER BY ended_at DESC`,
  },
];

/**
 * Queries that come with microtune. Must stay true: each runs on any database and reads only what the views document; a name
 * stays, for people have it in their notes.
 */
import type { SavedQuery } from '../../db/queries.ts';

export const builtInQueries: readonly SavedQuery[] = [
  {
    name: 'best-per-task',
    title: 'The fastest trial of each task, by board and kind',
    sql: `SELECT task, op, shape, board, kind, cycles, record FROM best ORDER BY board, kind, cycles DESC`,
  },
  {
    name: 'failures-by-stage',
    title: 'Share of trials that fail, by stage and code',
    sql: `SELECT stage, code, count(*) AS failed,
  round(100.0 * count(*) / (SELECT count(*) FROM trials), 2) AS percent
FROM trials WHERE status = 'failed' GROUP BY stage, code ORDER BY failed DESC`,
  },
  {
    name: 'last-failures',
    title: 'The last hundred failures',
    sql: `SELECT at, id, job, task, op, board, device, stage, code, detail
FROM trials WHERE status = 'failed' ORDER BY at DESC LIMIT 100`,
  },
  {
    name: 'knob-effects',
    title: 'What each value of each knob came to: trials, failures, best and median',
    sql: `SELECT t.task, t.board, t.kind, t.template, k.key AS knob, k.value AS value, count(*) AS trials,
  count(*) FILTER (WHERE t.status = 'failed') AS failed, min(t.cycles) AS best, median(t.cycles) AS median
FROM trials t, json_each(t.knobs) k WHERE t.doubt IS NULL
GROUP BY t.task, t.board, t.kind, t.template, knob, value ORDER BY t.task, t.board, t.kind, t.template, knob, best`,
  },
  {
    name: 'templates',
    title: 'How well the templates do, by operator and board',
    sql: `SELECT op, board, kind, template, count(*) AS trials,
  round(100.0 * count(*) FILTER (WHERE status = 'failed') / count(*), 2) AS percent_failed, min(cycles) AS best
FROM trials WHERE doubt IS NULL GROUP BY op, board, kind, template ORDER BY op, board, kind, best`,
  },
  {
    name: 'slowest-compiles',
    title: 'The fifty trials that took longest to compile',
    sql: `SELECT id, compile_ms, op, template, knobs, board, toolchain
FROM trials WHERE compile_ms IS NOT NULL ORDER BY compile_ms DESC LIMIT 50`,
  },
  {
    name: 'time-by-stage',
    title: 'Where the time of trials goes, milliseconds on average by board',
    sql: `SELECT board, count(*) AS trials, round(avg(compile_ms), 1) AS compile, round(avg(link_ms), 1) AS link,
  round(avg(load_ms), 1) AS load, round(avg(run_ms), 1) AS run, round(avg(verify_ms), 1) AS verify
FROM trials WHERE reused_from IS NULL GROUP BY board ORDER BY trials DESC`,
  },
  {
    name: 'devices-by-failures',
    title: 'Devices by how often trials fail on them',
    sql: `SELECT device, board, trials, failed, round(100.0 * failed / trials, 2) AS percent, first_at, last_at
FROM devices ORDER BY percent DESC, trials DESC`,
  },
  {
    name: 'trials-per-hour',
    title: 'Trials in each hour, measured, taken over and failed',
    sql: `SELECT substr(at, 1, 13) || ':00Z' AS hour, count(*) AS trials,
  count(*) FILTER (WHERE reused_from IS NOT NULL) AS taken_over, count(*) FILTER (WHERE status = 'failed') AS failed
FROM trials GROUP BY hour ORDER BY hour DESC LIMIT 168`,
  },
  {
    name: 'speed-up',
    title: 'Each finished job: the network before and after',
    sql: `SELECT id, model_name, board, kind, policy, default_cycles, cycles,
  round(default_cycles / cycles, 3) AS times_faster, round(spent_ms / 60000, 1) AS minutes
FROM jobs WHERE state = 'done' ORDER BY ended_at DESC`,
  },
  {
    name: 'policies',
    title: 'What each search policy found, by task and board',
    sql: `SELECT task, op, board, kind, policy, count(*) AS trials, min(cycles) AS best
FROM trials WHERE doubt IS NULL GROUP BY task, op, board, kind, policy ORDER BY task, board, kind, best`,
  },
  {
    name: 'binaries-twice',
    title: 'Equal binaries that were measured more than once, and how far their counts differ',
    sql: `SELECT binary, board, kind, count(*) AS measured, min(cycles) AS least, max(cycles) AS most
FROM trials WHERE status = 'ok' AND reused_from IS NULL AND doubt IS NULL
GROUP BY binary, board, kind HAVING count(*) > 1 ORDER BY max(cycles) - min(cycles) DESC LIMIT 100`,
  },
  {
    name: 'doubted',
    title: 'Trials that do not stand, and why',
    sql: `SELECT d.at, d.record, t.device, t.board, t.cycles, d.reason
FROM doubts d LEFT JOIN trials t ON t.id = d.record ORDER BY d.at DESC LIMIT 1000`,
  },
];

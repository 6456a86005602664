/**
 * What people may ask with SQL: views with documented columns. Must stay true: a view shows no blob and no secret; a column
 * that is listed here keeps its name and meaning, for saved queries rely on it; `best` and `devices` ask the summaries, for they
 * are read first on a log of a million trials.
 */
export interface LogView {
  readonly name: string;
  readonly about: string;
  readonly columns: readonly Column[];
  /** The rows, from tables of the database. */
  readonly from: string;
}
export interface Column {
  readonly name: string;
  readonly type: 'text' | 'integer' | 'real';
  readonly about: string;
  /** Where it is read; its own name, unless given. */
  readonly sql?: string;
}

/** The statement that makes it, in sight of this connection only; it hides the table of the same name. */
export const viewSql = ({ name, columns, from }: LogView): string =>
  `CREATE TEMP VIEW ${name} AS SELECT ${columns.map((c) => `${c.sql ?? c.name} AS ${c.name}`).join(', ')} FROM ${from}`;

const text = (name: string, about: string, sql?: string): Column => column('text', name, about, sql);
const integer = (name: string, about: string, sql?: string): Column => column('integer', name, about, sql);
const real = (name: string, about: string, sql?: string): Column => column('real', name, about, sql);
const column = (type: Column['type'], name: string, about: string, sql?: string): Column => ({
  name,
  type,
  about,
  ...(sql !== undefined && { sql }),
});

/** A stage's share of a trial's time. */
const stage = (name: string, what: string): Column =>
  real(`${name}_ms`, `milliseconds ${what}; null where it did not come to that`, `t.times ->> '${name}'`);
const size = (name: string, key: string, about: string): Column => integer(name, about, `t.sizes ->> '${key}'`);

const trials: LogView = {
  name: 'trials',
  about: 'every trial, failures included',
  columns: [
    text('id', 'of the record', 't.id'),
    integer('number', 'its place in the log: ORDER BY number DESC LIMIT n is the quick way to the latest', 't.seq'),
    text('at', 'when it was recorded, ISO 8601 in UTC', 't.at'),
    text('job', 'that made it; null for replays and imported records', 't.job'),
    text('task', 'id of the task', 't.task'),
    text('op', 'operator', 'k.op'),
    text('shape', 'operands of the task, like 1x25x5x64 -> 1x25x5x64', 'k.shape'),
    text('board', 'on which it was tried', 't.board'),
    text('kind', 'what cycles counts: silicon, model, instructions, host. Never compare two kinds', 't.kind'),
    text('device', 'that measured it', 't.device'),
    text('toolchain', 'first line of the compiler’s version', 'e.toolchain'),
    text('flags', 'that select the CPU', 'e.flags'),
    text('firmware', 'build of the device’s firmware', 'e.firmware'),
    text('policy', 'that proposed it; default for default schedules, replay for replays', 't.policy'),
    text('template', 'of the schedule', 't.template'),
    text('knobs', 'JSON: settings of the template by name; null where it has none', `t.config -> 'knobs'`),
    text('schedule', 'JSON: algorithm and steps', 't.schedule'),
    text('status', 'ok or failed', 't.status'),
    text('stage', 'where it failed', 't.stage'),
    text('code', 'why it failed', 't.code'),
    text('detail', 'what happened', 't.detail'),
    real('cycles', 'what was counted; null for a failure', 't.cycles'),
    text('binary', 'hash of code and constants', 't.binary'),
    text('reused_from', 'record whose measurement was taken over', 't.reused_from'),
    text('doubt', 'why it does not stand; null where it does', 'd.reason'),
    size('code_bytes', 'codeBytes', 'of machine code'),
    size('const_bytes', 'constBytes', 'of constants, packed'),
    size('scratch_bytes', 'scratchBytes', 'of scratch memory'),
    size('stack_bytes', 'stackBytes', 'of stack, by watermark'),
    stage('compile', 'of compiling'),
    stage('link', 'of linking'),
    stage('load', 'of loading'),
    stage('run', 'of running'),
    stage('verify', 'of comparing the output'),
  ],
  from: `main.trials t JOIN main.tasks k ON k.id = t.task JOIN main.environments e ON e.id = t.environment
    LEFT JOIN main.doubts d ON d.record = t.id`,
};

const jobs: LogView = {
  name: 'jobs',
  about: 'every job',
  columns: [
    text('id', 'of the job', 'j.id'),
    text('name', 'that somebody gave it', 'j.name'),
    text('job_group', 'of the jobs that were asked for together', 'j.job_group'),
    text('priority', 'low, normal or high', 'j.priority'),
    text('state', 'queued, running, paused, done, failed or cancelled', 'j.state'),
    text('model', 'id of the model', 'j.model'),
    text('model_name', 'its file name', 'm.name'),
    text('board', 'that it is for', 'j.board'),
    text('kind', 'what is counted there', 'j.kind'),
    text('policy', 'search policy', 'j.policy'),
    integer('seed', 'of the search', 'j.seed'),
    integer('trials', 'that it may make', 'j.trials'),
    real('time_ms', 'that it may take; null: any', 'j.time_ms'),
    real('spent_ms', 'spent in tuning', 'j.spent_ms'),
    text('created_at', 'ISO 8601 in UTC', 'j.created_at'),
    text('started_at', 'null before', 'j.started_at'),
    text('ended_at', 'null before', 'j.ended_at'),
    text('code', 'why it failed', `j.error ->> 'code'`),
    text('detail', 'what happened', `j.error ->> 'detail'`),
    real('cycles', 'of the tuned network in one run', `j.report ->> 'cycles'`),
    real('default_cycles', 'of the network with default schedules', `j.report ->> 'defaultCycles'`),
  ],
  from: 'main.jobs j JOIN main.models m ON m.id = j.model',
};

const tasks: LogView = {
  name: 'tasks',
  about: 'every task, that is a layer apart from its constants',
  columns: [
    text('id', 'of the task', 'k.id'),
    text('op', 'operator', 'k.op'),
    text('shape', 'operands, like 1x25x5x64 -> 1x25x5x64', 'k.shape'),
    integer('macs', 'multiplications of one run', '(SELECT max(macs) FROM main.layers WHERE task = k.id)'),
    text('workload', 'JSON: operator, attributes, types', 'k.workload'),
  ],
  from: 'main.tasks k',
};

const layers: LogView = {
  name: 'layers',
  about: 'every layer of every model that is here, and the task that it is',
  columns: [
    text('model', 'id of the model', 'l.model'),
    text('model_name', 'its file name', 'm.name'),
    integer('position', 'in the graph that is compiled', 'l.position'),
    text('name', 'of the layer', 'l.name'),
    text('task', 'id of the task', 'l.task'),
    integer('macs', 'multiplications', 'l.macs'),
  ],
  from: 'main.layers l JOIN main.models m ON m.id = l.model',
};

const best: LogView = {
  name: 'best',
  about: 'of each task, board and kind the fewest cycles of the trials that stand',
  columns: [
    text('task', 'id of the task', 'g.task'),
    text('op', 'operator', 'k.op'),
    text('shape', 'operands', 'k.shape'),
    text('board', 'on which they were counted', 'g.board'),
    text('kind', 'what was counted', 'g.kind'),
    real('cycles', 'fewest', 'g.cycles'),
    text('record', 'id of the trial that counted them', 't.id'),
    integer('trials', 'that were measured and stand', 'g.trials'),
  ],
  // With min() best_seq is that of the row that has it.
  from: `(SELECT task, board, kind, min(best) AS cycles, best_seq, sum(trials) FILTER (WHERE NOT reused) AS trials
      FROM main.lots WHERE stands AND best IS NOT NULL GROUP BY task, board, kind) g
    JOIN main.trials t ON t.seq = g.best_seq JOIN main.tasks k ON k.id = g.task`,
};

const devices: LogView = {
  name: 'devices',
  about: 'every device that trials name, and how they fared on it',
  columns: [
    text('device', 'what stands for it in records', 'y.device'),
    text('board', 'that it is', 'y.board'),
    integer('trials', 'that it ran', 'sum(y.trials)'),
    integer('failed', 'of these', `ifnull(sum(y.trials) FILTER (WHERE y.status = 'failed'), 0)`),
    text('first_at', 'its first trial', 'min(y.first_at)'),
    text('last_at', 'its last trial', 'max(y.last_at)'),
  ],
  from: 'main.outcomes y WHERE y.device IS NOT NULL AND NOT y.reused GROUP BY y.device, y.board',
};

/** What trials of a row of `totals` share; `summary` tells their jobs and devices apart. */
const alike: readonly Column[] = [
  text('task', 'id of the task', 'y.task'),
  text('op', 'operator', 'k.op'),
  text('shape', 'operands', 'k.shape'),
  text('board', 'on which they were tried', 'y.board'),
  text('kind', 'what was counted', 'y.kind'),
  text('policy', 'that proposed them', 'y.policy'),
  text('template', 'of their schedules', 'y.template'),
  text('status', 'ok or failed', 'y.status'),
  text('stage', 'where they failed', 'y.stage'),
  text('code', 'why', 'y.code'),
  integer('reused', '1: they took a measurement over', 'y.reused'),
  integer('stands', '0: they, or what they took over, are doubted', 'y.stands'),
  integer('trials', 'how many', 'y.trials'),
  real('best', 'fewest cycles', 'y.best'),
  text('first_at', 'the first of them', 'y.first_at'),
  text('last_at', 'the last of them', 'y.last_at'),
];

const summary: LogView = {
  name: 'summary',
  about: 'trials that are alike in everything but config and count, counted: quick on a log of a million trials',
  columns: [text('job', 'that made them', 'y.job'), text('device', 'that ran them', 'y.device'), ...alike],
  from: 'main.tallied y JOIN main.tasks k ON k.id = y.task',
};

const totals: LogView = {
  name: 'totals',
  about: 'the same over all jobs and devices: what is asked of all trials is answered here at once',
  columns: alike,
  from: 'main.lots y JOIN main.tasks k ON k.id = y.task',
};

const doubts: LogView = {
  name: 'doubts',
  about: 'records that do not stand: their device failed the health check that came next',
  columns: [
    text('record', 'id of the trial', 'd.record'),
    text('at', 'when it was doubted', 'd.at'),
    text('reason', 'what the check found', 'd.reason'),
  ],
  from: 'main.doubts d',
};

/** What `POST /v1/query` can read, in the order of `GET /v1/schema`. */
export const logViews: readonly LogView[] = [trials, jobs, tasks, layers, summary, totals, best, devices, doubts];

/** A Store on an open database: every write one transaction, every failure of the outside world a StoreError. */
import Database from 'better-sqlite3';
import { Answers } from './answers.ts';
import { backupTo } from './backup.ts';
import { Deliveries } from './deliveries.ts';
import { Devices } from './devices.ts';
import { corrupt, failureOf, StoreError } from './errors.ts';
import { healthOf } from './health.ts';
import { Jobs } from './jobs.ts';
import { logOn } from './log.ts';
import { proberOf } from './probe.ts';
import { SavedQueries } from './queries.ts';
import { remakeSummaries } from './summaries.ts';
import { Tasks } from './tasks.ts';
import { Tokens } from './tokens.ts';
import { Trials } from './trials.ts';
import type { Store } from './types.ts';
import { WarmStart } from './warm-start.ts';

/** `now` gives the time that rows are stamped with. The database must be at the newest schema. */
export function storeOn(db: Database.Database, now: () => Date): Store {
  const farm = db.prepare<[], { id: string }>('SELECT id FROM farm').get()!.id;
  const jobs = new Jobs(db, farm);
  const trials = new Trials(db, farm);
  const warmStart = new WarmStart(db, (id) => trials.get(id));
  const tasks = new Tasks(db, farm);
  const queries = new SavedQueries(db);
  const devices = new Devices(db, farm);
  const tokens = new Tokens(db);
  const answers = new Answers(db);
  const deliveries = new Deliveries(db, farm);
  const probe = proberOf(db);
  const at = (): string => now().toISOString();
  const read = <T>(work: () => T): T => translated(db.name, work);
  const write = <T>(work: () => T): T => translated(db.name, () => db.transaction(work).immediate());
  return {
    file: db.name,
    farm,
    putModel: (model) => write(() => jobs.putModel(model, at())),
    model: (id) => read(() => jobs.model(id)),
    putLayers: (model, layers) => {
      if (!read(() => tasks.knowsLayers(model, layers))) write(() => tasks.putLayers(model, layers));
    },
    addJob: (job) => write(() => jobs.add(job, at())),
    addJobs: (group) => write(() => jobs.addGroup(group, at())),
    job: (id) => read(() => jobs.job(id)),
    jobs: () => read(() => jobs.all()),
    openJobs: () => read(() => jobs.open()),
    jobPage: (filter, limit, cursor) => read(() => jobs.page(filter, limit, cursor)),
    updateJob: (id, change, event) => write(() => jobs.update(id, change, at(), event)),
    addEvent: (job, type, data) => write(() => jobs.addEvent(job, type, data, at())),
    events: (job, after, limit) => read(() => jobs.events(job, after, limit)),
    allEvents: (after, limit) => read(() => jobs.allEvents(after, limit)),
    lastEventId: () => read(() => jobs.lastEventId()),
    thinEvents: (job, keep) => write(() => jobs.thinEvents(job, keep)),
    lastEvent: (job, type) => read(() => jobs.lastEvent(job, type)),
    addRecord: (record) => write(() => trials.add(record, at())),
    mergeRecords: (records) => write(() => trials.merge(records)),
    doubt: (id, reason) => write(() => trials.doubt(id, reason, at())),
    record: (id) => read(() => trials.get(id)),
    records: (filter, limit, cursor, sort) => read(() => trials.page(filter, limit, cursor, sort)),
    recordTexts: (filter, limit, cursor, sort) => read(() => trials.textPage(filter, limit, cursor, sort)),
    warmStart: (of, best, latest) => read(() => warmStart.some(of, best, latest)),
    relatives: (of, ops) => read(() => warmStart.relatives(of, ops)),
    spread: (of, many) => read(() => warmStart.spread(of, many)),
    ofBinary: (of, binary) => read(() => warmStart.ofBinary(of, binary)),
    madeBy: (job) => read(() => trials.madeBy(job)),
    countsInOrder: (job) => read(() => warmStart.inOrder(job)),
    best: (task, board, kind, limit) => read(() => trials.best(task, board, kind, limit)),
    bestInPieces: (of, pieces) => eachBy(read, trials.bestInPieces(of, pieces)),
    kinds: (task, board) => read(() => trials.kinds(task, board)),
    counts: (job) => read(() => trials.counts(job)),
    log: logOn(db, tasks, read),
    backup: (file) => backupTo(db, file),
    health: (since) => read(() => healthOf(db, since)),
    remakeSummaries: () => write(() => remakeSummaries(db)),
    devices: {
      all: () => read(() => devices.all()),
      put: (wish) => write(() => devices.put(wish)),
      note: (news) => write(() => devices.note(news)),
      history: (device, since, limit, cursor) => read(() => devices.history(device, since, limit, cursor)),
      use: (since, until) => read(() => devices.use(since, until)),
      tidy: (now) => write(() => devices.tidy(now)),
    },
    queries: {
      all: () => read(() => queries.all()),
      get: (name) => read(() => queries.get(name)),
      put: (query) => write(() => queries.put(query, at())),
      remove: (name) => write(() => queries.remove(name)),
    },
    jobStates: () => read(() => jobs.states()),
    probe: () => read(probe),
    tokens: {
      add: (token) => write(() => tokens.add(token, at())),
      all: () => read(() => tokens.all()),
      valid: () => read(() => tokens.valid()),
      revoke: (name) => write(() => tokens.revoke(name, at())),
    },
    answers: {
      begin: () => write(() => answers.begin()),
      claim: (request) => write(() => answers.claim(request, at())),
      keep: (request, answer) => write(() => answers.keep(request, answer)),
      forget: (request) => write(() => answers.forget(request)),
    },
    deliveries: {
      putFarm: (urls) => write(() => deliveries.putFarm(urls)),
      prune: () => write(() => deliveries.prune(at())),
      pending: (limit) => read(() => deliveries.pending(limit)),
      get: (id) => read(() => deliveries.get(id)),
      attempted: (id, attempt) => write(() => deliveries.attempted(id, attempt)),
      page: (state, limit, cursor) => read(() => deliveries.page(state, limit, cursor)),
    },
    close: () => db.close(),
  };
}

function translated<T>(file: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    // Errors of the caller's own, as of a file that records are read from, are not the database's.
    const failure = error instanceof Database.SqliteError ? failureOf(error, 'record', file) : undefined;
    if (failure !== undefined) throw new StoreError(failure);
    // SQLite has no checksums: damaged text is seen when its JSON is read.
    throw error instanceof SyntaxError ? new StoreError(corrupt('record', file, error.message).error) : error;
  }
}

/** Each piece as one read. */
function* eachBy<T>(read: <R>(work: () => R) => R, pieces: Iterator<T>): Generator<T> {
  for (;;) {
    const { done, value } = read(() => pieces.next());
    if (done) return;
    yield value;
  }
}

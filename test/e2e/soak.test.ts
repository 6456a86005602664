/**
 * A night on a farm, under attack: a real daemon, several jobs, boards behind bad lines that hang, die and lie, and a seeded
 * schedule of kills, full disks, locks and deleted files. Afterwards the log alone proves that each trial is accounted for once,
 * that no result of a sick device counts, and that the best schedules give what they gave.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, onTestFailed, onTestFinished, test } from 'vitest';
import { databaseName } from '../../db/index.ts';
import type { JobBody, RecordBody, ReplayBody } from '../../server/schemas/index.ts';
import { smallModel } from '../server/model.ts';
import { Random } from '../unit/random.ts';
import { until } from './daemon-process.ts';
import { isLie } from './soak-boards.ts';
import { SoakFarm, smallDisk } from './soak-farm.ts';

/** Jobs that were told to have ended, as a chat would hear it. */
async function ear(): Promise<{ readonly url: string; readonly heard: Map<string, string> }> {
  const heard = new Map<string, string>();
  const server = createServer(async (request, answer) => {
    const body: Buffer[] = await request.toArray();
    answer.end();
    const { event, job } = JSON.parse(Buffer.concat(body).toString()) as { event: string; job: JobBody };
    if (event !== 'job.waiting') heard.set(job.id, event);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, heard };
}

type Fault = (f: SoakFarm) => Promise<void>;
const faults: Readonly<Record<string, Fault>> = {
  'kill -9 of the daemon': (f) => f.killDaemon(),
  'kill -9 of the daemon, again': (f) => f.killDaemon(),
  'the daemon stands still': (f) => f.freezeDaemon(),
  'a board loses its power': (f) => f.killBoard(),
  'a board hangs': (f) => f.freezeBoard(),
  'a line breaks': (f) => f.cutLine(),
  'compilers are killed': (f) => f.killCompilers(),
  'the cache is deleted': (f) => f.deleteCache(),
  'the database is locked': (f) => f.lockDatabase(),
  'a board lies about counts': (f) => f.lie('counts'),
  'a board lies about answers': (f) => f.lie('answers'),
  // It takes minutes until nobody hopes for a device any more.
  'all boards are gone': (f) => f.freezeAll(),
};
const onSmallDisk: typeof faults = { ...faults, 'the disk is full': (f) => f.fillDisk() };

/** How long a night is: it is for long runs alone (vitest.config.ts). Trials are of three jobs; `every`: most between two faults. */
const night = { boards: 3, trials: 2100, every: 60, diskMiB: 768 } as const;

/** All faults in a random order, again and again, every few trials, until all jobs have ended; what was done. */
async function attack(f: SoakFarm, all: typeof faults, random: Random): Promise<readonly string[]> {
  const did: string[] = [];
  for (let left: string[] = []; ; ) {
    const next = (await f.done()) + random.int(1, night.every);
    await f.unlessEnded(`trial ${next} is done`, async () => (await f.done()) >= next);
    if (await f.ended()) return did;
    if (left.length === 0) left = Object.keys(all);
    const [what = ''] = left.splice(random.int(0, left.length - 1), 1);
    await all[what]?.(f);
    did.push(what);
  }
}

const own = (records: readonly RecordBody[]): readonly RecordBody[] => records.filter((r) => r.reusedFrom === null);
/** Neither it nor what it rests on is doubted. */
function standing(records: readonly RecordBody[]): readonly RecordBody[] {
  const doubted = new Set(records.filter((r) => r.doubt !== null).map((r) => r.id));
  return records.filter((r) => !doubted.has(r.id) && !doubted.has(r.reusedFrom ?? ''));
}

function expectAccountedFor(records: readonly RecordBody[], jobs: readonly JobBody[], f: SoakFarm): void {
  expect(records.slice(0, f.shown.length).map((r) => ({ ...r, doubt: null }))).toEqual(
    f.shown.map((r) => ({ ...r, doubt: null })),
  );
  expect(new Set(records.map((r) => r.id)).size).toBe(records.length);
  const ids = new Set(records.map((r) => r.id));
  for (const r of records) if (r.reusedFrom !== null) expect(ids).toContain(r.reusedFrom);
  // Each binary of a task has one measurement that stands.
  const measured = own(standing(records)).filter((r) => r.status === 'ok');
  expect(new Set(measured.map((r) => `${r.task} ${r.binary}`)).size).toBe(measured.length);
  for (const job of jobs) {
    expect([job.id, job.state, job.error]).toEqual([job.id, 'done', null]);
    const counted = own(records).filter((r) => r.job === job.id && r.doubt === null);
    expect(job.trials.done).toBe(counted.length);
    expect(job.trials.done).toBeLessThanOrEqual(job.trials.budget);
  }
  // Nobody has a result that its board knows nothing of.
  for (const board of f.boards) {
    const of = own(records).filter((r) => r.device?.includes(board.address) && r.status === 'ok');
    expect(of.length).toBeLessThanOrEqual(board.calls);
  }
}

/** What failed, failed for a reason that lies in its device; and nothing that a board lied about is believed. */
function expectHonest(records: readonly RecordBody[]): void {
  expect(standing(records).filter((r) => r.cycles !== null && isLie(r.cycles))).toEqual([]);
  const codes = new Set(records.filter((r) => r.status === 'failed').map((r) => r.code));
  expect([...codes].filter((c) => c !== 'LINK' && c !== 'DEVICE_UNWELL')).toEqual([]);
}

/** The fastest record of each task that a job has. */
function best(records: readonly RecordBody[]): readonly RecordBody[] {
  const found = new Map<string, RecordBody>();
  for (const r of own(standing(records))) {
    const before = found.get(r.task)?.cycles ?? Number.POSITIVE_INFINITY;
    if (r.cycles !== null && r.cycles < before) found.set(r.task, r);
  }
  return [...found.values()];
}

test(
  'a night under attack: every trial once, nothing of a sick device counts, the best is reproducible, all jobs end',
  async ({ annotate }) => {
    const random = new Random(7);
    const { dir, small } = smallDisk(night.diskMiB);
    const { url, heard } = await ear();
    const f = await SoakFarm.start(dir, night.boards, ['--webhook', url], random);
    onTestFailed(() => console.error(`the daemon said last: ${f.daemon.said().slice(-10_000)}`));
    for (const [i, policy] of (['random', 'evolutionary', 'guided'] as const).entries()) {
      const { id: model } = await f.daemon.upload(smallModel(1 + i, 4 + i, 8));
      const job = await f.daemon.post<JobBody>('/v1/jobs', {
        model,
        board: 'mps2-an386',
        trials: night.trials / 3,
        seed: i,
        policy,
      });
      f.jobs.push(job.id);
    }
    const did = await attack(f, small === 'mounted' ? onSmallDisk : faults, random);
    const records = await f.records();
    const jobs = await f.bodies();
    const lies = f.boards.reduce((n, b) => n + b.lies, 0);
    const doubts = records.filter((r) => r.doubt !== null).length;
    await annotate(
      `${records.length} records, ${did.length} faults, ${lies} lies, ${doubts} doubts, small disk ${small}: ${did.join('; ')}`,
    );
    // On a fast machine the jobs may end before each of them had its turn.
    expect(did.length).toBeGreaterThanOrEqual(8);
    expect(lies).toBeGreaterThan(0);
    expectAccountedFor(records, jobs, f);
    expectHonest(records);

    for (const r of best(records)) {
      const replay = await f.daemon.post<ReplayBody>(`/v1/trials/${r.id}/replay`);
      expect([r.id, replay.was, replay.now, replay.same]).toEqual([r.id, r.cycles, r.cycles, true]);
    }
    await until('the end of each job was told', async () => (heard.size === f.jobs.length ? true : undefined));
    expect(new Map([...heard].sort())).toEqual(new Map(f.jobs.map((id) => [id, 'job.done'] as const).sort()));
    expect(await f.daemon.end('SIGTERM')).toBe(0);
    const db = new Database(join(f.dir, databaseName), { readonly: true });
    expect(db.pragma('integrity_check', { simple: true })).toBe('ok');
    expect(db.pragma('foreign_key_check')).toEqual([]);
    db.close();
  },
  // Two thousand trials with a fault every few of them.
  2 * 3_600_000,
);

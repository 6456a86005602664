/**
 * The end of a daemon at every step of a job: killed at moments that are seen from outside, its disk as a power cut leaves it, its data
 * directory deleted. What was answered stays, nothing is counted twice, and the job ends as it would have.
 */
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { databaseName, type TuningRecord } from '../../db/index.ts';
import type { DeviceList, JobBody, RecordBody } from '../../server/schemas/index.ts';
import { samples } from '../samples.ts';
import { opened } from '../unit/db-helpers.ts';
import {
  compilersOf,
  type DaemonProcess,
  dataDir,
  emulatorsOf,
  ended,
  expectMeasuredOnce,
  measured,
  recordsOf,
  startDaemonProcess,
  submit,
  until,
} from './daemon-process.ts';

const trials = 10;
const start = (dir: string): Promise<DaemonProcess> => startDaemonProcess(dir, ['--emulate', 'mps2-an386=1']);
/** Every one of them succeeded, too: nothing but the daemon has died. */
function expectWell(records: readonly RecordBody[]): void {
  expect(expectMeasuredOnce(records).every((r) => r.status === 'ok')).toBe(true);
}

/** Whether the time has come; `before`: records that there were when the daemon began. */
type Moment = (d: DaemonProcess, dir: string, job: string, before: number) => Promise<boolean>;
const phase =
  (name: string): Moment =>
  async (_, dir) =>
    readFileSync(join(dir, `${databaseName}-wal`), 'latin1').includes(`"phase":"${name}"`);
/** In the order of a job. A normal run takes those that have not been through a kill elsewhere. */
const moments: readonly (readonly [name: string, moment: Moment, run: 'always' | 'long'])[] = [
  ['the job was just answered', async () => true, 'long'],
  ['the baseline is being built', phase('baseline'), 'long'],
  ['an emulator has started', async (_, dir) => emulatorsOf(dir).length > 0, 'long'],
  ['a compiler runs', async (_, dir) => compilersOf(dir).length > 0, 'always'],
  [
    'a device is busy',
    async (d) => (await d.get<DeviceList>('/v1/devices')).items.some((x) => x.state === 'busy'),
    'always',
  ],
  ['a record was just written', async (d, _, job, before) => (await recordsOf(d, job)).length > before, 'long'],
  ['some records were written', async (d, _, job, before) => (await recordsOf(d, job)).length > before + 3, 'always'],
  ['the tuned network is being built', phase('build'), 'always'],
  ['it is being proven', async (_, dir, job) => existsSync(join(dir, 'jobs', job, 'out', 'firmware')), 'always'],
  ['its report is written', async (_, dir, job) => existsSync(join(dir, 'jobs', job, 'out', 'report.json')), 'long'],
];

/** A daemon starts in a second or two, but a machine may have better things to do. */
const longMs = 1_200_000;

test(
  'kill -9 at each step of a job: nothing is lost or counted twice, and the job ends as without it',
  async () => {
    const dir = dataDir();
    let d = await start(dir);
    const { id: job } = await submit(d, { trials });
    let before: readonly RecordBody[] = [];
    const reached: string[] = [];
    const here = moments.filter(([, , run]) => run === 'always' || samples(0, 1) === 1);
    for (const [name, moment] of here) {
      const seen = await until(name, async () => {
        if (await moment(d, dir, job, before.length)) return 'now';
        return (await d.get<JobBody>(`/v1/jobs/${job}`)).endedAt === null ? undefined : 'over';
      });
      if (seen === 'over') break;
      reached.push(name);
      const shown = await recordsOf(d, job);
      expect(shown.slice(0, before.length)).toEqual(before);
      before = shown;
      await d.end('SIGKILL');
      d = await start(dir);
    }
    // The last steps are short: the job may be through them before they are seen.
    expect(reached.length).toBeGreaterThanOrEqual(here.length - 2);
    const body = await ended(d, job);
    expect([body.state, body.error]).toEqual(['done', null]);
    expect(body.trials).toMatchObject({ done: trials, failed: 0, budget: trials });
    const after = await recordsOf(d, job);
    expect(after.slice(0, before.length)).toEqual(before);
    expectWell(after);
    expect(body.report).toMatchObject({ verifiedInputs: 8 });
    expect((await fetch(`${d.url}/v1/jobs/${job}/artifact`)).status).toBe(200);
    expect(await d.end('SIGTERM'), d.said()).toBe(0);
  },
  longMs,
);

const headBytes = 32;
const frameBytes = 24 + 4096;
/** A copy of the database of a daemon at work, without anything that was moved from the log meanwhile. */
async function copied(dir: string, to: string): Promise<void> {
  mkdirSync(to);
  const [file, log] = [databaseName, `${databaseName}-wal`].map((name) => join(dir, name)) as [string, string];
  await until('a copy was made between two checkpoints', async () => {
    const { mtimeMs } = statSync(file);
    copyFileSync(log, join(to, `${databaseName}-wal`));
    copyFileSync(file, join(to, databaseName));
    return statSync(file).mtimeMs === mtimeMs ? true : undefined;
  });
}

/** The records of a job in a database that nobody serves. */
function recordsIn(dir: string, job: string): readonly TuningRecord[] {
  const store = opened({ dir });
  try {
    return store.records({ job }, 1000).items;
  } finally {
    store.close();
  }
}
/** A copy of a copy, whose log ends behind so many frames. */
function cutTo(frames: number, whole: string, to: string): void {
  mkdirSync(to);
  for (const name of [databaseName, `${databaseName}-wal`]) copyFileSync(join(whole, name), join(to, name));
  truncateSync(join(to, `${databaseName}-wal`), headBytes + Math.floor(frames * frameBytes));
}

test(
  'a power cut at work: whatever is left of the log, the next daemon opens it, has lost the end at most, and ends the job',
  async () => {
    const dir = dataDir();
    const d = await start(dir);
    const { id: job } = await submit(d, { trials });
    const shown = await measured(d, job, 6);
    const rooms = dataDir();
    const whole = join(rooms, 'whole');
    await copied(dir, whole);
    await d.end('SIGKILL');
    const frames = Math.floor((statSync(join(whole, `${databaseName}-wal`)).size - headBytes) / frameBytes);
    // Nothing has gone from the log into the database yet: what is cut off has never been there.
    expect(frames).toBeLessThan(1000);
    cutTo(frames, whole, join(rooms, 'all'));
    const all = recordsIn(join(rooms, 'all'), job);
    expect(all.map((r) => r.id).slice(0, shown.length)).toEqual(shown.map((r) => r.id));
    // In the middle of the job, and half a frame before its end.
    const cuts = [0.9 * frames, frames - 1.5, ...Array.from({ length: samples(0, 12) }, (_, i) => (frames * i) / 12)];
    for (const [i, cut] of cuts.entries()) {
      const at = join(rooms, `cut${i}`);
      cutTo(cut, whole, at);
      const kept = recordsIn(at, job);
      expect(kept).toEqual(all.slice(0, kept.length));
      const next = await start(at);
      if ((await next.get<{ readonly items: readonly JobBody[] }>('/v1/jobs')).items.length > 0) {
        const body = await ended(next, job);
        expect([body.state, body.error, body.trials.done]).toEqual(['done', null, trials]);
        const records = await recordsOf(next, job);
        expect(records.slice(0, kept.length).map((r) => r.id)).toEqual(kept.map((r) => r.id));
        expectWell(records);
      }
      expect(await next.end('SIGTERM')).toBe(0);
      const db = new Database(join(at, databaseName), { readonly: true });
      expect(db.pragma('integrity_check', { simple: true })).toBe('ok');
      db.close();
    }
  },
  longMs,
);

test('a data directory that is deleted under the daemon ends it, in words', async () => {
  const dir = dataDir();
  const d = await start(dir);
  const { id: job } = await submit(d, { trials: 100_000 });
  await measured(d, job, 2);
  // The daemon goes on writing into it.
  rmSync(dir, { recursive: true, force: true, maxRetries: 10 });
  expect(await d.ended).toBe(4);
  expect(d.said()).toMatch(/^error DATA_DIR_BAD: .*microtune\.db was deleted or replaced/m);
});

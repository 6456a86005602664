/**
 * What a job does when boards are not as they should be: one that answers wrongly, one without room for the fastest
 * schedules, one that is attached instead of emulated. Real compilers and the PC as the board.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import pino from 'pino';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { host } from '../../boards/host/index.ts';
import type { BoardModule, BuiltFirmware } from '../../boards/index.ts';
import { ok } from '../../compiler/result.ts';
import type { Store } from '../../db/types.ts';
import type { Device } from '../../firmware-rpc/host/device.ts';
import { artifactDir } from '../../server/artifact.ts';
import type { AttachedDevice } from '../../server/attached.ts';
import { Farm } from '../../server/devices.ts';
import { Feed } from '../../server/feed.ts';
import type { Outcome } from '../../server/jobs/queue.ts';
import { Models } from '../../server/models.ts';
import { Run } from '../../server/progress.ts';
import type { Trades } from '../../server/trades.ts';
import { workOf } from '../../server/work.ts';
import { openBenchStore } from '../server/bench.ts';
import { smallModel } from '../server/model.ts';
import { expectOk, firmwareIn, listening, workFolder } from '../wire/host-board.ts';

const folder = workFolder();
/** The PC with its server built once, not by each job again; networks are linked in as ever. */
let pc: BoardModule = host;
let server: BuiltFirmware;
/** A job whose records others may begin with. */
let first: { readonly store: Store; readonly report: Readonly<Record<string, number>> };
beforeAll(async () => {
  server = await firmwareIn(folder.dir, host);
  pc = { ...host, build: async (request) => (request.objects.length === 0 ? ok(server) : host.build(request)) };
  const store = openBenchStore();
  first = { store, report: reportOf((await perform({ store })).outcome) };
});
afterAll(() => folder.remove());

interface Setting {
  readonly board?: BoardModule;
  readonly store?: Store;
  readonly attached?: readonly AttachedDevice[];
  readonly known?: 'all' | 'own';
  readonly policy?: string;
  /** Side of the network's picture: another one makes other layers. */
  readonly side?: number;
  readonly trials?: number;
  readonly signal?: AbortSignal;
  readonly budgets?: { readonly ramBudget: number; readonly flashBudget: number };
  /** Aborted when the job tells that this phase begins. */
  readonly phase?: readonly [string, AbortController];
  /** Called when the farm tells of a device that fails. */
  readonly lost?: () => void;
}
/** Runs one job on a board, in this process. */
async function perform(s: Setting): Promise<{ readonly outcome: Outcome; readonly run: Run; readonly farm: Farm }> {
  const store = s.store ?? openBenchStore();
  const board = s.board ?? pc;
  const models = new Models(store);
  const log = pino({ level: 'silent' });
  const cacheDir = join(folder.dir, 'cache');
  const attached = s.attached ?? [];
  const emulate = { host: attached.length > 0 ? 0 : 1 };
  const { lost = () => undefined, signal = new AbortController().signal } = s;
  const farm = new Farm({ boards: [board], attached, emulate, cores: 2, cacheDir, log: lost });
  const model = expectOk(models.add(smallModel(1, s.side), 'small.tflite')).id;
  const { trials = 8 } = s;
  const job = store.addJob({
    model,
    board: board.id,
    kind: board.kind,
    policy: s.policy ?? 'random',
    seed: 1,
    trials,
    timeMs: null,
    ...s.budgets,
  });
  const feed = new Feed(store);
  feed.listen(job.id, () => {
    const last = store.events(job.id, 0, 1000).at(-1);
    if (last?.data.phase === s.phase?.[0]) s.phase?.[1].abort();
  });
  const run = new Run(job, feed);
  const known = s.known ?? 'all';
  const dirs = { dataDir: folder.dir, cacheDir };
  const work = workOf({ store, models, farm, boards: [board], ...dirs, cores: 2, verifiedInputs: 2, known, log });
  return { outcome: await work(run, signal), run, farm };
}
const reportOf = (o: Outcome): Readonly<Record<string, number>> => {
  if (o.state !== 'done') throw new Error(JSON.stringify(o));
  return o.report as Readonly<Record<string, number>>;
};

type Fetch = Device['fetch'];
/** The PC as a board that answers trials as ever; what is fetched from a network that is linked in goes through `change`. */
function tampered(change: (device: Device, ...request: Parameters<Fetch>) => ReturnType<Fetch>): BoardModule {
  const { open } = pc;
  if (open === undefined) throw new Error('the PC is emulated');
  const wrap = (device: Device): Device => ({
    info: device.info,
    traffic: device.traffic,
    load: (...a) => device.load(...a),
    fill: (...a) => device.fill(...a),
    crc: (...a) => device.crc(...a),
    call: (...a) => device.call(...a),
    reset: () => device.reset(),
    close: () => device.close(),
    fetch: (...a) => (device.info.network === undefined ? device.fetch(...a) : change(device, ...a)),
  });
  return {
    ...pc,
    async open(request) {
      const opened = await open(request);
      return opened.ok ? { ok: true, value: wrap(opened.value) } : opened;
    },
  };
}

test('a board that computes something else: the job fails, and there is no artifact', async () => {
  const board = tampered(async (device, ...request) => {
    const right = await device.fetch(...request);
    return right.with(-1, (right.at(-1) ?? 0) ^ 1);
  });
  const { outcome, run } = await perform({ board });
  expect(outcome).toMatchObject({ state: 'failed', error: { stage: 'verify', code: 'VERIFY_FAILED' } });
  expect(existsSync(join(artifactDir(folder.dir, run.job.id), 'report.json'))).toBe(false);
});

test('a board that vanishes under the whole network is started again; one that always does ends the job', async () => {
  let vanished = 0;
  const vanishing = (times: number): BoardModule =>
    tampered(async (device, ...request) => {
      if (vanished++ < times) await device.close();
      return device.fetch(...request);
    });
  const { outcome } = await perform({ board: vanishing(2), trials: 3 });
  expect(reportOf(outcome).verifiedInputs).toBe(2);
  vanished = 0;
  const never = await perform({ board: vanishing(Number.POSITIVE_INFINITY), trials: 3 });
  expect(never.outcome).toMatchObject({ state: 'failed', error: { stage: 'verify', code: 'LINK' } });
  expect(vanished).toBe(3);
});

test('a board without room for the fastest schedules gets others; without room for the default ones, a refusal', async () => {
  const { store, report: free } = first;
  const flashBytes = free.defaultFlashBytes ?? 0;
  const tight = reportOf((await perform({ store, board: { ...pc, flashBytes } })).outcome);
  expect(tight.flashBytes).toBeLessThanOrEqual(flashBytes);
  const { outcome } = await perform({ store, board: { ...pc, flashBytes: 1500 } });
  expect(outcome).toMatchObject({ state: 'failed', error: { code: 'MODEL_TOO_BIG' } });
  expect(outcome).toMatchObject({
    error: { detail: expect.stringMatching(/host has 1500; constants by layer: .*conv2d \d+/) },
  });
});

test('a job keeps its budgets, and says what less memory would cost', async () => {
  const { store, report: free } = first;
  const budgets = { ramBudget: free.ramBytes ?? 0, flashBudget: (free.flashBytes ?? 0) - 1 };
  const { outcome } = await perform({ store, budgets });
  if (outcome.state !== 'done') throw new Error(JSON.stringify(outcome));
  const { ramBytes, flashBytes, trades } = outcome.report as { ramBytes: number; flashBytes: number; trades: Trades };
  expect(ramBytes).toBeLessThanOrEqual(budgets.ramBudget);
  expect(flashBytes).toBeLessThanOrEqual(budgets.flashBudget);
  expect(trades.flash.length).toBeGreaterThan(0);
  expect(outcome.report.budgets).toEqual({ ramBytes: budgets.ramBudget, flashBytes: budgets.flashBudget });
});

test('an attached board serves trials as an emulated one does', async () => {
  const board = await listening(server);
  onTestFinished(() => board.kill());
  const address = `127.0.0.1:${board.port}`;
  const { outcome, farm } = await perform({ attached: [{ board: 'host', address }], trials: 5 });
  expect(reportOf(outcome).verifiedInputs).toBe(2);
  expect(farm.states()).toMatchObject([{ name: address, board: 'host', state: 'closed', trials: 5, failures: 0 }]);
});

test('an attached board that is not there is waited for; the job can be stopped meanwhile', async () => {
  const address = join(folder.dir, 'nothing');
  const controller = new AbortController();
  const lost = (): void => controller.abort();
  const { outcome, farm } = await perform({ attached: [{ board: 'host', address }], signal: controller.signal, lost });
  expect(outcome).toEqual({ state: 'stopped' });
  expect(farm.states()).toMatchObject([{ name: address, state: 'unplugged', trials: 0 }]);
  expect(farm.states()[0]?.reason).toContain(address);
});

test('a job can be stopped in each of its phases, and leaves nothing that looks done', async () => {
  for (const phase of ['baseline', 'tune', 'build', 'verify'] as const) {
    const controller = new AbortController();
    const { outcome, run } = await perform({ trials: 3, signal: controller.signal, phase: [phase, controller] });
    expect([phase, outcome]).toEqual([phase, { state: 'stopped' }]);
    expect(existsSync(join(artifactDir(folder.dir, run.job.id), 'report.json'))).toBe(false);
  }
});

test('a job that knows only its own records measures again what others measured', async () => {
  const { store } = first;
  const all = await perform({ store, trials: 6 });
  const own = await perform({ store, trials: 6, known: 'own' });
  const measuredBy = (run: Run): ReadonlySet<string> =>
    new Set(
      store
        .records({ job: run.job.id }, 1000)
        .items.filter((r) => r.reusedFrom === null)
        .map((r) => r.template),
    );
  expect(measuredBy(all.run)).not.toContain('default');
  expect(measuredBy(own.run)).toContain('default');
});

test('a guided job hears of similar layers of the log, unless it is to know only its own', async () => {
  const store = openBenchStore();
  const { run } = await perform({ store, side: 7, trials: 6 });
  for (const { id: _, at: __, doubt: ___, ...r } of store.records({ job: run.job.id, status: 'ok' }, 100).items)
    for (let i = 0; i < 24; i++) store.addRecord({ ...r, binary: `${r.binary} ${i}`, reusedFrom: null });
  const heard = async (known: 'all' | 'own'): Promise<readonly string[]> => {
    const { id } = (await perform({ store, trials: 2, policy: 'guided', known })).run.job;
    const messages = store.events(id, 0, 1000).map((e) => String(e.data.message));
    return messages.filter((m) => m.includes('similar layers'));
  };
  expect(await heard('all')).toHaveLength(1);
  expect(await heard('own')).toEqual([]);
});

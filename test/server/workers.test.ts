/** Workers over HTTP: who is let in with which devices, what they are told, and what becomes of their devices when they go. */
import { afterAll, expect, onTestFinished, test } from 'vitest';
import { host } from '../../boards/host/index.ts';
import { boardOf } from '../../boards/index.ts';
import { failed, ok } from '../../compiler/result.ts';
import { Farm } from '../../server/devices.ts';
import { attachedForm } from '../../server/product.ts';
import type { AnswerBody, DeviceList, LeaseBody, WorkerBody, WorkerTerms } from '../../server/schemas/index.ts';
import { tokenHash } from '../../server/service/tokens.ts';
import { toolchainVersion } from '../../toolchain/index.ts';
import type { DevicePool } from '../../tuner/measure/pool.ts';
import { counted, turn } from '../unit/pool-devices.ts';
import { VirtualClock } from '../virtual-clock.ts';
import { expectOk, workFolder } from '../wire/host-board.ts';
import { type Bench, errorIn, openBenchStore, startBench } from './bench.ts';
import { cli } from './cli.ts';
import { MemoryQueue } from './memory-queue.ts';

const folder = workFolder();
afterAll(() => folder.remove());

const toolchain = expectOk(await toolchainVersion(host.target));
const offer = { name: 'host#0', board: 'host', kind: 'host', toolchain, remedies: [] };
const request = { name: 'bench2', version: '0.0.0', devices: [offer] };

interface Scene {
  readonly b: Bench;
  readonly queue: MemoryQueue;
  readonly clock: VirtualClock;
}
async function scene(): Promise<Scene> {
  const queue = new MemoryQueue();
  const clock = new VirtualClock('2026-01-01T00:00:00Z');
  const workers = { queue, version: '0.0.0', clock };
  const farm = { workers, pool: { restMs: () => 0 }, cacheDir: folder.dir };
  const b = await startBench(openBenchStore(), { tokens: 'required' }, {}, farm);
  for (const [name, scope] of [
    ['one', 'work'],
    ['other', 'work'],
    ['root', 'admin'],
  ] as const)
    b.store.tokens.add({ name, scope, hash: tokenHash(name) });
  // Nobody is there in the end who would answer.
  onTestFinished(() => queue.goAway());
  return { b, queue, clock };
}

type Method = 'GET' | 'POST' | 'DELETE';
const ask = (b: Bench, token: string, method: Method, path: string, payload?: object) =>
  b.app.inject({
    method,
    url: `/v1/workers${path}`,
    headers: { authorization: `Bearer ${token}` },
    ...(payload !== undefined && { payload }),
  });
async function register(b: Bench, change: object = {}, token = 'one'): Promise<WorkerTerms> {
  const answer = await ask(b, token, 'POST', '', { ...request, ...change });
  expect([answer.statusCode, answer.body]).toEqual([201, expect.any(String)]);
  return answer.json<WorkerTerms>();
}
const code = async (answer: ReturnType<typeof ask>): Promise<string | number> => {
  const got = await answer;
  return got.statusCode < 400 ? got.statusCode : errorIn(got).code;
};
const devices = async ({ b }: Scene) => {
  const list = await b.get('/v1/devices', { authorization: 'Bearer root' });
  return list.json<DeviceList>().items.filter((d) => d.board === 'host');
};
const workers = async ({ b }: Scene) =>
  (await ask(b, 'root', 'GET', '')).json<{ readonly items: WorkerBody[] }>().items;

const info = { board: 'host', uid: 'far', buildId: '0' };
const usual: Partial<Record<LeaseBody['errand'], AnswerBody>> = {
  open: { is: 'open', info },
  count: { is: 'count', count: 7 },
};
/** Does what the next lease asks, as a worker does it; which errand that was. */
async function obey({ b, queue }: Scene, { id }: WorkerTerms): Promise<string> {
  let lease = queue.take('bench2');
  for (; lease === undefined; lease = queue.take('bench2')) await turn();
  const { errand } = (await ask(b, 'one', 'GET', `/${id}/leases/${lease}`)).json<LeaseBody>();
  const done = usual[errand] ?? { is: 'done' };
  expect(await code(ask(b, 'one', 'POST', `/${id}/leases/${lease}/answer`, done))).toBe(204);
  return errand;
}
/** The pool of a board that only the worker has. */
const poolOf = async ({ b }: Scene): Promise<DevicePool> => expectOk(await b.farm.open(host));

test('the devices of a worker are those of the farm: trials go to them, one after another; they leave with it and come back', async () => {
  const s = await scene();
  expect(await workers(s)).toEqual([]);
  const terms = await register(s.b);
  expect(terms).toMatchObject({ redis: 'redis://127.0.0.1:6379', prefix: 'test', queue: 'bench2' });
  expect(await devices(s)).toMatchObject([
    { name: 'bench2/host#0', transport: 'worker', address: 'bench2', state: 'closed', uid: null },
  ]);
  const pool = await poolOf(s);
  const trial = pool.use(async () => counted(5));
  expect([await obey(s, terms), await obey(s, terms)]).toEqual(['open', 'count']);
  expect(await trial).toMatchObject({ ok: true, value: { cycles: 5 } });
  expect(await devices(s)).toMatchObject([{ state: 'idle', uid: 'bench2/host#0', health: { count: 7 } }]);
  expect(await code(ask(s.b, 'one', 'DELETE', `/${terms.id}`))).toBe(204);
  expect(await devices(s)).toMatchObject([{ state: 'unplugged' }]);
  expect(await workers(s)).toMatchObject([{ name: 'bench2', state: 'away', devices: ['bench2/host#0'] }]);
  // It comes again, and its device is looked at by itself.
  const again = await register(s.b);
  expect([await obey(s, again), await obey(s, again)]).toEqual(['open', 'count']);
  while (pool.states()[0]?.state !== 'idle') await turn();
  // Started anew before anybody missed it: what was open is not, and that is nobody's failure.
  const anew = await register(s.b);
  expect([await obey(s, anew), await obey(s, anew), await obey(s, anew)]).toEqual(['close', 'open', 'count']);
  while (pool.states()[0]?.state !== 'idle') await turn();
  expect(pool.states()[0]).toMatchObject({ failures: 0 });
  // Offered no more, it is gone.
  await register(s.b, { devices: [{ ...offer, name: 'host#1' }] });
  expect((await devices(s)).map((d) => d.name)).toEqual(['bench2/host#1']);
});

test('a worker that is not heard any more: its leases end at once, its devices are unplugged until it is', async () => {
  const s = await scene();
  const terms = await register(s.b);
  const pool = await poolOf(s);
  const trial = pool.use(async () => counted(5));
  let lease = s.queue.take('bench2');
  for (; lease === undefined; lease = s.queue.take('bench2')) await turn();
  const path = `/${terms.id}/leases/${lease}`;
  expect(await code(ask(s.b, 'one', 'GET', path))).toBe(200);
  for (let i = 0; i < 4; i++) {
    await s.clock.pass(4000);
    expect(await code(ask(s.b, 'one', 'POST', `/${terms.id}/heartbeat`))).toBe(204);
  }
  expect(pool.states()[0]?.state).toBe('busy');
  await s.clock.pass(11_500);
  while (pool.states()[0]?.state !== 'unplugged') await turn();
  expect(pool.states()[0]).toMatchObject({ code: 'LINK', failures: 0 });
  // Too late.
  expect(await code(ask(s.b, 'one', 'POST', `${path}/answer`, { is: 'open', info }))).toBe('LEASE_VOID');
  expect(await code(ask(s.b, 'one', 'POST', `/${terms.id}/heartbeat`))).toBe(204);
  expect([await obey(s, terms), await obey(s, terms)]).toEqual(['open', 'count']);
  expect(await trial).toMatchObject({ ok: true });
});

test('a worker that is started anew is over as it was before; what it held is held', async () => {
  const s = await scene();
  const before = await register(s.b);
  const name = encodeURIComponent('bench2/host#0');
  const headers = { authorization: 'Bearer root' };
  await s.b.app.inject({ method: 'POST', url: `/v1/devices/${name}/drain`, headers });
  const terms = await register(s.b, { devices: [{ ...offer, name: 'host#1' }] });
  expect(await code(ask(s.b, 'one', 'POST', `/${before.id}/heartbeat`))).toBe('WORKER_REPLACED');
  expect(await code(ask(s.b, 'one', 'POST', `/${terms.id}/heartbeat`))).toBe(204);
  await register(s.b);
  expect(await devices(s)).toMatchObject([{ name: 'bench2/host#0', draining: true }]);
  // While it is there its name is its token's.
  expect(await code(ask(s.b, 'other', 'POST', '', request))).toBe('WORKER_REPLACED');
});

test('a token sees and answers its own worker alone, and nothing else of the farm', async () => {
  const s = await scene();
  const terms = await register(s.b);
  void (await poolOf(s)).use(async () => counted(5));
  let lease = s.queue.take('bench2');
  for (; lease === undefined; lease = s.queue.take('bench2')) await turn();
  const path = `/${terms.id}/leases/${lease}`;
  for (const token of ['other', 'root']) {
    expect(await code(ask(s.b, token, 'GET', path))).toBe('WORKER_NOT_FOUND');
    expect(await code(ask(s.b, token, 'POST', `${path}/answer`, { is: 'done' }))).toBe('WORKER_NOT_FOUND');
    expect(await code(ask(s.b, token, 'POST', `/${terms.id}/heartbeat`))).toBe('WORKER_NOT_FOUND');
    expect(await code(ask(s.b, token, 'DELETE', `/${terms.id}`))).toBe('WORKER_NOT_FOUND');
  }
  expect(await code(ask(s.b, 'one', 'GET', ''))).toBe('SCOPE_TOO_SMALL');
  expect(errorIn(await s.b.get('/v1/jobs', { authorization: 'Bearer one' })).code).toBe('SCOPE_TOO_SMALL');
  // An answer that is none, or of a code that does not exist, changes nothing.
  await ask(s.b, 'one', 'GET', path);
  const failed = { is: 'failed', stage: 'run', code: 'MADE_UP', detail: '' };
  for (const wrong of [{}, { is: 'open' }, { is: 'done', more: 1 }, { ...failed, stage: 'record' }, failed])
    expect(await code(ask(s.b, 'one', 'POST', `${path}/answer`, wrong))).toBe('BAD_REQUEST');
  for (let i = 0; i < 2; i++)
    expect(await code(ask(s.b, 'one', 'POST', `${path}/answer`, { is: 'open', info }))).toBe(204);
  expect(await code(ask(s.b, 'one', 'POST', `${path}/answer`, { is: 'done' }))).toBe('LEASE_VOID');
});

test.each([
  ['another version', { version: '0.0.1' }, 'WORKER_MISMATCH'],
  ['another compiler', { devices: [{ ...offer, toolchain: 'gcc 2.95' }] }, 'WORKER_MISMATCH'],
  ['another kind of count', { devices: [{ ...offer, kind: 'silicon' }] }, 'WORKER_MISMATCH'],
  ['a board that nobody has', { devices: [{ ...offer, board: 'nobody' }] }, 'BOARD_UNKNOWN'],
  ['no device', { devices: [] }, 'BAD_REQUEST'],
  ['one device twice', { devices: [offer, offer] }, 'BAD_REQUEST'],
  ['a name that is a path', { name: '../bench' }, 'BAD_REQUEST'],
  ['a device whose name is a path', { devices: [{ ...offer, name: '/dev/ttyACM0' }] }, 'BAD_REQUEST'],
])('%s is refused', async (_, change, refused) => {
  const s = await scene();
  expect(await code(ask(s.b, 'one', 'POST', '', { ...request, ...change }))).toBe(refused);
  expect(await devices(s)).toEqual([]);
});

test('while Redis is away nobody registers and devices rest; they are there again with it, and nothing was their fault', async () => {
  const s = await scene();
  const terms = await register(s.b);
  const pool = await poolOf(s);
  s.queue.goAway();
  expect(await code(ask(s.b, 'one', 'POST', '', request))).toBe('QUEUE_UNREACHABLE');
  expect((await s.b.get('/readyz')).statusCode).toBe(200);
  const trial = pool.use(async () => counted(5));
  while (pool.states()[0]?.state !== 'unplugged') await turn();
  s.queue.comeBack();
  expect([await obey(s, terms), await obey(s, terms)]).toEqual(['open', 'count']);
  expect(await trial).toMatchObject({ ok: true });
  expect(pool.states()[0]).toMatchObject({ failures: 0 });
});

test('names that somebody makes up are bounded: those that are there stay, those that went away make room', async () => {
  const s = await scene();
  const all: WorkerTerms[] = [];
  for (let i = 0; i < 64; i++) all.push(await register(s.b, { name: `w${i}` }));
  expect(await code(ask(s.b, 'one', 'POST', '', request))).toBe('DEVICE_STATE');
  expect(await code(ask(s.b, 'one', 'DELETE', `/${all[5]?.id}`))).toBe(204);
  await register(s.b);
  const names = (await workers(s)).map((w) => w.name);
  expect([names.length, names.includes('w5'), names.includes('bench2')]).toEqual([64, false, true]);
});

test('a daemon without a queue takes no workers', async () => {
  const b = await startBench();
  expect(errorIn(await b.post('/v1/workers', request)).code).toBe('NO_WORKERS');
  expect((await b.get('/v1/workers')).json()).toEqual({ items: [] });
});

test('of a real board the farm needs one itself: networks are run on it, and nobody has a far one for that', async () => {
  const board = attachedForm(boardOf('nucleo-l4r5zi')!);
  const version = expectOk(await toolchainVersion(board.target));
  const queue = new MemoryQueue();
  const farm = new Farm({
    boards: [board],
    attached: [],
    emulate: {},
    ports: async () => [],
    flasherOf: () => ({ build: async () => failed('load', 'NO_DEVICE', ''), flash: async () => ok(undefined) }),
    workers: { queue, version: '1', clock: new VirtualClock('2026-01-01T00:00:00Z') },
    cores: 1,
    cacheDir: folder.dir,
    log: () => undefined,
  });
  onTestFinished(async () => {
    queue.goAway();
    await farm.closeAll();
  });
  const device = { name: 'dev/ttyACM0', board: board.id, kind: board.kind, toolchain: version, remedies: [] };
  expectOk(await farm.workers!.register('', { name: 'bench2', version: '1', devices: [device] }));
  expect(farm.states().map((d) => d.name)).toEqual(['bench2/dev/ttyACM0']);
  expect(farm.has(board)).toBe(false);
  const pool = expectOk(await farm.open(board));
  const { signal } = new AbortController();
  expect(await farm.exclusively(board, async () => ok('done'), signal)).toMatchObject({ error: { code: 'NO_DEVICE' } });
  // One that is attached here is lent, not the far one, which is free as well.
  const lent = pool.exclusively(async ({ name }) => name);
  await turn();
  expect(pool.states().map((d) => d.state)).toEqual(['closed']);
  expectOk(farm.addAttached(board.id, '127.0.0.1:1'));
  expect(await lent).toBe('127.0.0.1:1');
  expect(farm.has(board)).toBe(true);
});

test.each([
  ['no device', [], 'USAGE'],
  ['a board that nobody has', ['--emulate', 'nobody=1'], 'BOARD_UNKNOWN'],
  [
    'silicon beside its twin',
    ['--emulate', 'nucleo-l4r5zi=1', '--device', 'nucleo-l4r5zi=/dev/ttyACM0'],
    'KINDS_MIXED',
  ],
  ['a token said twice', ['--emulate', 'host=1', '--token', 'a', '--token-file', 'b'], 'USAGE'],
  ['a name that is a path', ['--emulate', 'host=1', '--name', '../x'], 'USAGE'],
  ['a Redis that is none', ['--emulate', 'host=1', '--redis', 'http://127.0.0.1'], 'USAGE'],
])('microtune worker with %s ends at once', async (_, args, refused) => {
  const said = await cli('worker', '--farm', 'http://127.0.0.1:1', '--data', folder.dir, ...args);
  expect([said.out, said.err]).toEqual(['', expect.stringMatching(new RegExp(`^error ${refused}: `))]);
});

/** Devices over HTTP: which there are, who may use them, what happened to them; and that what somebody said outlives a restart. */
import { expect, onTestFinished, test } from 'vitest';
import { type BoardModule, boards } from '../../boards/index.ts';
import { ok } from '../../compiler/result.ts';
import { StoreError } from '../../db/index.ts';
import type { Store } from '../../db/types.ts';
import { Farm, type FarmOptions } from '../../server/devices.ts';
import type { DeviceBody, DeviceHistory, DeviceList, UtilisationBody } from '../../server/schemas/index.ts';
import type { DevicePool } from '../../tuner/measure/pool.ts';
import { counted, Fake, failedWith } from '../unit/pool-devices.ts';
import { expectOk } from '../wire/host-board.ts';
import { type Bench, errorIn, openBenchStore, startBench } from './bench.ts';

/** A board whose devices are made up: nothing is built or started. */
const real = boards.find((b) => b.id === 'mps2-an386') as BoardModule;
const firmware = Promise.resolve(ok({ elf: '', bin: '', buildId: '0', sizes: { text: 0, data: 0, bss: 0 } }));
const made: BoardModule = {
  ...real,
  id: 'made-up',
  build: () => firmware,
  open: async () => new Fake('made up', { info: { board: 'made-up' } }).open(),
};
const options = {
  boards: [made],
  emulate: { 'made-up': 2 },
  pool: { check: async () => ok({ count: 1, baseline: 1 }), restMs: () => 0 },
} satisfies Partial<FarmOptions>;

const start = (more: Partial<FarmOptions> = {}, store: Store = openBenchStore()): Promise<Bench> =>
  startBench(store, {}, {}, { ...options, ...more });
const at = (name: string, verb = ''): string => `/v1/devices/${encodeURIComponent(name)}${verb}`;
const list = async (b: Bench): Promise<readonly DeviceBody[]> => (await b.get('/v1/devices')).json<DeviceList>().items;
const remove = (b: Bench, name: string) => b.app.inject({ method: 'DELETE', url: at(name) });

test('an idle farm: every device with its transport, its state and what it came to', async () => {
  const b = await start({ attached: [{ board: 'made-up', address: '/dev/ttyACM9' }], now: () => 1e12 });
  const since = new Date(1e12).toISOString();
  const common = { board: 'made-up', kind: 'instructions', since, draining: false, quarantine: null, utilisation: 0 };
  const stats = { trials: 0, failures: 0, recoveries: 0 };
  expect(await list(b)).toMatchObject([
    { name: '/dev/ttyACM9', transport: 'serial', address: '/dev/ttyACM9', state: 'closed', stats, ...common },
    { name: 'made-up#0', transport: 'emulated', address: null, state: 'closed', stats, ...common },
    { name: 'made-up#1', transport: 'emulated', address: null, state: 'closed', stats, ...common },
  ]);
});

test('what is added is used, and is there after a restart; what is taken away is not', async () => {
  const store = openBenchStore();
  const b = await start({}, store);
  const emulated = await b.post('/v1/devices', { board: 'made-up', emulate: 2 });
  expect([emulated.statusCode, emulated.json<DeviceList>().items.map((d) => d.name)]).toEqual([
    201,
    ['made-up#2', 'made-up#3'],
  ]);
  const attached = await b.post('/v1/devices', { board: 'made-up', address: '127.0.0.1:9' });
  expect(attached.json<DeviceList>().items).toMatchObject([{ name: '127.0.0.1:9', transport: 'socket' }]);
  expect(errorIn(await b.post('/v1/devices', { board: 'made-up', address: '127.0.0.1:9' })).code).toBe('DEVICE_TWICE');
  expect((await remove(b, 'made-up#2')).statusCode).toBe(204);
  // Its history stays.
  const events = (await b.get(at('made-up#2', '/history'))).json<DeviceHistory>().items.map((e) => e.event);
  expect(events).toEqual(['removed', 'added']);
  // One of the options is away until the next start.
  expect((await remove(b, 'made-up#0')).statusCode).toBe(204);
  expect((await list(b)).map((d) => d.name)).toEqual(['made-up#1', 'made-up#3', '127.0.0.1:9']);
  b.farm.dispose();

  const again = await start({}, store);
  const names = ['made-up#0', 'made-up#1', '127.0.0.1:9', 'made-up#3'];
  expect((await list(again)).map((d) => d.name)).toEqual(names);
  expect(
    expectOk(await again.farm.open(made))
      .states()
      .map((s) => s.name),
  ).toEqual(names);
});

test('what is held back stays so after a restart, until it is released', async () => {
  const store = openBenchStore();
  const b = await start({ now: () => 1e12 }, store);
  expect((await b.post(at('made-up#0', '/drain'))).json()).toMatchObject({ state: 'closed', draining: true });
  const reason = 'smells of smoke';
  const quarantine = { reason, at: new Date(1e12).toISOString(), by: 'user', until: null };
  const held = await b.post(at('made-up#1', '/quarantine'), { reason });
  expect(held.json()).toMatchObject({ state: 'quarantined', quarantine });
  expect(errorIn(await b.post(at('made-up#1', '/drain'))).code).toBe('DEVICE_STATE');
  b.farm.dispose();

  const again = await start({}, store);
  expect(await list(again)).toMatchObject([
    { draining: true, quarantine: null },
    { state: 'quarantined', quarantine },
  ]);
  const pool = expectOk(await again.farm.open(made));
  expect(pool.gone).toMatchObject({ detail: `no device left. made-up#0: drained; made-up#1: quarantined: ${reason}` });
  const waiting = pool.use(async () => counted(1));
  expect((await again.post(at('made-up#1', '/release'))).json()).toMatchObject({ quarantine: null });
  expect(await waiting).toMatchObject({ ok: true });
  expect(errorIn(await again.post(at('made-up#1', '/release'))).code).toBe('DEVICE_STATE');
  expect(pool.states().map((s) => s.trials)).toEqual([0, 1]);
});

test('what cannot be written down is not done', async () => {
  const store = openBenchStore();
  const full = (): never => {
    throw new StoreError({ stage: 'record', code: 'DISK_FULL', detail: 'no room' });
  };
  const b = await start({ store: { ...store.devices, put: full } });
  const before = await list(b);
  for (const answer of [
    await b.post('/v1/devices', { board: 'made-up', emulate: 1 }),
    await b.post('/v1/devices', { board: 'made-up', address: '127.0.0.1:9' }),
    await b.post(at('made-up#0', '/drain')),
    await b.post(at('made-up#0', '/quarantine'), { reason: 'x' }),
    await remove(b, 'made-up#0'),
  ])
    expect(errorIn(answer).code).toBe('DISK_FULL');
  expect(await list(b)).toEqual(before);
});

/** A trial that goes on until it is told to end. */
function longTrial(pool: DevicePool) {
  const begun = Promise.withResolvers<void>();
  const end = Promise.withResolvers<void>();
  const done = pool.use(async () => {
    begun.resolve();
    await end.promise;
    return counted(1);
  });
  return { begun: begun.promise, end: end.resolve, done };
}

test('a device at work ends its trial when it is drained, and can be taken away only then', async () => {
  const b = await start({ emulate: { 'made-up': 1 } });
  const pool = expectOk(await b.farm.open(made));
  const trial = longTrial(pool);
  await trial.begun;
  expect(errorIn(await remove(b, 'made-up#0'))).toMatchObject({ code: 'DEVICE_STATE', status: 409 });
  expect((await b.post(at('made-up#0', '/drain'))).json()).toMatchObject({ state: 'busy', draining: true });
  const later = pool.use(async () => counted(2));
  trial.end();
  expect(await trial.done).toMatchObject({ ok: true, value: { status: 'ok' } });
  while (pool.states()[0]?.state !== 'closed') await new Promise((resolve) => setImmediate(resolve));
  expect((await remove(b, 'made-up#0')).statusCode).toBe(204);
  expect(pool.gone).toMatchObject({ code: 'NO_DEVICE' });
  // What is added while a job is under way serves it.
  await b.post('/v1/devices', { board: 'made-up', emulate: 1 });
  expect(await later).toMatchObject({ ok: true, value: { status: 'ok' } });
});

test('jobs of a board share its pool; it is closed when the last one has gone', async () => {
  const b = await start();
  const heard: string[] = [];
  const [one, two] = [(m: string): void => void heard.push(`1 ${m}`), (m: string): void => void heard.push(`2 ${m}`)];
  const [first, second] = [expectOk(await b.farm.open(made, one)), expectOk(await b.farm.open(made, two))];
  expect(second).toBe(first);
  await first.use(async () => failedWith('LINK'));
  expect(heard).toEqual(['1 device made-up#0: LINK', '2 device made-up#0: LINK']);
  await b.farm.close(made, one);
  await first.use(async () => failedWith('LINK'));
  expect(heard.slice(2).every((m) => m.startsWith('2'))).toBe(true);
  expect(await first.use(async () => counted(1))).toMatchObject({ ok: true });
  await b.farm.close(made, two);
  // Once too often is no harm to those who come later.
  await b.farm.close(made, two);
  expect((await list(b)).map((d) => d.state)).toEqual(['closed', 'closed']);
  expect(expectOk(await b.farm.open(made))).not.toBe(first);
});

test('history and use: what happened, for whom, and how long trials had the device', async () => {
  let now = Date.parse('2026-03-01T12:00:00Z');
  const b = await start({ emulate: { 'made-up': 1 }, now: () => now });
  const pool = expectOk(await b.farm.open(made));
  const job = { id: 'j-1', weight: 4 };
  const trial = (result: ReturnType<typeof counted>, ms: number) =>
    pool.use(async () => {
      now += ms;
      return result;
    }, job);
  await trial(counted(1), 90_000);
  now += 30_000;
  await trial(failedWith('LINK'), 1000);
  await trial(counted(2), 9000);
  await b.farm.close(made);
  const page = async (query: string) => (await b.get(at('made-up#0', `/history${query}`))).json<DeviceHistory>();
  const { items } = await page('');
  expect(items.map((e) => [e.event, e.job])).toEqual([
    ['closed', null],
    ['recovered', null],
    ['opened', null],
    ['failed', 'j-1'],
    ['closed', 'j-1'],
    ['opened', null],
    ['checked', null],
  ]);
  expect(items[3]).toMatchObject({ at: '2026-03-01T12:02:01.000Z', detail: 'LINK: LINK' });
  // Page by page, the same.
  const paged = [];
  for (let query = '?limit=3'; query !== ''; ) {
    const { items: some, next } = await page(query);
    paged.push(...some);
    query = next === null ? '' : `?limit=3&cursor=${next}`;
  }
  expect(paged).toEqual(items);
  expect((await page('?since=2026-03-01T12:02:01Z')).items).toHaveLength(5);
  expect(errorIn(await b.get(at('made-up#0', '/history?cursor=x'))).code).toBe('BAD_CURSOR');

  const url = '/v1/devices/utilisation?since=2026-03-01T12:00:00Z&until=2026-03-01T12:04:00%2B00:00&buckets=4';
  const { items: used } = (await b.get(url)).json<UtilisationBody>();
  expect(used).toEqual([
    {
      device: 'made-up#0',
      board: 'made-up',
      buckets: [
        { at: '2026-03-01T12:00:00.000Z', busyMs: 60_000, trials: 0, failed: 0 },
        { at: '2026-03-01T12:01:00.000Z', busyMs: 30_000, trials: 1, failed: 0 },
        { at: '2026-03-01T12:02:00.000Z', busyMs: 10_000, trials: 2, failed: 1 },
        { at: '2026-03-01T12:03:00.000Z', busyMs: 0, trials: 0, failed: 0 },
      ],
    },
  ]);
  expect(await list(b)).toMatchObject([
    { utilisation: 100_000 / 3_600_000, stats: { trials: 3, failures: 1, recoveries: 1 } },
  ]);
});

test('what makes no sense is refused, and nothing but ports and sockets is ever opened', async () => {
  const b = await start();
  const codeOf = async (body: unknown): Promise<string> => errorIn(await b.post('/v1/devices', body)).code;
  for (const address of [
    '/etc/passwd',
    '/dev/../etc/passwd',
    '/dev/',
    'ttyACM0',
    '/dev/a b',
    'host',
    'host:123456',
    '-x:1 2',
  ])
    expect([address, await codeOf({ board: 'made-up', address })]).toEqual([address, 'BAD_REQUEST']);
  for (const body of [
    {},
    { board: 'made-up' },
    { board: 'made-up', emulate: 0 },
    { board: 'made-up', emulate: 65 },
    { board: 'made-up', emulate: '1' },
    { board: 'made-up', emulate: 1, address: '/dev/ttyACM0' },
    { board: 'made-up', emulate: 1, more: true },
  ])
    expect([body, await codeOf(body)]).toEqual([body, 'BAD_REQUEST']);
  expect(await codeOf({ board: 'no-board', emulate: 1 })).toBe('BOARD_UNKNOWN');
  expect(await codeOf({ board: 'made-up', emulate: 63 })).toBe('DEVICE_STATE');
  for (const verb of ['/drain', '/release', '/history'])
    expect(
      errorIn(verb === '/history' ? await b.get(at('no such', verb)) : await b.post(at('no such', verb))).code,
    ).toBe('DEVICE_NOT_FOUND');
  expect(errorIn(await remove(b, 'no such')).code).toBe('DEVICE_NOT_FOUND');
  for (const body of [{}, { reason: '' }, { reason: 'x'.repeat(301) }, { reason: 'x', more: 1 }])
    expect(errorIn(await b.post(at('made-up#0', '/quarantine'), body)).code).toBe('BAD_REQUEST');
  for (const query of ['since=yesterday', 'buckets=0', 'buckets=1001', 'since=2026-03-02&until=2026-03-01', 'more=1'])
    expect(errorIn(await b.get(`/v1/devices/utilisation?${query}`)).code).toBe('BAD_REQUEST');
});

test('a network runs on a product that no trial has meanwhile; the server is put on it again for the trials that follow', async () => {
  const put: string[] = [];
  const silicon: BoardModule = { ...made, kind: 'silicon', product: { board: made, build: made.build, tools: [] } };
  const { open: _, ...product } = silicon;
  const farm = new Farm({
    ...options,
    boards: [product],
    attached: [{ board: 'made-up', address: '127.0.0.1:9' }],
    emulate: {},
    flasherOf: () => ({
      build: () => firmware,
      flash: async (_, address) => {
        put.push(address);
        return ok(undefined);
      },
    }),
    cores: 1,
    cacheDir: '',
    log: () => undefined,
  });
  onTestFinished(() => farm.closeAll());
  const pool = expectOk(await farm.open(product));
  const { signal } = new AbortController();
  const flashed = await farm.exclusively(
    product,
    async (form) => {
      const up = await form.open?.({
        firmware: expectOk(await made.build({ dir: '', name: '', objects: [] })),
        bulk: 'shared',
      });
      // Nobody listens at that port; but it was flashed.
      expect(up).toMatchObject({ ok: false, error: { code: 'DEVICE_UNREACHABLE' } });
      return ok(pool.states().map((s) => s.state));
    },
    signal,
  );
  expect([flashed, put]).toEqual([{ ok: true, value: ['busy'] }, ['127.0.0.1:9']]);
  const stopped = await farm.exclusively(product, async () => ok(1), AbortSignal.abort());
  expect(stopped).toMatchObject({ ok: false, error: { code: 'NO_DEVICE' } });
});

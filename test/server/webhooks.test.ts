/**
 * Webhooks without a network of others: what is told once an event is in the store, by whom it is tried how often, what a message
 * is signed with, and where it may not go.
 */
import { createHmac } from 'node:crypto';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import pino from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { openStore } from '../../db/index.ts';
import type { JobState, Store } from '../../db/types.ts';
import { Feed } from '../../server/feed.ts';
import {
  type DeliveryBody,
  type DeliveryPage,
  type JobBody,
  type ModelBody,
  WaitingBody,
} from '../../server/schemas/index.ts';
import { allowedAddress, allowedLookup, parseWebhook } from '../../server/webhooks/address.ts';
import { Dispatcher, mostAttempts, waitAfter } from '../../server/webhooks/dispatcher.ts';
import { openSecret } from '../../server/webhooks/secret.ts';
import { type Message, type Send, type Sent, sender, signatureOf } from '../../server/webhooks/send.ts';
import { samples } from '../samples.ts';
import { Random } from '../unit/random.ts';
import { VirtualClock } from '../virtual-clock.ts';
import { errorIn, startBench } from './bench.ts';
import { smallModel } from './model.ts';

const chat = 'http://chat.example/hook';
const ci = 'https://ci.example/done?key=1';

interface Farm {
  readonly store: Store;
  readonly feed: Feed;
  readonly clock: VirtualClock;
  readonly sent: { readonly message: Message; readonly at: number }[];
  readonly dispatcher: Dispatcher;
  job(webhooks: readonly string[]): string;
  end(job: string, state: JobState): void;
}
/** A store, and a dispatcher whose messages are answered by `answer`. */
function farm(answer: (message: Message, count: number) => Sent | Promise<Sent>, urls: readonly string[] = []): Farm {
  const clock = new VirtualClock('2026-01-31T12:00:00Z');
  const opened = openStore('memory', { mode: 'write', now: () => new Date(clock.wall()) });
  if (!opened.ok) throw new Error(opened.error.detail);
  const store = opened.value;
  store.deliveries.putFarm(urls);
  const feed = new Feed(store);
  store.putModel({ id: 'm', name: 'm', bytes: new Uint8Array(1) });
  const sent: Farm['sent'] = [];
  const send: Send = async (message) => {
    sent.push({ message, at: clock.wall() });
    return answer(message, sent.length);
  };
  const bodyOf = ({ id, state }: { readonly id: string; readonly state: string }): JobBody =>
    ({ id, state }) as JobBody;
  const dispatcher = new Dispatcher({ store, feed, clock, send, bodyOf, log: pino({ level: 'silent' }) });
  const row = { model: 'm', board: 'host', kind: 'host', policy: 'random', seed: 0, trials: 1, timeMs: null } as const;
  return {
    store,
    feed,
    clock,
    sent,
    dispatcher,
    job: (webhooks) => feed.add([{ ...row, webhooks }], 'single')[0]?.id ?? '',
    end: (job, state) => void feed.update(job, { state }),
  };
}
const day = 86_400_000;
const all = (f: Farm) => f.store.deliveries.page(undefined, 1000).items;
const waitingFor = (code: string) => ({ waiting: { code, detail: `because of ${code}`, until: null } });

test('the end of a job is told to its own receivers and to those of the farm, each once', async () => {
  const f = farm(() => ({ status: 204 }), [chat]);
  f.dispatcher.start();
  const jobs = (['done', 'failed', 'cancelled'] as const).map((state) => [f.job([ci, chat]), state] as const);
  for (const [job, state] of jobs) {
    f.end(job, 'running');
    f.end(job, state);
  }
  await f.clock.pass(1);
  const told = f.sent.map(({ message: m }) => `${m.url} ${m.event} ${(JSON.parse(m.body) as { job: JobBody }).job.id}`);
  const want = jobs.flatMap(([job, state]) => [chat, ci].map((url) => `${url} job.${state} ${job}`));
  expect(told.sort()).toEqual(want.sort());
  expect(all(f).map((d) => [d.state, d.attempts, d.nextAt, d.error])).toEqual(
    Array(6).fill(['delivered', 1, null, null]),
  );
  expect(new Set(f.sent.map(({ message }) => message.id)).size).toBe(6);
  expect(JSON.parse(f.sent[0]?.message.body ?? '')).toEqual({
    event: f.sent[0]?.message.event,
    job: { id: jobs[0]?.[0], state: 'done' },
    at: '2026-01-31T12:00:00.000Z',
  });
});

test('what keeps a job waiting is told once for each reason, unless it is as planned', async () => {
  const f = farm(() => ({ status: 200 }), [chat]);
  f.dispatcher.start();
  const job = f.job([]);
  const planned = ['WINDOW', 'TURN', 'SAME_TASKS', 'CACHE_LOST'];
  const others = WaitingBody.properties.code.anyOf.map((c) => c.const).filter((code) => !planned.includes(code));
  expect(others).toContain('TOO_MANY_PROCESSES');
  for (const code of [...planned, ...others, ...others, ...planned]) f.feed.event(job, 'waiting', waitingFor(code));
  f.feed.event(job, 'waiting', { waiting: null });
  await f.clock.pass(1);
  const bodies = f.sent.map(({ message }) => JSON.parse(message.body) as { event: string; job: Partial<JobBody> });
  expect(bodies.map((b) => [b.event, b.job.waiting])).toEqual(
    others.map((code) => ['job.waiting', waitingFor(code).waiting]),
  );
});

test('a receiver that refuses is tried again, twelve times in about a day, then given up, then again when somebody asks', async () => {
  let answer: Sent = { status: 503 };
  const f = farm(() => answer, [chat]);
  f.dispatcher.start();
  f.end(f.job([]), 'cancelled');
  await f.clock.pass(3 * day);
  expect(f.sent.length).toBe(mostAttempts);
  expect(new Set(f.sent.map(({ message: m }) => `${m.id} ${m.body}`)).size).toBe(1);
  const waits = f.sent.slice(1).map(({ at }, i) => at - (f.sent[i]?.at ?? 0));
  for (const [i, wait] of waits.entries()) expect(Math.abs(wait / (40_000 * 2 ** i) - 1)).toBeLessThanOrEqual(0.2);
  const total = waits.reduce((a, b) => a + b, 0);
  expect(total).toBeGreaterThan(0.7 * day);
  expect(total).toBeLessThan(1.2 * day);
  const [dead] = f.store.deliveries.page('dead', 10).items;
  expect(dead).toMatchObject({ state: 'dead', attempts: 12, nextAt: null, status: 503 });
  expect(dead?.error).toMatch(/answered 503/);
  expect(f.clock.next).toBeUndefined();

  answer = { status: 200 };
  f.dispatcher.retry(dead?.id ?? '');
  await f.clock.pass(1);
  expect(f.store.deliveries.get(dead?.id ?? '')).toMatchObject({ state: 'delivered', attempts: 1 });
});

test('waits are a function of the delivery: spread out, and the same after a restart', () => {
  const waits = Array.from({ length: 200 }, (_, i) => waitAfter(3, `w-${i}`));
  expect(waits).toEqual(Array.from({ length: 200 }, (_, i) => waitAfter(3, `w-${i}`)));
  expect(new Set(waits).size).toBeGreaterThan(190);
});

test('whatever receivers do and whenever the daemon dies, each delivery ends once, and arrives at least once if it was said to', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 1 << 30 }), async (seed) => {
      const r = new Random(seed);
      const yes = new Set<string>();
      const hanging: ((s: Sent) => void)[] = [];
      const f = farm(
        ({ id }) => {
          const how = r.int(0, 3);
          if (how === 0) return { error: 'nobody is there' };
          if (how === 1) return { status: r.pick([302, 404, 500]) };
          yes.add(id);
          // It has arrived, but the daemon dies before it hears so.
          return how === 2 ? { status: 200 } : new Promise((heard) => hanging.push(heard));
        },
        [chat, ci],
      );
      const make = (): Dispatcher =>
        new Dispatcher({ ...(f.dispatcher as unknown as { o: ConstructorParameters<typeof Dispatcher>[0] }).o });
      let dispatcher = make();
      dispatcher.start();
      for (let i = 0; i < 10; i++) {
        f.end(f.job([]), 'cancelled');
        await f.clock.pass(r.int(0, 600_000));
        if (r.int(0, 2) > 0) continue;
        const stopped = dispatcher.stop();
        for (const heard of hanging.splice(0)) heard({ status: 200 });
        await stopped;
        dispatcher = make();
        dispatcher.start();
      }
      for (let i = 0; i < 200 && f.store.deliveries.pending(1).length > 0; i++) {
        await f.clock.pass(day / 4);
        for (const heard of hanging.splice(0)) heard({ status: 200 });
      }
      await f.clock.pass(1);
      expect(all(f).length).toBe(20);
      for (const d of all(f)) {
        expect(['delivered', 'dead']).toContain(d.state);
        if (d.state === 'delivered') expect(yes).toContain(d.id);
      }
    }),
    { seed: 1, numRuns: samples(5, 300) },
  );
});

test('a receiver that hangs holds up nobody else', async () => {
  const hanging: ((s: Sent) => void)[] = [];
  const f = farm(
    ({ url }) => (url === chat ? new Promise((heard) => hanging.push(heard)) : { status: 200 }),
    [chat, ci],
  );
  f.dispatcher.start();
  for (let i = 0; i < 20; i++) f.end(f.job([]), 'cancelled');
  await f.clock.pass(1);
  expect(f.sent.filter(({ message }) => message.url === ci).length).toBe(20);
  expect(hanging.length).toBe(2);
  const over = f.dispatcher.stop();
  for (const heard of hanging) heard({ status: 200 });
  await over;
  expect(f.store.deliveries.pending(100).length).toBe(20);
});

/** A receiver; `answer` does what it likes with each request. */
async function receiver(answer: (request: IncomingMessage, body: string, to: ServerResponse) => void): Promise<string> {
  const server = createServer((request, to) => {
    let body = '';
    request.on('data', (d: Buffer) => {
      body += d.toString();
    });
    request.on('end', () => answer(request, body, to));
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
}
const secret = 'a secret of many characters';
const post = (url: string, limitMs = 10_000): Promise<Sent> =>
  sender({ secret, version: '1', wall: () => 1_700_000_000_000, limitMs })(
    { url, id: 'w-1', event: 'job.done', body: '{"ö":1}' },
    new AbortController().signal,
  );

test('a message is signed as the documents say', async () => {
  const seen: { headers: IncomingMessage['headers']; body: string }[] = [];
  const url = await receiver(({ headers }, body, to) => {
    seen.push({ headers, body });
    to.end('thanks');
  });
  expect(await post(url)).toEqual({ status: 200 });
  const [{ headers, body } = { headers: {}, body: '' }] = seen;
  const hex = createHmac('sha256', secret).update(`1700000000.${body}`).digest('hex');
  expect(body).toBe('{"ö":1}');
  expect(headers).toMatchObject({
    'content-type': 'application/json',
    'microtune-event': 'job.done',
    'microtune-delivery': 'w-1',
    'microtune-signature': `t=1700000000,v1=${hex}`,
  });
  expect(signatureOf(secret, 1, body)).not.toBe(signatureOf(secret, 2, body));
});

test('redirects are not followed, long answers not read, hanging ones given up, broken ones told', async () => {
  let followed = 0;
  const elsewhere = await receiver((_, __, to) => {
    followed++;
    to.end();
  });
  const redirect = await receiver((_, __, to) => void to.writeHead(307, { location: elsewhere }).end());
  expect(await post(redirect)).toEqual({ status: 307 });
  expect(followed).toBe(0);

  let written = 0;
  const endless = await receiver((_, __, to) => {
    to.writeHead(200);
    const more = (): void => {
      while (!to.destroyed && to.write(Buffer.alloc(65_536))) written++;
      if (!to.destroyed) to.once('drain', more);
    };
    more();
  });
  expect(await post(endless)).toEqual({ status: 200 });
  expect(written).toBeLessThan(1000);

  const silent = await receiver(() => undefined);
  expect(await post(silent, 50)).toEqual({ error: 'no answer within 0.05 s' });
  const drips = await receiver((_, __, to) => void to.writeHead(200).write('x'));
  expect(await post(drips, 50)).toEqual({ error: 'no answer within 0.05 s' });
  const breaks = await receiver((request) => void request.socket.destroy());
  expect(await post(breaks)).toHaveProperty('error');
  expect(await post('http://127.0.0.1:1/')).toHaveProperty('error');
});

test('addresses that only this machine is meant to reach are refused in every spelling', async () => {
  const bad = [
    'http://169.254.169.254/latest/meta-data',
    'http://169.254.0.1/',
    'http://0xa9fea9fe/',
    'http://2852039166/',
    'http://0251.0376.0251.0376/',
    'http://169.254.43518/',
    'http://[::ffff:169.254.169.254]/',
    'http://[::ffff:a9fe:a9fe]/',
    'http://[fe80::1]/',
    'http://[fd00:ec2::254]/',
    'http://[64:ff9b::a9fe:a9fe]/',
    'http://[2002:a9fe:a9fe::1]/',
    'http://0.0.0.0/',
    'http://[::]/',
    'http://224.0.0.1/',
    'http://100.100.100.200/',
    'http://168.63.129.16/',
    'ftp://example.com/',
    'file:///etc/passwd',
    'javascript:alert(1)',
    'http://user:password@example.com/',
    'example.com',
    '',
    `http://example.com/${'x'.repeat(3000)}`,
  ];
  for (const url of bad) expect(parseWebhook(url), url).toMatchObject({ ok: false, error: { code: 'WEBHOOK_BAD' } });
  for (const url of ['http://10.0.0.7:8080/x', 'https://chat.example/', 'http://localhost:9/', 'http://[fd00::1]/'])
    expect(parseWebhook(url), url).toMatchObject({ ok: true });
  // A literal address never reaches the lookup: the sender looks itself, too.
  expect(await post('http://169.254.169.254/')).toEqual({ error: 'webhooks may not reach 169.254.169.254' });
  expect(allowedAddress('nonsense')).toBe(false);
});

test('a name is looked at as it resolves when the connection is made', async () => {
  const found = await new Promise((done) => allowedLookup('localhost', { all: true }, (error, a) => done(error ?? a)));
  expect(JSON.stringify(found)).toMatch(/127\.0\.0\.1|::1/);
  // A name of this machine that leads to such an address, as the answer of a hostile name server would.
  const hostile = await new Promise((done) => allowedLookup('169.254.169.254', {}, (error) => done(error)));
  expect(String(hostile)).toMatch(/may not reach/);
});

test('the secret is made once, for its owner alone; one that is unsafe is refused', () => {
  const dir = mkdtempSync(join(tmpdir(), 'microtune-secret-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const first = openSecret(dir);
  const file = join(dir, 'webhook-secret');
  expect(first).toMatchObject({ ok: true });
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(openSecret(dir)).toEqual(first);
  expect(readFileSync(file, 'utf8')).toMatch(/^[0-9a-f]{64}\n$/);
  chmodSync(file, 0o644);
  expect(openSecret(dir)).toMatchObject({ error: { code: 'SECRET_UNSAFE' } });
  const own = join(dir, 'own');
  expect(openSecret(dir, own)).toMatchObject({ error: { code: 'FILE_UNUSABLE' } });
  expect(existsSync(own)).toBe(false);
  writeFileSync(own, 'short\n', { mode: 0o600 });
  expect(openSecret(dir, own)).toMatchObject({ error: { code: 'SECRET_UNSAFE' } });
  writeFileSync(own, 'this is long enough\n');
  expect(openSecret(dir, own)).toEqual({ ok: true, value: 'this is long enough' });
});

test('over HTTP: addresses are looked at, deliveries listed without their secrets, and tried again', async () => {
  const b = await startBench();
  const model = (await b.upload(smallModel(1))).json<ModelBody>().id;
  const job = { model, board: 'mps2-an386' };
  for (const url of ['http://169.254.169.254/', 'gopher://x/', 'nonsense']) {
    const refused = await b.post('/v1/jobs', { ...job, webhooks: [url] });
    expect([refused.statusCode, errorIn(refused).code]).toEqual([400, 'WEBHOOK_BAD']);
  }
  expect((await b.post('/v1/jobs', { ...job, webhooks: Array(9).fill(chat) })).statusCode).toBe(400);
  const made = (await b.post('/v1/jobs', { ...job, webhooks: [ci, chat, ci] })).json<JobBody>();
  expect(made.webhooks).toEqual([ci, chat]);
  await b.post(`/v1/jobs/${made.id}/cancel`);
  const list = async (query = '') => (await b.get(`/v1/webhooks/deliveries${query}`)).json<DeliveryPage>();
  const first = await list('?limit=1');
  const second = await list(`?limit=1&cursor=${first.next}`);
  expect([...first.items, ...second.items].map((d) => [d.event, d.state, d.to]).sort()).toEqual([
    ['job.cancelled', 'pending', 'http://chat.example'],
    ['job.cancelled', 'pending', 'https://ci.example'],
  ]);
  expect(second.next).toBeNull();
  expect(JSON.stringify([first, second])).not.toMatch(/key=1|hook/);
  expect((await list('?state=dead')).items).toEqual([]);
  expect(errorIn(await b.get(`/v1/webhooks/deliveries?state=dead&cursor=${first.next}`)).code).toBe('BAD_CURSOR');

  const id = first.items[0]?.id ?? '';
  const ended = { nextAt: null, endedAt: '2026-01-01T00:00:00.000Z', status: 500, error: 'no' } as const;
  b.store.deliveries.attempted(id, { state: 'dead', attempts: 12, ...ended });
  expect((await list('?state=dead')).items.map((d) => d.id)).toEqual([id]);
  const retried = (await b.post(`/v1/webhooks/deliveries/${id}/retry`)).json<DeliveryBody>();
  expect(retried).toMatchObject({ id, state: 'pending', attempts: 0, error: null });
  b.store.deliveries.attempted(id, { state: 'delivered', attempts: 1, ...ended });
  expect(errorIn(await b.post(`/v1/webhooks/deliveries/${id}/retry`)).code).toBe('DELIVERY_STATE');
  for (const strange of ['w-0', 'nope', `${id}1`, encodeURIComponent("w-' OR 1=1 --")])
    expect(errorIn(await b.post(`/v1/webhooks/deliveries/${strange}/retry`)).code).toBe('DELIVERY_NOT_FOUND');
});

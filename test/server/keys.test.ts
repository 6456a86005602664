/** Requests that are sent again: Idempotency-Key on what changes something, ETag on what is read. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { InjectOptions, LightMyRequestResponse } from 'fastify';
import { expect, test } from 'vitest';
import { artifactDir } from '../../server/artifact.ts';
import type { JobBody, JobList, ModelBody } from '../../server/schemas/index.ts';
import { tokenHash } from '../../server/service/tokens.ts';
import { samples } from '../samples.ts';
import { Random } from '../unit/random.ts';
import { type Bench, errorIn, openBenchStore, recordWith, startBench } from './bench.ts';
import { smallModel } from './model.ts';

type Headers = Record<string, string>;
const post = (b: Bench, url: string, key: string, payload?: object, headers: Headers = {}) =>
  b.app.inject({
    method: 'POST',
    url,
    headers: { 'idempotency-key': key, ...headers },
    ...(payload !== undefined && { payload }),
  } satisfies InjectOptions);
const jobsOf = async (b: Bench): Promise<number> => (await b.get('/v1/jobs')).json<JobList>().items.length;
const seen = (a: LightMyRequestResponse): string => (a.statusCode < 300 ? a.json<JobBody>().id : errorIn(a).code);

async function uploaded(b: Bench): Promise<string> {
  return (await b.upload(smallModel(1))).json<ModelBody>().id;
}
const request = (model: string, trials: number) => ({ model, board: 'mps2-an386', trials });

test('requests sent again in any order make one job a key, and each is answered as the first time', async () => {
  for (let seed = 0; seed < samples(1, 60); seed++) {
    const r = new Random(seed);
    const b = await startBench();
    const model = await uploaded(b);
    const first = new Map<string, { readonly trials: number; readonly id: string }>();
    for (let step = 0; step < 20; step++) {
      const [key, trials] = [r.pick(['a', 'b', 'c']), r.int(1, 2)];
      const answer = await post(b, '/v1/jobs', key, request(model, trials));
      const known = first.get(key);
      const expected =
        known === undefined || known.trials === trials ? (known?.id ?? seen(answer)) : 'IDEMPOTENCY_MISMATCH';
      expect([seed, step, seen(answer)]).toEqual([seed, step, expected]);
      if (known === undefined) first.set(key, { trials, id: seen(answer) });
    }
    expect(await jobsOf(b)).toBe(first.size);
  }
});

test('a request that came to nothing may be sent again; another owner has keys of their own', async () => {
  const b = await startBench();
  for (const name of ['ann', 'bob']) b.store.tokens.add({ name, scope: 'tune', hash: tokenHash(name) });
  const early = await post(b, '/v1/jobs', 'k', request('nobody', 1));
  expect(seen(early)).toBe('MODEL_NOT_FOUND');
  const model = await uploaded(b);
  const ids = new Set<string>();
  for (const headers of [{}, { authorization: 'Bearer ann' }, { authorization: 'Bearer bob' }, {}])
    ids.add(seen(await post(b, '/v1/jobs', 'k', request(model, 1), headers)));
  expect([ids.size, await jobsOf(b)]).toEqual([3, 3]);
});

test('models: the same bytes again, other bytes under the key', async () => {
  const b = await startBench();
  const upload = (seed: number) =>
    b.app.inject({
      method: 'POST',
      url: '/v1/models?name=m',
      headers: { 'idempotency-key': 'm', 'content-type': 'application/octet-stream' },
      payload: Buffer.from(smallModel(seed)),
    });
  const [first, again, other] = [await upload(1), await upload(1), await upload(2)];
  expect([first.statusCode, again.statusCode, again.body]).toEqual([201, 201, first.body]);
  expect([again.headers['idempotency-replayed'], first.headers['idempotency-replayed']]).toEqual(['true', undefined]);
  expect(errorIn(other).code).toBe('IDEMPOTENCY_MISMATCH');
});

test('while the first is under way, and after a daemon that never answered: refused, not carried out twice', async () => {
  const store = openBenchStore();
  const b = await startBench(store);
  let carriedOut = 0;
  let go = (): void => undefined;
  const gate = new Promise<void>((open) => {
    go = open;
  });
  b.app.post('/slow', async () => {
    carriedOut += 1;
    await gate;
    return { done: true };
  });
  const first = post(b, '/slow', 'k');
  // inject() begins with the next turn; the second request finds the first at its gate.
  while (carriedOut === 0) await new Promise((turn) => setImmediate(turn));
  expect(seen(await post(b, '/slow', 'k'))).toBe('IDEMPOTENCY_PENDING');
  store.answers.begin();
  expect(seen(await post(b, '/slow', 'k'))).toBe('IDEMPOTENCY_UNKNOWN');
  go();
  expect((await first).json()).toEqual({ done: true });
  expect(carriedOut).toBe(1);
});

test('keys that are none, and answers that may not be kept', async () => {
  const b = await startBench();
  const model = await uploaded(b);
  for (const key of ['', 'x'.repeat(201), 'a b', 'schlüssel'])
    expect([key, seen(await post(b, '/v1/jobs', key, request(model, 1)))]).toEqual([key, 'BAD_REQUEST']);
  const token = await post(b, '/v1/tokens', 'k', { name: 'n', scope: 'read' });
  expect([errorIn(token).code, b.store.tokens.all()]).toEqual(['BAD_REQUEST', []]);
  const form = { 'content-type': 'multipart/form-data; boundary=x' };
  const answer = await b.app.inject({
    method: 'POST',
    url: '/v1/models',
    headers: { ...form, 'idempotency-key': 'k' },
    payload: '--x--',
  });
  expect(errorIn(answer).code).toBe('BAD_REQUEST');
  expect(await jobsOf(b)).toBe(0);
});

test('what is read has a tag: the bytes are sent once, and again when they have changed', async () => {
  const b = await startBench();
  const model = await uploaded(b);
  for (let i = 0; i < 3; i++) b.store.addRecord(recordWith({ binary: `b${i}` }));
  for (const url of [`/v1/models/${model}`, '/v1/records?limit=2', '/v1/schema', '/docs/json']) {
    const first = await b.get(url);
    const tag = String(first.headers.etag);
    expect([url, first.statusCode, tag]).toEqual([url, 200, expect.stringMatching(/^"[\w-]{27}"$/)]);
    for (const header of [tag, `W/${tag}`, `"x", ${tag}`, '*']) {
      const again = await b.get(url, { 'if-none-match': header });
      expect([url, header, again.statusCode, again.body, again.headers.etag]).toEqual([url, header, 304, '', tag]);
    }
    const other = await b.get(url, { 'if-none-match': '"other"' });
    expect([url, other.statusCode, other.body]).toEqual([url, 200, first.body]);
  }
  const before = (await b.get('/v1/records')).headers.etag;
  b.store.addRecord(recordWith({ binary: 'new' }));
  expect((await b.get('/v1/records', { 'if-none-match': String(before) })).statusCode).toBe(200);
});

test('nothing else has one: errors, and answers to what changes something', async () => {
  const b = await startBench();
  const missing = await b.get('/v1/models/nobody', { 'if-none-match': '*' });
  expect([missing.statusCode, missing.headers.etag]).toEqual([404, undefined]);
  const made = await post(b, '/v1/jobs', 'k', request(await uploaded(b), 1), { 'if-none-match': '*' });
  expect([made.statusCode, made.headers.etag]).toEqual([201, undefined]);
});

test('the tag of an artifact is that of its files', async () => {
  const b = await startBench();
  const { id } = await b.submit();
  const dir = artifactDir(b.dataDir, id);
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, 'net.c'), 'a');
  b.begun[0]?.end({ state: 'done', report: {} });
  await new Promise((done) => setImmediate(done));
  const url = `/v1/jobs/${id}/artifact`;
  const { etag = '' } = (await b.get(url)).headers;
  const again = await b.get(url, { 'if-none-match': etag });
  expect([again.statusCode, again.rawPayload.length]).toEqual([304, 0]);
  writeFileSync(join(dir, 'net.c'), 'b');
  expect((await b.get(url, { 'if-none-match': etag })).statusCode).toBe(200);
});

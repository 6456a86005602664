/** The client against servers that break off, talk nonsense or refuse: always a value, and nothing is carried out twice. */
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import { expect, onTestFinished, test } from 'vitest';
import { Client, RequestFailed } from '../../client/index.ts';

/** A server on a free port that goes with the test, and the requests that it got. */
async function serverOf(answer: RequestListener): Promise<{ readonly url: string; readonly seen: IncomingMessage[] }> {
  const seen: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    seen.push(request);
    request.resume();
    answer(request, response);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  return { url: `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}/`, seen };
}
const json = (body: unknown): string => JSON.stringify(body);
const request = { model: 'm', board: 'host' };

test('a request with a key is sent once more where its connection broke, with the same key; others are not', async () => {
  let broken = 1;
  const { url, seen } = await serverOf((r, answer) => {
    if (broken-- > 0) r.socket.destroy();
    else answer.end(json({ id: 'j-1' }));
  });
  const client = new Client(url);
  expect(await client.addJob(request)).toMatchObject({ ok: true, value: { id: 'j-1' } });
  const keys = seen.map((r) => r.headers['idempotency-key']);
  expect([keys.length, keys[0] === keys[1], (keys[0] ?? '').length > 30]).toEqual([2, true, true]);
  broken = 1;
  expect(await client.cancel('j-1')).toMatchObject({ ok: false, error: { code: 'DAEMON_UNREACHABLE' } });
  broken = 2;
  expect(await client.addJob(request)).toMatchObject({ ok: false, error: { code: 'DAEMON_UNREACHABLE' } });
  expect(seen.length).toBe(5);
  expect(new Set(seen.map((r) => r.headers['idempotency-key'])).size).toBe(3);
});

test('refusals are the failures that they name; anything else is no daemon', async () => {
  const answers: [number, string][] = [
    [404, json({ code: 'JOB_NOT_FOUND', stage: 'request', detail: 'none' })],
    [500, '<html>'],
    [502, json({ message: 'proxy' })],
    [200, 'hello'],
  ];
  const { url } = await serverOf((_, answer) => {
    const [status, body] = answers.shift() ?? [200, '{}'];
    answer.writeHead(status).end(body);
  });
  const client = new Client(url);
  const codes = [];
  for (let i = 0; i < 4; i++) {
    const job = await client.job('j-1');
    codes.push(job.ok ? 'ok' : job.error.code);
  }
  expect(codes).toEqual(['JOB_NOT_FOUND', 'DAEMON_UNREACHABLE', 'DAEMON_UNREACHABLE', 'DAEMON_UNREACHABLE']);
});

test('names and filters are encoded, the token goes with every request', async () => {
  const { url, seen } = await serverOf((_, answer) => void answer.end(json({ items: [], next: null })));
  const client = new Client(url, { token: 'mt_secret' });
  await client.quarantine('mps2/an386#0', 'why?');
  await client.records({ status: 'ok', 'knob.a&b': 'c d', job: undefined });
  await client.uploadModel(new Uint8Array([1]), 'a&b/../c.tflite');
  expect(seen.map((r) => r.url)).toEqual([
    '/v1/devices/mps2%2Fan386%230/quarantine',
    '/v1/records?status=ok&knob.a%26b=c+d',
    '/v1/models?name=a%26b%2F..%2Fc.tflite',
  ]);
  expect(new Set(seen.map((r) => r.headers.authorization))).toEqual(new Set(['Bearer mt_secret']));
});

test('a list is read to its end, page by page; a page that is refused ends it with the failure', async () => {
  const { url, seen } = await serverOf((r, answer) => {
    const cursor = new URL(r.url ?? '', 'http://x').searchParams.get('cursor') ?? '0';
    if (cursor === '3') answer.writeHead(400).end(json({ code: 'BAD_CURSOR', stage: 'request', detail: 'no' }));
    else answer.end(json({ items: [{ id: `t-${cursor}` }], next: String(Number(cursor) + 1) }));
  });
  const ids: string[] = [];
  const reading = (async () => {
    for await (const record of new Client(url).eachRecord({ status: 'ok' })) ids.push(record.id);
  })();
  await expect(reading).rejects.toThrow(RequestFailed);
  expect(ids).toEqual(['t-0', 't-1', 't-2']);
  expect(seen.map((r) => r.url)).toEqual(
    ['', '&cursor=1', '&cursor=2', '&cursor=3'].map((c) => `/v1/records?limit=1000&status=ok${c}`),
  );
});

test('events come once each over connections that break, and end with the job', async () => {
  const event = (id: number, state: string): string => `id: ${id}\nevent: state\ndata: {"state":"${state}"}\n\n`;
  const turns = [event(1, 'queued') + event(2, 'running'), event(2, 'running') + event(3, 'done')];
  const { url, seen } = await serverOf((_, answer) => {
    const text = turns.shift();
    if (text === undefined) answer.writeHead(204).end();
    else answer.writeHead(200, { 'content-type': 'text/event-stream' }).end(text);
  });
  const states: unknown[] = [];
  for await (const { data } of new Client(url).events('j-1')) states.push(data.state);
  expect(states).toEqual(['queued', 'running', 'done']);
  expect(seen.map((r) => r.headers['last-event-id'])).toEqual(['0', '2', '3']);
});

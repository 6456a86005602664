/** The interface as a whole: documentation, errors, artifacts, and what web pages of others cannot do. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { extract } from 'tar-stream';
import { expect, test } from 'vitest';
import { boards } from '../../boards/index.ts';
import { artifactDir } from '../../server/artifact.ts';
import { hostAllowed } from '../../server/host-guard.ts';
import type { BoardList, DeviceList } from '../../server/schemas/index.ts';
import { errorIn, startBench } from './bench.ts';

test('every route is documented, and the page works without the network', async () => {
  const b = await startBench();
  const api = (await b.get('/docs/json')).json<{ paths: Record<string, Record<string, { summary?: string }>> }>();
  // Which routes there are, access.test.ts says.
  for (const methods of Object.values(api.paths))
    for (const m of Object.values(methods)) expect(m.summary).toBeTruthy();
  const page = await b.get('/docs/');
  expect(page.statusCode).toBe(200);
  expect(page.body).not.toMatch(/(?:src|href)="(?:https?:)?\/\//);
  for (const [, file = ''] of page.body.matchAll(/(?:src|href)="\.?\/?([^"]+\.(?:js|css))"/g))
    expect([file, (await b.get(file.startsWith('docs') ? `/${file}` : `/docs/${file}`)).statusCode]).toEqual([
      file,
      200,
    ]);
});

test('boards and devices', async () => {
  const b = await startBench();
  expect((await b.get('/v1/boards')).json<BoardList>().items.map((x) => x.id)).toEqual(boards.map((x) => x.id));
  // This farm emulates two of each board but none of `host`; none has been started.
  const devices = (await b.get('/v1/devices')).json<DeviceList>().items;
  const emulated = boards.filter((b) => b.open !== undefined && b.id !== 'host');
  expect(devices.map((d) => [d.name, d.kind, d.state])).toEqual(
    emulated.flatMap((b) => [0, 1].map((i) => [`${b.id}#${i}`, b.kind, 'closed'])),
  );
});

test('errors have one form, and no stack traces', async () => {
  const b = await startBench();
  b.app.get('/bug', async () => {
    throw new Error('secret details');
  });
  const bug = await b.get('/bug');
  expect([bug.statusCode, errorIn(bug).code]).toEqual([500, 'INTERNAL']);
  expect(bug.body).not.toMatch(/secret|\.ts/);
  expect(bug.headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
  expect((await b.get('/bug', { 'x-request-id': 'mine' })).headers['x-request-id']).not.toBe('mine');
  for (const url of ['/nope', '/v1', '/v1/records/x', '/v1/jobs/x/artifacts']) {
    const answer = await b.get(url);
    expect([url, answer.statusCode, errorIn(answer).code]).toEqual([url, 404, 'NOT_FOUND']);
  }
  const broken = await b.app.inject({ method: 'GET', url: '/%ff' });
  expect([broken.statusCode, errorIn(broken).code]).toEqual([400, 'BAD_REQUEST']);
  const choice = await b.app.inject('/v1/records?status=x');
  expect(errorIn(choice).detail).toBe('querystring/status must be one of: ok, failed');
  const text = {
    method: 'POST',
    url: '/v1/jobs',
    headers: { 'content-type': 'application/json' },
    payload: '{"model',
  } as const;
  expect(errorIn(await b.app.inject(text)).code).toBe('BAD_REQUEST');
  const form = { ...text, headers: { 'content-type': 'text/plain' } };
  expect((await b.app.inject(form)).statusCode).toBe(415);
});

test('what is no HTTP gets an error of the same form, and harms nothing', async () => {
  const b = await startBench();
  const { port } = new URL(await b.app.listen({ port: 0, host: '127.0.0.1' }));
  const socket = connect(Number(port), '127.0.0.1');
  socket.end('HELLO\r\n\r\n');
  let answer = '';
  for await (const chunk of socket) answer += String(chunk);
  expect(answer).toMatch(/^HTTP\/1\.1 400 /);
  expect(JSON.parse(answer.split('\r\n\r\n')[1] ?? '').code).toBe('BAD_REQUEST');
  expect((await fetch(`http://127.0.0.1:${port}/healthz`)).status).toBe(200);
});

test('web pages of other origins, and names that are not ours, get nothing', async () => {
  const b = await startBench();
  const status = async (headers: Record<string, string>) => (await b.get('/healthz', headers)).statusCode;
  expect(await status({ host: 'localhost:7317' })).toBe(200);
  expect(await status({ host: 'rebound.example:7317' })).toBe(403);
  expect(await status({ host: 'localhost', origin: 'http://localhost' })).toBe(200);
  expect(await status({ host: 'localhost', origin: 'https://evil.example' })).toBe(403);
  expect(await status({ host: 'localhost', origin: 'null' })).toBe(403);
  const plain = await b.get('/healthz');
  expect(plain.headers['access-control-allow-origin']).toBeUndefined();
});

test('which hosts are ours', () => {
  const yes = ['localhost', 'LOCALHOST:80', '127.0.0.1:7317', '[::1]:7317', '[::1]', '192.168.1.7', 'farm.local:1'];
  const no = ['evil.example', 'localhost.evil.example:7317', '127.0.0.1.evil.example', '', '[evil]', 'a:b:c'];
  for (const host of yes) expect([host, hostAllowed(host, ['0.0.0.0', 'farm.local'])]).toEqual([host, true]);
  for (const host of no) expect([host, hostAllowed(host, ['0.0.0.0', 'farm.local'])]).toEqual([host, false]);
});

test('the artifact of a job that is done: the same bytes each time; of others: a refusal', async () => {
  const b = await startBench();
  const { id } = await b.submit();
  const early = await b.get(`/v1/jobs/${id}/artifact`);
  expect([early.statusCode, errorIn(early).code]).toEqual([409, 'JOB_NOT_DONE']);
  const files = { 'net.h': 'a', 'kernels/k.c': 'b'.repeat(5000), 'firmware/net.elf': 'c' };
  for (const [file, text] of Object.entries(files)) {
    const path = join(artifactDir(b.dataDir, id), file);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
  b.begun[0]?.end({ state: 'done', report: {} });
  await new Promise((done) => setImmediate(done));
  const first = await b.get(`/v1/jobs/${id}/artifact`);
  expect(first.headers['content-type']).toBe('application/gzip');
  expect((await b.get(`/v1/jobs/${id}/artifact`)).rawPayload).toEqual(first.rawPayload);
  expect(await unpacked(first.rawPayload)).toEqual(files);
  expect((await b.get('/v1/jobs/nope/artifact')).statusCode).toBe(404);
});

async function unpacked(bytes: Buffer): Promise<Record<string, string>> {
  const reader = extract();
  reader.end(gunzipSync(bytes));
  const files: Record<string, string> = {};
  for await (const entry of reader) {
    const chunks: Buffer[] = [];
    for await (const chunk of entry) chunks.push(chunk as Buffer);
    files[entry.header.name] = Buffer.concat(chunks).toString();
  }
  return files;
}

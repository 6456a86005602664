/** Clients that ask too often, too much or too slowly: told so, or cut off, and nobody else notices. */
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { usualLimits } from '../../server/service/limits.ts';
import { tokenHash } from '../../server/service/tokens.ts';
import { type Bench, errorIn, openBenchStore, startBench } from './bench.ts';

const limits = { ...usualLimits, rate: { max: 5, windowMs: 600_000 }, costly: { max: 2, windowMs: 600_000 } };
const quick = { ...usualLimits, headMs: 100, requestMs: 200, checkMs: 20, headBytes: 2048 };

test('beyond the rate: 429 with Retry-After; other clients and costly routes have rates of their own', async () => {
  const b = await startBench(openBenchStore(), { limits });
  for (const name of ['ann', 'bob']) b.store.tokens.add({ name, scope: 'tune', hash: tokenHash(name) });
  const get = async (headers: Record<string, string> = {}) => b.get('/v1/boards', headers);
  const codes = async (n: number, headers?: Record<string, string>) => {
    const seen: number[] = [];
    for (let i = 0; i < n; i++) seen.push((await get(headers)).statusCode);
    return seen;
  };
  expect(await codes(6)).toEqual([200, 200, 200, 200, 200, 429]);
  const refused = await get();
  expect(errorIn(refused).code).toBe('TOO_MANY_REQUESTS');
  expect(refused.headers['content-type']).toMatch(/^application\/problem\+json/);
  expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
  expect(Number(refused.headers['retry-after'])).toBeLessThanOrEqual(600);
  expect(await codes(2, { authorization: 'Bearer ann' })).toEqual([200, 200]);
  expect(await codes(2, { authorization: 'Bearer bob' })).toEqual([200, 200]);
  // Unknown tokens are no way around: they count for the address.
  expect(await codes(1, { authorization: 'Bearer nobody' })).toEqual([429]);
  const upload = async () => (await b.upload(new Uint8Array(1))).statusCode;
  expect([await upload(), await upload(), await upload()]).toEqual([422, 422, 429]);
});

test('behind a proxy clients are told apart by what it says; nobody else is believed', async () => {
  const b = await startBench(openBenchStore(), { limits, trustProxy: '10.0.0.1', names: ['farm.example'] });
  const ask = async (remoteAddress: string, from: string, origin?: string): Promise<number> => {
    const forwarded = { host: 'farm.example', 'x-forwarded-for': from, 'x-forwarded-proto': 'https' };
    const headers = { ...forwarded, ...(origin !== undefined && { origin }) };
    return (await b.app.inject({ url: '/v1/boards', remoteAddress, headers })).statusCode;
  };
  const page = 'https://farm.example';
  for (let i = 0; i < 5; i++) expect(await ask('10.0.0.1', '192.0.2.1', page)).toBe(200);
  expect([await ask('10.0.0.1', '192.0.2.1'), await ask('10.0.0.1', '192.0.2.2', page)]).toEqual([429, 200]);
  // Without the proxy it is plain HTTP, so this page is another's, and the addresses are made up.
  expect(await ask('10.0.0.2', '192.0.2.3', page)).toBe(403);
  const made: number[] = [];
  for (let i = 0; i < 6; i++) made.push(await ask('10.0.0.2', `192.0.2.${100 + i}`));
  expect(made.at(-1)).toBe(429);
});

test('bodies have a size of their route, heads one of the daemon', async () => {
  const b = await startBench(openBenchStore(), { limits: { ...quick, headMs: 60_000, requestMs: 60_000 } });
  const big = await b.post('/v1/jobs', { model: 'x'.repeat(2 ** 20), board: 'host' });
  expect([big.statusCode, errorIn(big).code]).toEqual([413, 'BODY_TOO_LARGE']);
  const model = await b.upload(new Uint8Array(2 ** 21));
  expect([model.statusCode, errorIn(model).code]).toEqual([422, 'MODEL_UNKNOWN_FORMAT']);
  const answer = await spoken(b, `GET /healthz HTTP/1.1\r\nhost: localhost\r\nx: ${'y'.repeat(4096)}\r\n\r\n`);
  expect(codeOf(answer)).toEqual([431, 'HEADERS_TOO_LARGE']);
});

test.each([
  ['a head that does not end', 'GET /healthz HTTP/1.1\r\nhost: localhost\r\nx-slow: '],
  [
    'a body that does not come',
    'POST /v1/jobs HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{',
  ],
])('%s is not waited for, while others are answered', async (_what, text) => {
  const b = await startBench(openBenchStore(), { limits: quick });
  const slow = spoken(b, text);
  expect((await b.get('/healthz')).statusCode).toBe(200);
  expect(codeOf(await slow)).toEqual([408, 'REQUEST_TIMEOUT']);
});

/** Everything that comes back on a connection on which this is said, until the daemon ends it. */
async function spoken(b: Bench, text: string): Promise<string> {
  const { port } = new URL(await b.app.listen({ port: 0, host: '127.0.0.1' }));
  const socket = connect(Number(port), '127.0.0.1');
  socket.write(text);
  let answer = '';
  for await (const chunk of socket) answer += String(chunk);
  return answer;
}
const codeOf = (answer: string): unknown[] => {
  const [head = '', body = '{}'] = answer.split('\r\n\r\n');
  return [Number(head.split(' ')[1]), (JSON.parse(body) as { code?: string }).code];
};

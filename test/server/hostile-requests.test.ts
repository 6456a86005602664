/**
 * Whatever is put into paths, queries, headers and bodies: an answer with a code, nothing changed but what was asked for, no
 * header and no line of the log but ours.
 */
import type { LightMyRequestResponse } from 'fastify';
import { expect, test } from 'vitest';
import type { ModelBody } from '../../server/schemas/index.ts';
import { samples } from '../samples.ts';
import { Random } from '../unit/random.ts';
import { type Bench, openBenchStore, recordWith, startBench } from './bench.ts';
import { smallModel } from './model.ts';

const attacks = [
  "' OR 1=1 --",
  "'; DROP TABLE trials; --",
  '" OR ""="',
  '1); DELETE FROM jobs; --',
  '%',
  '_',
  '\\',
  "x' UNION SELECT hash FROM tokens --",
  '\r\nset-cookie: evil=1',
  '\n{"level":60}',
  '%0d%0aset-cookie:%20evil=1',
  '\u0000',
  'a\u0000b',
  '../../../etc/passwd',
  '..%2f..%2fetc%2fpasswd',
  '....//',
  '/etc/passwd',
  'file:///etc/passwd',
  '$(id)',
  '`id`',
  '; id',
  '| id',
  '=1+1',
  '@SUM(A1)',
  '+cmd',
  '<script>alert(1)</script>',
  '__proto__',
  'constructor',
  'toString',
  '\u202egnp.exe',
  '💥',
  'x'.repeat(3000),
  '-1',
  '1e999',
  'NaN',
  '9007199254740993',
  '[]',
  '{}',
  'null',
  'true',
  ' ',
] as const;

interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
}
interface Operation {
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: object }>> };
}
type Paths = Readonly<Record<string, Readonly<Record<string, Operation>>>>;

/** The names of fields that a body may have, wherever the schema has alternatives. */
function fieldsOf(schema: unknown): readonly string[] {
  if (typeof schema !== 'object' || schema === null) return [];
  const { properties = {}, anyOf = [] } = schema as { properties?: object; anyOf?: readonly unknown[] };
  return [...Object.keys(properties), ...anyOf.flatMap(fieldsOf)];
}

/** A call of an operation with attacks in some of the places that it has. */
function attackOn(r: Random, path: string, { parameters = [], requestBody }: Operation) {
  const some = (where: Parameter['in']) => parameters.filter((p) => p.in === where && r.next() < 0.5);
  const query = new URLSearchParams(some('query').map((p) => [p.name, r.pick(attacks)]));
  if (r.next() < 0.2) query.append(r.pick(attacks), r.pick(attacks));
  const url = path.replace(/\{[^}]*\}/g, () => encodeURIComponent(r.pick(attacks)));
  const fields = fieldsOf(Object.values(requestBody?.content ?? {})[0]?.schema);
  const body = Object.fromEntries(fields.filter(() => r.next() < 0.7).map((f) => [f, r.pick(attacks)]));
  return { url: `${url}${query.size === 0 ? '' : `?${query}`}`, ...(fields.length > 0 && { payload: body }) };
}

/** What must not happen to an answer. */
function expectHarmless(answer: LightMyRequestResponse, call: string): void {
  expect([call, answer.statusCode, answer.statusCode < 500], answer.body.slice(0, 300)).toEqual([
    call,
    answer.statusCode,
    true,
  ]);
  expect([call, answer.headers['set-cookie']]).toEqual([call, undefined]);
  expect([call, answer.body.includes('root:x:0'), / at .*\.ts:\d+/.test(answer.body)]).toEqual([call, false, false]);
  if (answer.statusCode >= 400 && answer.statusCode !== 404)
    expect(answer.headers['content-type']).toMatch(/problem\+json/);
}

/** Everything that an attack could have taken away. */
const treasure = (b: Bench): unknown => ({
  records: b.store.records({}, 1000).items,
  tokens: b.store.tokens.all().filter((t) => t.name === 'mine'),
  model: b.store.jobPage({}, 1, undefined).items.map((j) => j.model),
});

test('attacks in every place of every route', async () => {
  const b = await startBench(openBenchStore());
  const { id: model } = (await b.upload(smallModel(1))).json<ModelBody>();
  await b.post('/v1/jobs', { model, board: 'mps2-an386', trials: 5 });
  for (let i = 0; i < 5; i++) b.store.addRecord(recordWith({ binary: `b${i}` }));
  await b.post('/v1/tokens', { name: 'mine', scope: 'read' });
  const before = treasure(b);
  const { paths } = (await b.get('/docs/json')).json<{ paths: Paths }>();
  const r = new Random(7);
  // An answer to it has no end, where it is one.
  const { '/v1/events': _endless, ...others } = paths;
  for (const [path, methods] of Object.entries(others))
    for (const [method, operation] of Object.entries(methods))
      for (let i = 0; i < samples(6, 400); i++) {
        const { url, ...body } = attackOn(r, path, operation);
        const answer = await b.app.inject({ method: method.toUpperCase() as 'GET', url, ...body });
        expectHarmless(answer, `${method} ${url} ${JSON.stringify(body)}`);
      }
  expect(treasure(b)).toEqual(before);
});

test('the name of a model is a name, by whatever way it came', async () => {
  const b = await startBench();
  const names = ['../../etc/passwd', 'a\r\nb: c', '\u202ex\u0000', 'C:\\x\\y.tflite', '///', '..'];
  // The same bytes would keep the name they had first.
  for (const [seed, name] of names.entries()) {
    const store = await b.upload(smallModel(seed), `?name=${encodeURIComponent(name)}`);
    const got = store.json<ModelBody>().name;
    expect([name, got, /[\p{C}/\\]/u.test(got) || got === '']).toEqual([name, got, false]);
  }
});

test('a body cannot reach what objects inherit', async () => {
  const b = await startBench();
  for (const payload of ['{"__proto__":{"admin":true}}', '{"constructor":{"prototype":{"admin":true}}}']) {
    const answer = await b.app.inject({
      method: 'POST',
      url: '/v1/jobs',
      headers: { 'content-type': 'application/json' },
      payload,
    });
    expect(answer.statusCode).toBe(400);
    expect(({} as { admin?: boolean }).admin).toBeUndefined();
  }
});

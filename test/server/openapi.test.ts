/**
 * The document at /docs/json against the real answers: every route is called, for what works and for every error of its own;
 * each answer has a status that the document knows, and the form that it gives there.
 */
import type { LightMyRequestResponse } from 'fastify';
import Schema from 'typebox/schema';
import { expect, test } from 'vitest';
import { errorOf } from '../../server/errors.ts';
import { systemClock } from '../../server/jobs/clock.ts';
import { tokenHash } from '../../server/service/tokens.ts';
import { opened, room } from '../unit/db-helpers.ts';
import { type Bench, errorIn, startBench } from './bench.ts';
import { MemoryQueue } from './memory-queue.ts';
import { casesOf, scene } from './openapi-cases.ts';

interface Media {
  readonly schema: object;
}
interface Operation {
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly summary: string;
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, Media>> }>>;
}
interface Route extends Operation {
  readonly method: string;
  /** With {name} for what is given in a call. */
  readonly path: string;
}

async function routesOf(b: Bench): Promise<readonly Route[]> {
  const { paths } = (await b.get('/docs/json')).json<{ paths: Record<string, Record<string, Operation>> }>();
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ ...operation, method: method.toUpperCase(), path })),
  );
}

const isJson = /^application\/(problem\+)?json$/;

/** What the document has against an answer; undefined: nothing. */
function wrong(route: Route, answer: LightMyRequestResponse): string | undefined {
  const status = String(answer.statusCode);
  const documented = route.responses[status] ?? route.responses[`${status[0]}XX`];
  if (documented === undefined) return `status ${status} is not documented`;
  const type = String(answer.headers['content-type'] ?? '').split(';')[0] ?? '';
  if (!isJson.test(type)) return undefined;
  const { schema } = Object.values(documented.content ?? {})[0] ?? {};
  if (schema === undefined) return `a body of ${status} is not documented`;
  const [fits, errors] = Schema.Errors(schema, answer.json());
  return fits ? undefined : `${JSON.stringify(errors.slice(0, 3))} in ${answer.body.slice(0, 500)}`;
}

test('every route answers as its documentation says, for what works and for each error of its own', async () => {
  // Queries are run by processes of their own, which read the file.
  const queue = new MemoryQueue();
  const workers = { queue, version: '0.0.0', clock: systemClock };
  const b = await startBench(opened({ dir: room() }), {}, {}, { workers });
  const routes = await routesOf(b);
  const cases = casesOf(await scene(b, queue));
  expect(Object.keys(cases).toSorted()).toEqual(routes.map((r) => r.operationId).toSorted());
  const byId = new Map(routes.map((r) => [r.operationId, r]));
  const against: string[] = [];
  for (const [id, list] of Object.entries(cases))
    for (const { request, status, code } of list) {
      const answer = await b.app.inject(request);
      const call = `${id}: ${request.method} ${String(request.url)}`;
      const said = answer.statusCode < 400 ? undefined : codeIn(answer);
      if (answer.statusCode !== status || said !== code)
        against.push(
          `${call} was to be ${status} ${code ?? ''}, was ${answer.statusCode} ${answer.body.slice(0, 300)}`,
        );
      const why = wrong(byId.get(id)!, answer);
      if (why !== undefined) against.push(`${call}: ${why}`);
    }
  expect(against).toEqual([]);
});
/** The body of a 503 of /readyz is no error. */
const codeIn = (answer: LightMyRequestResponse): string | undefined =>
  String(answer.headers['content-type']).startsWith('application/problem+json') ? errorIn(answer).code : undefined;

test('errors that any route may have are documented and have their form: access, hosts, sizes, types, statuses', async () => {
  const b = await startBench();
  b.store.tokens.add({ name: 'r', scope: 'read', hash: tokenHash('r-token') });
  for (const route of await routesOf(b)) {
    const url = route.path.replace(/\{[^}]*\}/g, 'nobody');
    const ask = (headers: Record<string, string>, payload?: string) =>
      b.app.inject({ method: route.method as 'GET', url, headers, ...(payload !== undefined && { payload }) });
    const answers = [
      await ask({ host: 'evil.example' }),
      await ask({ authorization: 'Bearer wrong' }),
      ...(route.method === 'GET' ? [] : [await ask({ authorization: 'Bearer r-token' })]),
      ...(route.method === 'GET' || route.method === 'DELETE'
        ? []
        : [
            await ask({ 'content-type': 'text/plain' }, 'x'),
            await ask({ 'content-type': 'application/json' }, '{"a'),
            await ask({ 'content-type': 'application/json' }, JSON.stringify({ a: 'x'.repeat(2 ** 20) })),
            await ask({ 'content-type': 'application/json' }, '[]'),
          ]),
    ];
    for (const answer of answers) {
      const call = `${route.method} ${url}`;
      expect([call, wrong(route, answer)]).toEqual([call, undefined]);
      if (answer.statusCode < 400) continue;
      const body = errorIn(answer);
      expect([call, body.status, body.type]).toEqual([call, answer.statusCode, `/errors#${body.code}`]);
      expect([call, body.code, errorOf(body.code).http]).toEqual([call, body.code, answer.statusCode]);
      expect([call, body.code === 'INTERNAL']).toEqual([call, false]);
    }
  }
});

test('every operation has a name of its own, a heading and a summary', async () => {
  const routes = await routesOf(await startBench());
  const names = routes.map((r) => r.operationId);
  expect(new Set(names).size).toBe(names.length);
  for (const r of routes) {
    expect([r.operationId, /^[a-z][A-Za-z]+$/.test(r.operationId), r.tags.length]).toEqual([r.operationId, true, 1]);
    expect(r.summary, r.operationId).toMatch(/^[A-Z].*[^.]$/);
  }
});

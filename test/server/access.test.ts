/** Who may do what: every route with every scope, with and without tokens, and what a daemon refuses to be reached by. */
import { expect, test } from 'vitest';
import { scopes } from '../../db/tokens.ts';
import type { NewTokenBody, TokenList } from '../../server/schemas/index.ts';
import { type ReachOptions, serviceOf } from '../../server/service/options.ts';
import { recognised, tokenHash } from '../../server/service/tokens.ts';
import { type Bench, errorIn, openBenchStore, startBench } from './bench.ts';

/** What a route needs, said again apart from the code: a route that is missing here fails. */
const needed: Readonly<Record<string, 'public' | (typeof scopes)[number]>> = {
  'get /errors': 'public',
  'get /healthz': 'public',
  'get /readyz': 'public',
  'get /metrics': 'read',
  'get /v1/boards': 'read',
  'get /v1/devices': 'read',
  'get /v1/devices/{name}/history': 'read',
  'get /v1/devices/utilisation': 'read',
  'get /v1/events': 'read',
  'get /v1/jobs': 'read',
  'get /v1/jobs/{id}': 'read',
  'get /v1/jobs/{id}/artifact': 'read',
  'get /v1/jobs/{id}/events': 'read',
  'get /v1/jobs/{id}/report.html': 'read',
  'get /v1/models/{id}': 'read',
  'get /v1/queries': 'read',
  'get /v1/queries/{name}': 'read',
  'get /v1/records': 'read',
  'get /v1/records/best': 'read',
  'get /v1/schema': 'read',
  'get /v1/stats/best': 'read',
  'get /v1/stats/curve': 'read',
  'get /v1/stats/failures': 'read',
  'get /v1/stats/knobs': 'read',
  'get /v1/stats/scatter': 'read',
  'get /v1/tasks': 'read',
  'get /v1/tasks/{id}': 'read',
  'get /v1/tasks/{id}/model': 'read',
  'get /v1/trials/{id}': 'read',
  'get /v1/webhooks/deliveries': 'read',
  'get /v1/storage': 'read',
  'post /v1/query': 'read',
  'post /v1/jobs': 'tune',
  'patch /v1/jobs/{id}': 'tune',
  'post /v1/jobs/{id}/cancel': 'tune',
  'post /v1/jobs/{id}/pause': 'tune',
  'post /v1/jobs/{id}/resume': 'tune',
  'post /v1/jobs/{id}/clone': 'tune',
  'post /v1/models': 'tune',
  'put /v1/queries/{name}': 'tune',
  'delete /v1/queries/{name}': 'tune',
  'post /v1/trials/{id}/replay': 'tune',
  'post /v1/webhooks/deliveries/{id}/retry': 'tune',
  'get /v1/workers': 'read',
  'post /v1/workers': 'work',
  'delete /v1/workers/{id}': 'work',
  'post /v1/workers/{id}/heartbeat': 'work',
  'get /v1/workers/{id}/leases/{lease}': 'work',
  'post /v1/workers/{id}/leases/{lease}/answer': 'work',
  'get /v1/tokens': 'admin',
  'post /v1/tokens': 'admin',
  'delete /v1/tokens/{name}': 'admin',
  'post /v1/devices': 'admin',
  'delete /v1/devices/{name}': 'admin',
  'post /v1/devices/{name}/drain': 'admin',
  'post /v1/devices/{name}/quarantine': 'admin',
  'post /v1/devices/{name}/release': 'admin',
  'post /v1/backup': 'admin',
  'post /v1/records/import': 'admin',
};

/** Which scopes are enough for each, said again. */
const enough: Readonly<Record<(typeof scopes)[number], readonly string[]>> = {
  read: ['read', 'tune', 'admin'],
  tune: ['tune', 'admin'],
  work: ['work', 'admin'],
  admin: ['admin'],
};

type Paths = Record<string, Record<string, unknown>>;
async function routesOf(b: Bench): Promise<readonly string[]> {
  const { paths } = (await b.get('/docs/json')).json<{ paths: Paths }>();
  return Object.entries(paths).flatMap(([path, methods]) => Object.keys(methods).map((m) => `${m} ${path}`));
}
/** The code that a call ends in, if it is one about access. */
async function access(b: Bench, route: string, token?: string): Promise<string> {
  const [method = '', path = ''] = route.split(' ');
  // The stream of all events has no end: what is wrong with this call is told behind the question who asks.
  const url = path === '/v1/events' ? `${path}?after=-1` : path.replace(/\{[^}]*\}/g, 'nobody');
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const answer = await b.app.inject({ method: method.toUpperCase() as 'GET', url, headers });
  const refused = answer.statusCode === 401 || answer.statusCode === 403;
  if (answer.statusCode === 401) expect(answer.headers['www-authenticate']).toBe('Bearer realm="microtune"');
  return refused ? errorIn(answer).code : 'passed';
}

test('every route asks for the scope that it needs, and for no more', async () => {
  const b = await startBench(openBenchStore(), { tokens: 'required' });
  for (const scope of scopes) b.store.tokens.add({ name: scope, scope, hash: tokenHash(`${scope}-token`) });
  b.store.tokens.add({ name: 'old', scope: 'admin', hash: tokenHash('old-token') });
  b.store.tokens.revoke('old');
  const routes = await routesOf(b);
  expect(routes.toSorted()).toEqual(Object.keys(needed).toSorted());
  for (const route of routes) {
    const need = needed[route] ?? 'public';
    const open = need === 'public';
    expect([route, await access(b, route)]).toEqual([route, open ? 'passed' : 'UNAUTHORIZED']);
    for (const wrong of ['old-token', 'read-toke', 'x'.repeat(300), 'read-token, admin-token'])
      expect([route, await access(b, route, wrong)]).toEqual([route, open ? 'passed' : 'UNAUTHORIZED']);
    for (const scope of scopes) {
      const passes = need === 'public' || enough[need].includes(scope);
      expect([route, scope, await access(b, route, `${scope}-token`)]).toEqual([
        route,
        scope,
        passes ? 'passed' : 'SCOPE_TOO_SMALL',
      ]);
    }
  }
});

test('on this machine alone a token is not needed, but one that came is believed in what it allows', async () => {
  const b = await startBench();
  b.store.tokens.add({ name: 'r', scope: 'read', hash: tokenHash('r-token') });
  expect(await access(b, 'post /v1/jobs')).toBe('passed');
  expect(await access(b, 'post /v1/jobs', 'r-token')).toBe('SCOPE_TOO_SMALL');
  expect(await access(b, 'get /v1/jobs', 'wrong')).toBe('UNAUTHORIZED');
});

test('a token is told once, works at once, and ends at once; no list and no log shows it', async () => {
  const b = await startBench(openBenchStore(), { tokens: 'required' });
  b.store.tokens.add({ name: 'root', scope: 'admin', hash: tokenHash('root-token') });
  const headers = { authorization: 'Bearer root-token' };
  const made = await b.app.inject({
    method: 'POST',
    url: '/v1/tokens',
    headers,
    payload: { name: 'ci', scope: 'read' },
  });
  const { token } = made.json<NewTokenBody>();
  expect([made.statusCode, token.length > 40]).toEqual([201, true]);
  expect(await access(b, 'get /v1/jobs', token)).toBe('passed');
  const list = await b.get('/v1/tokens', headers);
  expect(list.json<TokenList>().items.map((t) => [t.name, t.scope])).toEqual([
    ['ci', 'read'],
    ['root', 'admin'],
  ]);
  expect(list.body).not.toContain(token);
  const again = await b.app.inject({
    method: 'POST',
    url: '/v1/tokens',
    headers,
    payload: { name: 'ci', scope: 'read' },
  });
  expect([again.statusCode, errorIn(again).code]).toEqual([409, 'TOKEN_EXISTS']);
  await b.app.inject({ method: 'DELETE', url: '/v1/tokens/ci', headers });
  expect(await access(b, 'get /v1/jobs', token)).toBe('UNAUTHORIZED');
  const gone = await b.app.inject({ method: 'DELETE', url: '/v1/tokens/nobody', headers });
  expect([gone.statusCode, errorIn(gone).code]).toEqual([404, 'TOKEN_NOT_FOUND']);
});

test('the token that was meant is recognised among many, whichever place it has', () => {
  const texts = Array.from({ length: 20 }, (_, i) => `token-${i}`);
  const all = texts.map((t) => ({ name: t, scope: 'read' as const, hash: tokenHash(t) }));
  for (const t of texts) expect(recognised(all, t)?.name).toBe(t);
  expect(recognised(all, 'token-20')).toBeUndefined();
  expect(recognised([], 'token-0')).toBeUndefined();
});

test('beyond this machine only with tokens, and not in the clear unless somebody said so', () => {
  const come = (o: ReachOptions, tokens: number): string => {
    const service = serviceOf(o, tokens);
    return service.ok ? service.value.tokens : service.error.code;
  };
  const cert = { cert: 'no certificate', key: 'no key' };
  for (const host of ['127.0.0.1', '127.3.2.1', '::1', 'localhost']) {
    expect(come({ host }, 0)).toBe('optional');
    expect(come({ host, tokens: 'required' }, 0)).toBe('TOKENS_NEEDED');
    expect(come({ host, tokens: 'required' }, 1)).toBe('required');
    expect(come({ host, trustProxy: '127.0.0.1' }, 0)).toBe('TOKENS_NEEDED');
    expect(come({ host, trustProxy: '127.0.0.1' }, 1)).toBe('required');
  }
  for (const host of ['0.0.0.0', '::', '192.168.1.7', 'farm.example', '127.0.0.1.example', '1.127.0.0']) {
    expect([host, come({ host, plainHttp: 'allowed' }, 0)]).toEqual([host, 'TOKENS_NEEDED']);
    expect(come({ host }, 1)).toBe('TLS_NEEDED');
    expect(come({ host, plainHttp: 'allowed' }, 1)).toBe('required');
    expect(come({ host, trustProxy: '10.0.0.1' }, 1)).toBe('required');
    expect(come({ host, tls: cert }, 1)).toBe('TLS_UNUSABLE');
    expect(come({ host, tls: { cert: '', key: '' } }, 1)).toBe('TLS_UNUSABLE');
  }
});

/** Tokens and answers against plain maps: whatever is done in whatever order, over restarts and days. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import type { Answer, KeyedRequest } from '../../db/answers.ts';
import { openStore, scopes } from '../../db/index.ts';
import { schemaFiles } from '../../db/migrate.ts';
import type { Store } from '../../db/types.ts';
import { samples } from '../samples.ts';
import { opened, room } from './db-helpers.ts';
import { Random } from './random.ts';

const hash = (text: string): Buffer => createHash('sha256').update(text).digest();
function storeAt(now: () => Date): Store {
  const opened = openStore('memory', { mode: 'write', now });
  if (!opened.ok) throw new Error(opened.error.detail);
  return opened.value;
}

interface Kept {
  readonly request: string;
  readonly at: number;
  state: 'pending' | 'lost' | 'done';
  answer?: Answer;
}
const hour = 3_600_000;

test('one request a key and owner: answered as it was answered, for 24 hours, never twice', () => {
  for (let seed = 0; seed < samples(30, 1000); seed++) {
    const r = new Random(seed);
    let now = Date.UTC(2026, 0, 1);
    const store = storeAt(() => new Date(now));
    const model = new Map<string, Kept>();
    for (let step = 0; step < 60; step++) {
      const request = {
        owner: r.pick(['', 'ann']),
        key: r.pick(['k1', 'k2', 'k3']),
        request: hash(r.pick(['a', 'b'])),
      };
      const id = `${request.owner}/${request.key}`;
      const known = model.get(id);
      switch (r.int(0, 5)) {
        case 0:
          now += r.int(1, 20) * hour;
          break;
        case 1:
          store.answers.begin();
          for (const kept of model.values()) if (kept.state === 'pending') kept.state = 'lost';
          break;
        case 2:
          if (known?.state !== 'pending') break;
          known.answer = { status: 201, type: 'application/json', body: `{"step":${step}}` };
          known.state = 'done';
          store.answers.keep(request, known.answer);
          break;
        case 3:
          if (known?.state !== 'pending') break;
          store.answers.forget(request);
          model.delete(id);
          break;
        default:
          expect(store.answers.claim(request), `seed ${seed}, step ${step}`).toEqual(claimed(model, id, request, now));
      }
    }
    store.close();
  }
});

/** What the database must say to a claim. */
function claimed(model: Map<string, Kept>, id: string, { request }: KeyedRequest, now: number): unknown {
  for (const [other, kept] of model) if (kept.at < now - 24 * hour) model.delete(other);
  const text = Buffer.from(request).toString('hex');
  const known = model.get(id);
  if (known === undefined) model.set(id, { request: text, at: now, state: 'pending' });
  if (known === undefined) return { state: 'new' };
  if (known.request !== text) return { state: 'mismatch' };
  return known.state === 'done' ? { state: 'done', answer: known.answer } : { state: known.state };
}

test('a name is given once, also after it was revoked; what is kept is the hash', () => {
  const store = storeAt(() => new Date(Date.UTC(2026, 0, 1)));
  const at = '2026-01-01T00:00:00.000Z';
  for (const scope of scopes) {
    const row = { name: scope, scope, createdAt: at, revokedAt: null };
    expect(store.tokens.add({ name: scope, scope, hash: hash(scope) })).toEqual(row);
    expect(store.tokens.add({ name: scope, scope: 'admin', hash: hash('other') })).toBeUndefined();
  }
  expect(store.tokens.valid().map((t) => t.name)).toEqual(['admin', 'read', 'tune', 'work']);
  expect(store.tokens.revoke('read')?.revokedAt).toBe(at);
  expect(store.tokens.revoke('nobody')).toBeUndefined();
  expect(store.tokens.valid().map((t) => [t.name, Buffer.from(t.hash)])).toEqual([
    ['admin', hash('admin')],
    ['tune', hash('tune')],
    ['work', hash('work')],
  ]);
  expect(store.tokens.all().map((t) => [t.name, t.revokedAt])).toEqual([
    ['admin', null],
    ['read', at],
    ['tune', null],
    ['work', null],
  ]);
  expect(store.tokens.add({ name: 'read', scope: 'read', hash: hash('again') })).toBeUndefined();
  store.close();
});

test('tokens of before the scope of workers are as they were, and one more scope can be given', () => {
  const old = join(room(), 'old.db');
  const db = new Database(old);
  const before = schemaFiles.slice(0, schemaFiles.indexOf('0011-workers.sql'));
  for (const file of before) db.exec(readFileSync(join(import.meta.dirname, '../../db/schema', file), 'utf8'));
  db.pragma(`user_version = ${before.length}`);
  const add = db.prepare('INSERT INTO tokens VALUES (?, ?, ?, ?, ?)');
  expect(() => add.run('w', 'work', hash('w'), 'now', null)).toThrow(/CHECK/);
  add.run('ci', 'tune', hash('ci'), 'then', null);
  add.run('old', 'admin', hash('old'), 'then', 'later');
  db.close();
  const store = opened({ file: old });
  expect(store.tokens.all()).toEqual([
    { name: 'ci', scope: 'tune', createdAt: 'then', revokedAt: null },
    { name: 'old', scope: 'admin', createdAt: 'then', revokedAt: 'later' },
  ]);
  expect(store.tokens.valid().map((t) => [t.name, Buffer.from(t.hash)])).toEqual([['ci', hash('ci')]]);
  expect(store.tokens.add({ name: 'w', scope: 'work', hash: hash('w') })?.scope).toBe('work');
  store.close();
});

/** Jobs in the database: what was asked for comes back, lists are paged, events of long jobs are thinned and never renumbered. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BadCursor, type JobFilter, type JobRow, type NewJob, openStore, type Store } from '../../db/index.ts';
import { samples } from '../samples.ts';

function memory(): Store {
  const opened = openStore('memory', { mode: 'write' });
  if (!opened.ok) throw new Error(opened.error.detail);
  opened.value.putModel({ id: 'm0', name: 'zero', bytes: new Uint8Array([0]) });
  opened.value.putModel({ id: 'm1', name: 'one', bytes: new Uint8Array([1]) });
  return opened.value;
}
const plain: NewJob = {
  model: 'm0',
  board: 'b0',
  kind: 'instructions',
  policy: 'guided',
  seed: 0,
  trials: 10,
  timeMs: null,
};
const orNull = <T>(some: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(some, { nil: null });
const job: fc.Arbitrary<NewJob> = fc.record({
  model: fc.constantFrom('m0', 'm1'),
  board: fc.constantFrom('b0', 'b1'),
  kind: fc.constant('instructions' as const),
  policy: fc.string(),
  seed: fc.nat(),
  trials: fc.nat(),
  timeMs: orNull(fc.nat()),
  name: orNull(fc.string()),
  priority: fc.constantFrom('low' as const, 'normal' as const, 'high' as const),
  window: orNull(fc.string()),
  until: orNull(fc.record({ percent: fc.double({ min: 0, max: 100, noNaN: true }), trials: fc.nat() })),
  only: orNull(fc.array(fc.string())),
  clonedFrom: orNull(fc.string()),
  webhooks: fc.array(fc.string()),
});

test('a job comes back as it was asked for', () => {
  const store = memory();
  fc.assert(
    fc.property(job, (asked) => {
      const { id } = store.addJob(asked);
      expect(store.job(id)).toMatchObject({ ...asked, state: 'queued', group: null });
    }),
    { seed: 1, numRuns: samples(100, 2000) },
  );
  expect(store.addJob(plain)).toMatchObject({ name: null, priority: 'normal', until: null, only: null, webhooks: [] });
});

test('a change and the event that comes with it are written together, or neither', () => {
  const store = memory();
  const { id } = store.addJob(plain);
  expect(store.updateJob(id, { spentMs: 5 }, { type: 'progress', data: { done: 1 } }).spentMs).toBe(5);
  expect(store.lastEvent(id, 'progress')?.data).toEqual({ done: 1 });
  // No JSON has a place for it.
  expect(() => store.updateJob(id, { spentMs: 9 }, { type: 'progress', data: { done: 1n } })).toThrow(TypeError);
  expect(store.job(id)?.spentMs).toBe(5);
  expect(store.events(id, 0, 10).map((e) => e.type)).toEqual(['state', 'progress']);
  store.close();
});

test('pages hold every job that the filter takes, once, newest first, whatever is added meanwhile', () => {
  const store = memory();
  const all: JobRow[] = [];
  const some = fc.array(fc.array(job, { minLength: 1, maxLength: 3 }), { maxLength: 6 });
  const filter = fc.record(
    { model: fc.constantFrom('m0', 'm1'), board: fc.constantFrom('b0', 'b1'), state: fc.constant('queued' as const) },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(some, filter, fc.integer({ min: 1, max: 7 }), (groups, asked: JobFilter, limit) => {
      for (const group of groups) all.push(...store.addJobs(group));
      const expected = all
        .filter((j) => asked.model === undefined || j.model === asked.model)
        .filter((j) => asked.board === undefined || j.board === asked.board);
      const found: JobRow[] = [];
      let next: string | null | undefined;
      do {
        const page = store.jobPage(asked, limit, next ?? undefined);
        expect(page.items.length).toBeLessThanOrEqual(limit);
        found.push(...page.items);
        next = page.next;
        all.push(store.addJob(plain));
      } while (next !== null);
      expect(found.map((j) => j.id)).toEqual(expected.map((j) => j.id).reverse());
    }),
    { seed: 2, numRuns: samples(30, 500) },
  );
  const group = store.addJobs([plain, { ...plain, board: 'b1' }]);
  expect(new Set(group.map((j) => j.group)).size).toBe(1);
  expect(store.jobPage({ group: group[0]?.group ?? '' }, 10).items.map((j) => j.id)).toEqual(
    group.map((j) => j.id).reverse(),
  );
  expect(() => store.jobPage({ board: 'b1' }, 1, store.jobPage({}, 1).next ?? '')).toThrow(BadCursor);
});

test('thinned events: the last progress, few before it, the last log lines, every state; a reader misses none that stays', () => {
  const kept = { progress: 20, logs: 30 };
  fc.assert(
    fc.property(fc.array(fc.constantFrom('progress', 'log', 'state'), { maxLength: 300 }), fc.nat(), (types, at) => {
      const store = memory();
      const [mine, other] = [store.addJob(plain).id, store.addJob(plain).id];
      const events = types.map((type, n) => store.addEvent(n % 7 === 0 ? other : mine, type, { n }));
      const before = store.events(mine, 0, 1000);
      store.thinEvents(mine, kept);
      const after = store.events(mine, 0, 1000);
      const ids = new Set(after.map((e) => e.id));
      const of = (type: string, list = after) => list.filter((e) => e.type === type);
      expect(of('state')).toEqual(of('state', before));
      expect(of('log')).toEqual(of('log', before).slice(-kept.logs));
      expect(of('progress').length).toBeLessThanOrEqual(kept.progress);
      expect(of('progress').at(-1)).toEqual(of('progress', before).at(-1));
      if (of('progress', before).length <= kept.progress) expect(of('progress')).toEqual(of('progress', before));
      else expect(of('progress').length).toBeGreaterThan(kept.progress / 2 - 1);
      expect(store.events(other, 0, 1000).length).toBe(1 + events.filter((e) => e.job === other).length);
      // Whoever had read up to somewhere gets exactly what is behind that and was kept.
      const seen = before[at % before.length]?.id ?? 0;
      expect(store.events(mine, seen, 1000)).toEqual(before.filter((e) => e.id > seen && ids.has(e.id)));
      expect(store.addEvent(mine, 'log', {}).id).toBe(store.lastEventId());
      expect(store.lastEventId()).toBeGreaterThan(events.at(-1)?.id ?? 0);
      store.close();
    }),
    { seed: 3, numRuns: samples(25, 500) },
  );
});

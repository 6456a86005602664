/** What a search begins with, against a plain list of all records: enough, of the right ones, whatever else is in the log. */
import { expect, test } from 'vitest';
import type { Comparable, TuningRecord } from '../../db/index.ts';
import { samples } from '../samples.ts';
import { opened } from './db-helpers.ts';
import { boards, randomRecord, tasks } from './db-records.ts';
import { Random } from './random.ts';

test('the fastest and the last that stand and can be compared, by binary, and what a job made', () => {
  let found = 0;
  for (let seed = 0; seed < samples(6, 100); seed++) {
    const r = new Random(seed);
    const store = opened('memory');
    const all: TuningRecord[] = [];
    const doubted = new Set<string>();
    for (let i = 0; i < 120; i++) {
      const record = randomRecord(r);
      const measured = all.filter((x) => x.reusedFrom === null);
      const reusedFrom = r.int(0, 5) === 0 && measured.length > 0 ? r.pick(measured).id : null;
      all.push(store.addRecord({ ...record, reusedFrom }));
      if (r.int(0, 9) !== 0) continue;
      const wrong = r.pick(all).id;
      doubted.add(wrong);
      store.doubt(wrong, 'its device was not well');
    }
    const stands = (x: TuningRecord): boolean => x.reusedFrom === null && !doubted.has(x.id);
    for (const like of all.slice(0, 20)) {
      const { toolchain, flags } = like;
      const of: Comparable = { task: r.pick(tasks), board: r.pick(boards), kind: like.kind, toolchain, flags };
      const job = r.int(0, 1) === 0 ? undefined : (like.job ?? undefined);
      const suits = (x: TuningRecord): boolean =>
        stands(x) &&
        [x.task, x.board, x.kind, x.toolchain, x.flags].join() ===
          [of.task, of.board, of.kind, of.toolchain, of.flags].join() &&
        (job === undefined || x.job === job);
      const asked = { ...of, ...(job !== undefined && { job }) };
      const those = all.filter(suits);
      found += those.length;
      const best = those
        .filter((x) => x.cycles !== null)
        .sort((a, b) => (a.cycles ?? 0) - (b.cycles ?? 0))
        .slice(0, 3);
      const wanted = new Set([...best, ...those.slice(-4)].map((x) => x.id));
      expect(store.warmStart(asked, 3, 4).map((x) => x.id)).toEqual(
        those.map((x) => x.id).filter((id) => wanted.has(id)),
      );
      const successes = those.filter((x) => x.status === 'ok').map((x) => x.id);
      const few = store.spread(asked, 3).map((x) => successes.indexOf(x.id));
      expect(few.length).toBe(Math.min(3, successes.length));
      const gaps = [...few, successes.length - 1].map((n, i) => n - (few[i - 1] ?? -1));
      for (const gap of gaps.slice(0, -1)) expect(gap).toBeGreaterThan(0);
      for (const gap of gaps) expect(gap).toBeLessThanOrEqual(Math.ceil(successes.length / 3));
      expect(store.ofBinary(asked, like.binary ?? 'none').map((x) => x.id)).toEqual(
        those
          .filter((x) => x.binary === (like.binary ?? 'none'))
          .map((x) => x.id)
          .slice(0, 8),
      );
    }
    for (const job of new Set(all.flatMap((x) => x.job ?? []))) {
      const own = all.filter((x) => x.job === job && stands(x));
      const made = store.madeBy(job);
      expect([...made.values()].reduce((n, c) => n + c.done, 0)).toBe(own.length);
      for (const [task, counts] of made)
        expect(counts).toEqual({
          done: own.filter((x) => x.task === task).length,
          failed: own.filter((x) => x.task === task && x.status === 'failed').length,
        });
      expect(store.countsInOrder(job)).toEqual(own.map(({ task, cycles }) => ({ task, cycles })));
    }
    store.close();
  }
  expect(found).toBeGreaterThan(100);
});

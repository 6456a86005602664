/** What the farm notes of its devices, and when it asks ports: minutes, stretches of time, bounds, distances, a database that refuses. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type DeviceEventRow, keptDays, keptEvents } from '../../db/devices.ts';
import { openStore, StoreError } from '../../db/index.ts';
import type { Store } from '../../db/types.ts';
import { byMinute, forgetful, Ledger } from '../../server/farm/ledger.ts';
import { PortDiary } from '../../server/farm/ports.ts';
import { bucketsOf, spansOf } from '../../server/farm/spans.ts';
import { samples } from '../samples.ts';

const time = fc.integer({ min: 0, max: 1e8 });
const stretch = fc.tuple(time, fc.integer({ min: 0, max: 1e6 })).map(([from, ms]) => [from, from + ms] as const);

function store(): Store {
  const opened = openStore('memory', { mode: 'write' });
  if (!opened.ok) throw new Error(opened.error.detail);
  return opened.value;
}

test('a stretch of time is cut at minutes: nothing is lost, no minute holds more than a minute', () => {
  fc.assert(
    fc.property(stretch, ([from, to]) => {
      const parts = byMinute(from, to);
      expect(parts.reduce((sum, p) => sum + p.busyMs, 0)).toBe(to - from);
      for (const { busyMs } of parts) expect(busyMs >= 0 && busyMs <= 60_000).toBe(true);
      expect(parts.at(-1)?.minute).toBe(Math.floor(to / 60_000));
    }),
    { seed: 1, numRuns: samples(300, 5000) },
  );
});

test('what was noted comes out again, whole, however it is cut into stretches', () => {
  fc.assert(
    fc.property(fc.array(stretch, { maxLength: 20 }), fc.integer({ min: 1, max: 300 }), (stretches, count) => {
      const { devices } = store();
      const ledger = new Ledger({ store: devices, now: () => 2e8, log: () => undefined });
      for (const [i, [from, to]] of stretches.entries()) {
        ledger.observer('b').used('d', from, to, i % 3 === 0 ? 'failed' : 'ok');
        if (i % 4 === 0) ledger.flush();
      }
      const [since, until] = [0, 1.2e8].map((ms) => new Date(ms).toISOString()) as [string, string];
      const spans = spansOf(since, until, count);
      if (!spans.ok) throw new Error(spans.error.detail);
      expect(spans.value.count).toBeLessThanOrEqual(count);
      const buckets = bucketsOf(spans.value, ledger.usedBetween(since, until));
      const sum = (of: (b: (typeof buckets)[number]) => number): number => buckets.reduce((n, b) => n + of(b), 0);
      expect(sum((b) => b.busyMs)).toBe(stretches.reduce((n, [from, to]) => n + to - from, 0));
      expect(sum((b) => b.trials)).toBe(stretches.length);
      expect(sum((b) => b.failed)).toBe(Math.ceil(stretches.length / 3));
      const [row] = devices.all();
      expect(row?.trials ?? 0).toBe(stretches.length);
      ledger.close();
    }),
    { seed: 1, numRuns: samples(20, 300) },
  );
});

test('a database that refuses costs nothing but time: what was noted is written when it takes it again, once', () => {
  const { devices } = store();
  let full = true;
  const said: string[] = [];
  const refusing = {
    ...devices,
    note: (news: Parameters<typeof devices.note>[0]) => {
      if (full) throw new StoreError({ stage: 'record', code: 'DISK_FULL', detail: 'no room' });
      devices.note(news);
    },
  };
  const ledger = new Ledger({ store: refusing, now: () => 1e12, log: (m) => said.push(m), everyMs: 1e6 });
  ledger.event('b', 'd', 'opened', '');
  for (let i = 0; i < 3; i++) ledger.flush();
  ledger.event('b', 'd', 'closed', '');
  expect(ledger.history('d', undefined, 10).items).toEqual([]);
  expect(said).toEqual(['the log of devices cannot be written: no room']);
  full = false;
  expect(ledger.history('d', undefined, 10).items.map((e) => e.event)).toEqual(['closed', 'opened']);
  // However long that goes on, memory is bounded.
  full = true;
  for (let i = 0; i < 5000; i++) ledger.event('b', 'd', 'failed', String(i));
  full = false;
  const { items } = ledger.history('d', undefined, 10_000);
  expect([items.length, items[0]?.detail]).toEqual([2002, '4999']);
  ledger.close();
  // Behind its end the database is not asked any more.
  const ended = new Ledger({ store: forgetful, now: () => 1e12, log: () => undefined });
  ended.close();
  ended.event('b', 'd', 'opened', '');
  ended.flush();
});

test('the log of a device is bounded by age and number; what it came to is counted for ever', () => {
  const { devices } = store();
  const now = Date.parse('2026-06-01T00:00:00Z');
  const event = (device: string, i: number, at: number): DeviceEventRow => ({
    device,
    at: new Date(at).toISOString(),
    event: 'failed',
    detail: String(i),
    job: null,
  });
  const day = 86_400_000;
  const events = [
    ...Array.from({ length: keptEvents + 7 }, (_, i) => event('busy', i, now - day + i)),
    ...[keptDays + 1, keptDays - 1].map((days) => event('old', days, now - days * day)),
  ];
  const use = [keptDays + 1, keptDays - 1].map((days) => ({
    device: 'old',
    minute: (now - days * day) / 60_000,
    busyMs: 5,
    trials: 1,
    failed: 0,
  }));
  const boards = new Map([
    ['busy', 'b'],
    ['old', 'b'],
  ]);
  devices.note({ events, use, boards });
  devices.tidy(new Date(now).toISOString());
  const busy = devices.history('busy', undefined, 2 * keptEvents).items;
  expect([busy.length, busy[0]?.detail, busy.at(-1)?.detail]).toEqual([keptEvents, String(keptEvents + 6), '7']);
  expect(devices.history('old', undefined, 10).items.map((e) => e.detail)).toEqual([String(keptDays - 1)]);
  expect(devices.use('2020-01-01T00:00:00Z', '2030-01-01T00:00:00Z')).toHaveLength(1);
  expect(devices.all()).toMatchObject([
    { name: 'busy', failures: keptEvents + 7 },
    { name: 'old', failures: 2, trials: 2 },
  ]);
});

test('a port that is silent is asked at growing distances; one that comes back is new', () => {
  let now = 0;
  const diary = new PortDiary(() => now);
  const asked: number[] = [];
  const look = (ports: readonly string[]): void => {
    for (const port of diary.due(ports)) {
      asked.push(now / 1000);
      diary.silent(port);
    }
  };
  for (; now <= 3_600_000; now += 1000) look(['a']);
  expect(asked.slice(0, 5)).toEqual([0, 5, 15, 35, 75]);
  // No more than every ten minutes in the end.
  expect(asked.length).toBeLessThan(14);
  look([]);
  asked.length = 0;
  look(['a']);
  expect(asked).toHaveLength(1);
  diary.dismiss('a');
  now += 1e9;
  look(['a']);
  expect(asked).toHaveLength(1);
  look([]);
  look(['a']);
  expect(asked).toHaveLength(2);
});

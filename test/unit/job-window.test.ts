/** Daily windows: against a clock on the wall looked at every minute, over the days when clocks are changed. */
import fc from 'fast-check';
import { DateTime } from 'luxon';
import { expect, test } from 'vitest';
import { doneAt, parseWindow, type Window, windowAt } from '../../server/jobs/window.ts';
import { samples } from '../samples.ts';

function windowOf(text: string): Window {
  const parsed = parseWindow(text);
  if (!parsed.ok) throw new Error(parsed.error.detail);
  return parsed.value;
}
const two = (n: number): string => String(n).padStart(2, '0');
const wall = fc.integer({ min: 0, max: 24 * 60 - 1 }).map((m) => `${two(Math.floor(m / 60))}:${two(m % 60)}`);
/** Zones whose clocks jump by an hour, by half of one, at midnight, never. */
const zones = ['Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'America/Santiago', 'Asia/Kolkata', 'UTC'];
const minute = 60_000;
/** Shortly before clocks are changed somewhere, and some other day. */
const days = [
  '2026-03-28',
  '2026-10-24',
  '2026-03-07',
  '2026-10-31',
  '2026-04-04',
  '2026-10-03',
  '2026-09-05',
  '2026-06-15',
];

test('open and until agree with a clock on the wall, minute by minute', () => {
  const window = fc
    .tuple(wall, wall, fc.constantFrom(...zones))
    .filter(([from, to]) => from !== to)
    .map(([from, to, zone]) => ({ from, to, zone, window: windowOf(`${from}-${to} ${zone}`) }));
  fc.assert(
    fc.property(window, fc.constantFrom(...days), fc.nat(2 * 24 * 60), fc.nat(59_999), (w, date, minutes, ms) => {
      const shows = (at: number): boolean => {
        const now = DateTime.fromMillis(at, { zone: w.zone }).toFormat('HH:mm');
        return w.from < w.to ? w.from <= now && now < w.to : w.from <= now || now < w.to;
      };
      const now = Date.parse(`${date}T00:00:00Z`) + minutes * minute + ms;
      const state = windowAt(w.window, now);
      expect(state.open).toBe(shows(now));
      let next = (Math.floor(now / minute) + 1) * minute;
      while (shows(next) === state.open) next += minute;
      expect(state.until).toBe(next);
    }),
    { seed: 1, numRuns: samples(60, 5000) },
  );
});

test('a night in which clocks are changed is an hour shorter or longer', () => {
  const night = windowOf('20:00-07:00 Europe/Berlin');
  const hours = (evening: string): number => {
    const opens = windowAt(night, Date.parse(evening)).until;
    return (windowAt(night, opens).until - opens) / 3_600_000;
  };
  expect(['2026-03-27T12:00Z', '2026-03-28T12:00Z', '2026-10-24T12:00Z'].map(hours)).toEqual([11, 10, 12]);
});

test('work goes on from window to window', () => {
  const w = windowOf('20:00–22:00 UTC');
  const at = (text: string): number => Date.parse(text);
  expect(doneAt(w, at('2026-01-01T20:30Z'), 30 * minute)).toBe(at('2026-01-01T21:00Z'));
  expect(doneAt(w, at('2026-01-01T12:00Z'), 30 * minute)).toBe(at('2026-01-01T20:30Z'));
  expect(doneAt(w, at('2026-01-01T21:00Z'), 61 * minute)).toBe(at('2026-01-02T20:01Z'));
  expect(doneAt(w, at('2026-01-01T21:00Z'), 5 * 60 * minute)).toBe(at('2026-01-03T22:00Z'));
  // Two hours a day for a year.
  expect(doneAt(w, at('2026-01-01T19:00Z'), 2 * 365 * 60 * minute)).toBe(at('2026-12-31T22:00Z'));
});

test('what is no window is told', () => {
  for (const [text, why] of [
    ['20:00-07:00', /write it like/],
    ['20:00-07:00 Mars/Olympus', /Mars\/Olympus/],
    ['24:00-07:00 UTC', /write it like/],
    ['7:00-9:00 UTC', /write it like/],
    ['20:00-20:00 UTC', /all day/],
    ['20:00-07:00 UTC; DROP', /write it like/],
    ['', /write it like/],
  ] as const)
    expect(parseWindow(text)).toMatchObject({
      ok: false,
      error: { code: 'BAD_WINDOW', detail: expect.stringMatching(why) as string },
    });
  fc.assert(
    fc.property(fc.string(), (text) => void parseWindow(text)),
    { seed: 2, numRuns: samples(200, 5000) },
  );
});

/** Equal stretches of time, and how much devices were at work in each. */
import { failed, ok, type Result } from '../../compiler/result.ts';
import type { DeviceUse } from '../../db/devices.ts';
import type { UtilisationBody } from '../schemas/index.ts';

/** Stretches from one time (ms since the epoch) on. */
export interface Spans {
  readonly since: number;
  readonly until: number;
  readonly lengthMs: number;
  readonly count: number;
}
type Bucket = UtilisationBody['items'][number]['buckets'][number];

const minuteMs = 60_000;

/** At most so many between two times (ISO 8601), none shorter than a minute, as minutes are what is known. Failure: BAD_REQUEST. */
export function spansOf(since: string, until: string, most: number): Result<Spans> {
  const [from, to] = [Date.parse(since), Date.parse(until)];
  if (to <= from) return failed('request', 'BAD_REQUEST', `until (${until}) must be later than since (${since})`);
  const lengthMs = Math.max(minuteMs, (to - from) / most);
  return ok({ since: from, until: to, lengthMs, count: Math.min(most, Math.ceil((to - from) / lengthMs)) });
}

/** One device's minutes, summed up by stretch: each minute in the one where it begins, the first one's in the first. */
export function bucketsOf(spans: Spans, use: readonly DeviceUse[]): Bucket[] {
  const { since, lengthMs, count } = spans;
  const buckets = Array.from({ length: count }, (_, i) => ({
    at: new Date(since + i * lengthMs).toISOString(),
    busyMs: 0,
    trials: 0,
    failed: 0,
  }));
  for (const { minute, busyMs, trials, failed: wrong } of use) {
    const at = Math.floor((minute * minuteMs - since) / lengthMs);
    const bucket = buckets[Math.max(0, Math.min(count - 1, at))];
    if (bucket === undefined) continue;
    bucket.busyMs += busyMs;
    bucket.trials += trials;
    bucket.failed += wrong;
  }
  return buckets;
}

/** Wall time as people write it. */
import { failed, ok, type Result } from '../compiler/result.ts';

const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Beyond this nobody waits, and dates end. */
const longest = 3650 * 86_400_000;

/** '90s', '30m', '1.5h' or a number of seconds -> milliseconds, at most ten years. Failure: BAD_TIME. */
export function parseTime(time: string | number): Result<number> {
  const [, digits, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)?$/.exec(String(time).trim()) ?? [];
  const ms = Number(digits) * (units[unit ?? 's'] ?? Number.NaN);
  if (ms > longest) return failed('request', 'BAD_TIME', `"${time}" is too long: at most 3650d`);
  return ms > 0
    ? ok(ms)
    : failed('request', 'BAD_TIME', `"${time}" is no time: write 90s, 30m, 8h, or a number of seconds`);
}

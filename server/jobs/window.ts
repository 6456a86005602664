/**
 * The hours in which a job may run: "20:00-07:00 Europe/Berlin". It is open while a clock on the wall there shows a time from
 * the first to before the second, also on the days when those clocks are changed. Must stay true: `until` is the very next
 * instant at which that changes.
 */
import { DateTime, IANAZone } from 'luxon';
import { failed, ok, type Result } from '../../compiler/result.ts';

export interface Window {
  /** Minutes of the day. */
  readonly from: number;
  readonly to: number;
  readonly zone: IANAZone;
}
export interface WindowState {
  readonly open: boolean;
  /** When it closes, or opens: ms since the epoch. */
  readonly until: number;
}

const minute = 60_000;
const day = 24 * 60;
const form = /^([01]\d|2[0-3]):([0-5]\d)\s*[-–]\s*([01]\d|2[0-3]):([0-5]\d)\s+([A-Za-z][\w+/-]{0,63})$/;

/** A window from outside. Failure: BAD_WINDOW. */
export function parseWindow(text: string): Result<Window> {
  const bad = (why: string): Result<Window> => failed('request', 'BAD_WINDOW', `"${text}" is no daily window: ${why}`);
  const { name, from, to } = partsOf(text);
  if (name === '') return bad('write it like 20:00-07:00 Europe/Berlin');
  // Looked up before a zone is made: those are kept for ever, and anybody may ask for any name.
  if (!IANAZone.isValidZone(name)) return bad(`no time zone is called ${name}`);
  if (from === to) return bad('it begins when it ends; leave it out for all day');
  return ok({ from, to, zone: IANAZone.create(name) });
}
/** A window that was taken before; undefined where this machine does not know its zone any more. */
export function knownWindow(text: string): Window | undefined {
  const { name, from, to } = partsOf(text);
  const zone = IANAZone.create(name);
  return zone.isValid ? { from, to, zone } : undefined;
}
function partsOf(text: string): { readonly name: string; readonly from: number; readonly to: number } {
  const [, h1, m1, h2, m2, name = ''] = form.exec(text.trim()) ?? [];
  return { name, from: Number(h1) * 60 + Number(m1), to: Number(h2) * 60 + Number(m2) };
}

/** Minutes since the last midnight that the clock on the wall shows, with a fraction. */
function wallMinutes({ zone }: Window, at: number): number {
  const { hour, minute: min, second, millisecond } = DateTime.fromMillis(at, { zone });
  return hour * 60 + min + (second + millisecond / 1000) / 60;
}
const isOpen = (w: Window, at: number): boolean => {
  const now = wallMinutes(w, at);
  return w.from < w.to ? w.from <= now && now < w.to : w.from <= now || now < w.to;
};

/** Whether it is open, and until when. */
export function windowAt(w: Window, now: number): WindowState {
  const open = isOpen(w, now);
  // As often as clocks may be changed before it does.
  for (let at = now; ; ) {
    const next = at + Math.round(minutesTo(open ? w.to : w.from, wallMinutes(w, at)) * minute);
    const changed = offsetChange(w, at, next);
    if (changed === undefined) return { open, until: next };
    if (isOpen(w, changed) !== open) return { open, until: changed };
    at = changed;
  }
}

const minutesTo = (wanted: number, now: number): number => (wanted > now ? wanted - now : wanted + day - now);

/** The instant behind `from`, up to `to`, at which clocks of the zone are changed; undefined where they are not. */
function offsetChange({ zone }: Window, from: number, to: number): number | undefined {
  const before = zone.offset(from);
  if (zone.offset(to) === before) return undefined;
  let [same, other] = [from, to];
  while (other - same > 1) {
    const middle = Math.floor((same + other) / 2);
    if (zone.offset(middle) === before) same = middle;
    else other = middle;
  }
  return other;
}

/** When so many milliseconds of work that begins now are done, if work goes on only while the window is open; far ahead within an hour. */
export function doneAt(w: Window, now: number, workMs: number): number {
  const daily = ((w.to - w.from + day) % day) * minute;
  // Days with all hours are taken at once: looking at each would take longer than anybody may wait.
  const days = Math.max(0, Math.floor(workMs / daily) - 3);
  let [at, left] = [now + days * day * minute, workMs - days * daily];
  for (;;) {
    const { open, until } = windowAt(w, at);
    if (open && at + left <= until) return at + left;
    if (open) left -= until - at;
    at = until;
  }
}

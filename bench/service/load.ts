/**
 * Clients by the hundred: reads at a fixed rate, whatever the daemon does meanwhile, and event streams. Must stay true: a read's
 * time begins when it was due, so that a daemon that stands still is seen as what it is.
 */
import { Agent, get as httpGet } from 'node:http';
import { setTimeout as after } from 'node:timers/promises';
import { ownCpuMs } from '../cpu.ts';
import { Lines } from './lines.ts';

/** Times in ms at shares of all, and how many there were. */
export interface Times {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}
export function timesOf(all: readonly number[]): Times {
  const sorted = all.toSorted((a, b) => a - b);
  const at = (share: number): number =>
    Number((sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0).toFixed(1));
  return { count: sorted.length, p50: at(0.5), p99: at(0.99), max: at(1) };
}

export interface Reading {
  readonly times: Times;
  readonly failed: number;
  /** Of one core, that asking itself took. */
  readonly ownShare: number;
}

/** Asks for `paths` in turn, `rate` a second, until told to stop. */
export async function readAtRate(
  url: string,
  paths: readonly string[],
  rate: number,
  stop: AbortSignal,
): Promise<Reading> {
  const lines = new Lines(url, 64);
  const times: number[] = [];
  let failed = 0;
  const [began, cpu] = [performance.now(), ownCpuMs()];
  const pending: Promise<void>[] = [];
  for (let i = 0; !stop.aborted; i++) {
    const due = began + (1000 * i) / rate;
    const wait = due - performance.now();
    if (wait > 1) await after(wait);
    const asked = lines.get(paths[i % paths.length] ?? '/').then((status) => {
      times.push(performance.now() - due);
      if (status !== 200) failed += 1;
    });
    pending.push(asked);
  }
  await Promise.all(pending);
  lines.close();
  const ownShare = (ownCpuMs() - cpu) / (performance.now() - began);
  return { times: timesOf(times), failed, ownShare: Number(ownShare.toFixed(3)) };
}

export interface Watching {
  readonly clients: number;
  /** Until all were connected, ms. */
  readonly connectMs: number;
  /** Events that every one of them got. */
  readonly events: number;
  /** Clients that got other events than the first, or a broken stream. */
  readonly different: number;
  /** From the event's own time to its arrival. */
  readonly delay: Times;
}

/** Follows a job with `count` clients from now to its end. */
export async function watch(url: string, job: string, count: number): Promise<Watching> {
  const agent = new Agent({ keepAlive: false, maxSockets: Number.POSITIVE_INFINITY });
  const began = performance.now();
  const connected: Promise<void>[] = [];
  const delays: number[] = [];
  const ended = Array.from({ length: count }, () => {
    const one = follow(agent, `${url}/v1/jobs/${job}/events`, delays);
    connected.push(one.connected);
    return one.ids;
  });
  await Promise.all(connected);
  const connectMs = Math.round(performance.now() - began);
  const seen = await Promise.all(ended);
  const [first = ''] = seen;
  return {
    clients: count,
    connectMs,
    events: first.split(' ').length,
    different: seen.filter((ids) => ids !== first).length,
    delay: timesOf(delays),
  };
}

interface One {
  readonly connected: Promise<void>;
  /** Of all events, joined. */
  readonly ids: Promise<string>;
}
function follow(agent: Agent, url: string, delays: number[]): One {
  let open: () => void = () => undefined;
  const connected = new Promise<void>((done) => {
    open = done;
  });
  const ids = new Promise<string>((done) => {
    const request = httpGet(url, { agent }, (answer) => {
      open();
      let text = '';
      let since = Date.now();
      answer.on('data', (d: Buffer) => {
        const piece = d.toString();
        text += piece;
        for (const [, at] of piece.matchAll(/"at":"([^"]+)"\}/g)) {
          // What happened before it was connected comes late by nature.
          const happened = Date.parse(at ?? '');
          if (happened >= since) delays.push(Date.now() - happened);
          since = Math.max(since, happened);
        }
      });
      answer.once('close', () => done([...text.matchAll(/^id: (\d+)$/gm)].map((m) => m[1]).join(' ')));
    });
    request.once('error', (error) => {
      open();
      done(`broken: ${error.message}`);
    });
  });
  return { connected, ids };
}

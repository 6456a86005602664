/**
 * A job's events as they come, whatever happens to the connection. Must stay true: every event is handed over once and in
 * order, also when the daemon goes away for a while, comes back, or comes back under another address.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { failed, ok, type Result } from '../../compiler/result.ts';
import type { Client } from './client.ts';

export interface ServerEvent {
  readonly id: number;
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
}
export interface Follow {
  readonly job: string;
  /** Where the daemon is now; asked for again at each attempt. */
  readonly client: () => Pick<Client, 'events'>;
  readonly onEvent: (event: ServerEvent) => void;
  /** True once nothing more will come. */
  readonly over: () => boolean;
  readonly onLost: (why: string) => void;
  readonly signal: AbortSignal;
  /** Milliseconds without a daemon after which to give up. */
  readonly patienceMs: number;
}

/** Waits between attempts, ms: from short to long. */
const waits = [100, 250, 500, 1000, 2000];

/** Ends with the job or the signal. Failures: DAEMON_UNREACHABLE after `patienceMs`, or what the daemon answers. */
export async function follow(f: Follow): Promise<Result<void>> {
  let after = 0;
  let lostAt: number | undefined;
  for (let attempt = 0; ; attempt++) {
    const stream = await f.client().events(f.job, after, f.signal);
    if (stream.ok && stream.value === undefined) return ok(undefined);
    if (stream.ok && stream.value !== undefined) {
      [lostAt, attempt] = [undefined, 0];
      after = await read(stream.value, after, f);
    }
    if (f.over() || f.signal.aborted) return ok(undefined);
    if (!stream.ok && !passing.includes(stream.error.code)) return stream;
    const why = stream.ok ? 'the connection ended' : stream.error.detail;
    if (lostAt === undefined) f.onLost(why);
    lostAt ??= performance.now();
    if (performance.now() - lostAt > f.patienceMs) return givenUp(f, why);
    await pause(waits[Math.min(attempt, waits.length - 1)]);
  }
}

/** What a daemon on its way down or up answers. */
const passing: readonly string[] = ['DAEMON_UNREACHABLE', 'STOPPING'];

const givenUp = (f: Follow, why: string): Result<never> =>
  failed(
    'request',
    'DAEMON_UNREACHABLE',
    `the daemon did not come back within ${Math.round(f.patienceMs / 1000)} s (${why}); job ${f.job} goes on as soon as a daemon runs on its data directory`,
  );

/** Hands over what a connection brings; the id of the last event. */
async function read(stream: ReadableStream<Uint8Array>, from: number, f: Follow): Promise<number> {
  let after = from;
  try {
    for await (const event of parseEvents(stream)) {
      if (event.id <= after) continue;
      after = event.id;
      f.onEvent(event);
      if (f.over()) break;
    }
  } catch {
    // A connection that breaks is one that ends.
  }
  return after;
}

/** Server-sent events: blocks of `field: value` lines; comments and blocks without data are left out. */
export async function* parseEvents(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<ServerEvent> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of chunks) {
    rest += decoder.decode(chunk, { stream: true });
    const blocks = rest.split(/\r?\n\r?\n/);
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      const event = parseBlock(block);
      if (event !== undefined) yield event;
    }
  }
}

function parseBlock(block: string): ServerEvent | undefined {
  const fields = new Map<string, string>();
  for (const line of block.split(/\r?\n/)) {
    const [, name, value] = /^([a-z]+):? ?(.*)$/.exec(line) ?? [];
    if (name === undefined || value === undefined) continue;
    fields.set(name, name === 'data' && fields.has('data') ? `${fields.get('data')}\n${value}` : value);
  }
  const data = fields.get('data');
  if (data === undefined) return undefined;
  return { id: Number(fields.get('id') ?? 0), type: fields.get('event') ?? 'message', data: JSON.parse(data) };
}

/**
 * Events as they come, whatever happens to the connection. Must stay true: every event is handed over once and in order, also
 * when the daemon goes away for a while, comes back, or comes back under another address.
 */
import { failed, ok, type Result } from '../compiler/result.ts';

export interface ServerEvent {
  readonly id: number;
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
}
/** The events behind event `after`; undefined where nothing is left to tell. */
export type OpenEvents = (
  after: number,
  signal: AbortSignal,
) => Promise<Result<ReadableStream<Uint8Array> | undefined>>;

export interface Follow {
  /** Asked for again at each attempt: a daemon that was restarted may be elsewhere. */
  readonly open: OpenEvents;
  /** The last event that was seen; 0: from the beginning. */
  readonly after: number;
  /** True once nothing more will come. */
  readonly over: () => boolean;
  readonly onLost: (why: string) => void;
  readonly signal: AbortSignal;
  /** Milliseconds without a daemon after which to give up. */
  readonly patienceMs: number;
}

/** Waits between attempts, ms: from short to long. */
const waits = [100, 250, 500, 1000, 2000];

/**
 * Events until nothing is left, `over` says so or the signal comes. It returns how that ended. Failures: DAEMON_UNREACHABLE
 * after `patienceMs`, or what the daemon answers.
 */
export async function* follow(f: Follow): AsyncGenerator<ServerEvent, Result<void>> {
  let { after } = f;
  let lostAt: number | undefined;
  for (let attempt = 0; ; attempt++) {
    const stream = await f.open(after, f.signal);
    if (stream.ok && stream.value === undefined) return ok(undefined);
    if (stream.ok && stream.value !== undefined) {
      [lostAt, attempt] = [undefined, 0];
      for await (const event of unbroken(stream.value)) {
        if (event.id <= after) continue;
        after = event.id;
        yield event;
        if (f.over()) return ok(undefined);
      }
    }
    if (f.over() || f.signal.aborted) return ok(undefined);
    if (!stream.ok && !passing.includes(stream.error.code)) return stream;
    const why = stream.ok ? 'the connection ended' : stream.error.detail;
    if (lostAt === undefined) f.onLost(why);
    lostAt ??= performance.now();
    if (performance.now() - lostAt > f.patienceMs) return givenUp(f.patienceMs, why);
    await pause(waits[Math.min(attempt, waits.length - 1)] ?? 0);
  }
}

/** What a daemon on its way down or up answers. */
const passing: readonly string[] = ['DAEMON_UNREACHABLE', 'STOPPING'];
const pause = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

const givenUp = (patienceMs: number, why: string): Result<never> =>
  failed(
    'request',
    'DAEMON_UNREACHABLE',
    `the daemon did not come back within ${Math.round(patienceMs / 1000)} s (${why})`,
  );

/** Events of one connection; one that breaks is one that ends. */
async function* unbroken(stream: ReadableStream<Uint8Array>): AsyncGenerator<ServerEvent> {
  const events = parseEvents(stream);
  try {
    for (;;) {
      const next = await events.next().catch(() => undefined);
      if (next === undefined || next.done === true) return;
      yield next.value;
    }
  } finally {
    // Whoever looks no further lets the connection go.
    await events.return(undefined);
  }
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

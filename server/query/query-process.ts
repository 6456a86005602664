/**
 * One process that runs queries, as the daemon holds it. Must stay true: a question that takes too long costs the process,
 * never the daemon; a process whose daemon is gone ends with its input, or at its CPU limit.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { failed, ok, type Result } from '../../compiler/result.ts';
import { cannotStart } from '../../toolchain/index.ts';
import { type Hello, lineOf, type Mood, type Question, type Reply } from './wire.ts';

/** Rows as JSON, and what is to be known of them. */
export interface QueryAnswer {
  readonly columns: readonly { readonly name: string }[];
  readonly rows: Buffer;
  readonly truncated: boolean;
  /** What the statement took. */
  readonly ms: number;
}

/**
 * MiB of memory that the process may write to; V8 sets about 570 of them aside at once. SQLite as Node has it keeps no count of
 * its memory, so that its own limit would not hold.
 */
const memoryMiB = 768;
const heapMiB = 128;
/** CPU seconds beyond a query's time: for all the queries of a process together. */
const moreSeconds = 10;
/** How long the process may take to start, ms. */
const startMs = 20_000;

/** Limits first, then Node, which may read files and do nothing else outside of itself. */
const script = 'ulimit -d "$1"; ulimit -t "$2"; ulimit -c 0; shift 2; exec "$@"';
const nodeFlags = [
  '--permission',
  '--allow-fs-read=*',
  '--disable-warning=ExperimentalWarning',
  `--max-old-space-size=${heapMiB}`,
];

function launch(file: string, timeMs: number): ChildProcessByStdio<Writable, Readable, null> {
  const seconds = Math.ceil(timeMs / 1000) + moreSeconds;
  const node = [process.execPath, ...nodeFlags, join(import.meta.dirname, 'child.ts'), file];
  return spawn('/bin/sh', ['-c', script, 'sh', String(memoryMiB * 1024), String(seconds), ...node], {
    env: {},
    stdio: ['pipe', 'pipe', 'ignore'],
    // Ctrl-C at the daemon's terminal is the daemon's to answer.
    detached: true,
  });
}

/** Why no answer came. */
type Lost = 'time' | 'ended';

export class QueryProcess {
  private readonly child: ReturnType<typeof launch>;
  private readonly opened: Promise<Result<void>>;
  private chunks: Buffer[] = [];
  private waiting: { take(): boolean; lose(): void } | undefined;
  private over = false;
  /** Why the system did not start it. */
  private refused: Error | undefined;
  private open = false;
  private mood: Mood = 'fresh';

  /** Starts it on a database file. */
  constructor(file: string, timeMs: number) {
    this.child = launch(file, timeMs);
    this.child.stdin.on('error', () => undefined);
    this.child.stdout.on('data', (d: Buffer) => this.heard(d));
    this.child.on('error', (error) => this.ended(error));
    this.child.on('close', () => this.ended());
    this.opened = this.openIt();
  }

  /** No further question is for it. */
  get isOver(): boolean {
    return this.over;
  }
  /** It has started, and answers at once. */
  get isOpen(): boolean {
    return this.open;
  }
  /** It has done enough: another one should take its place. */
  get isTired(): boolean {
    return this.mood !== 'fresh';
  }

  /** One question at a time. Failures: QUERY_REFUSED, QUERY_TIMEOUT, TOO_MANY_PROCESSES, DB_IO. */
  async ask(question: Question, timeMs: number): Promise<Result<QueryAnswer>> {
    const opened = await this.opened;
    if (!opened.ok) return opened;
    this.child.stdin.write(lineOf(question));
    const answer = await this.answer(timeMs, () => this.takeReply());
    if (answer === 'time') return failed('query', 'QUERY_TIMEOUT', `the query was ended after ${timeMs} ms`);
    if (answer === 'ended')
      return failed(
        'query',
        'QUERY_REFUSED',
        'the process that ran the query ended: it needed more memory than a query may have',
      );
    return answer;
  }

  end(): void {
    this.over = true;
    this.child.kill('SIGKILL');
  }

  private async openIt(): Promise<Result<void>> {
    const hello = await this.answer(startMs, () => this.takeLine() as Hello | undefined);
    if (hello === 'time' || hello === 'ended') {
      this.end();
      const code = cannotStart(this.refused) ? 'TOO_MANY_PROCESSES' : 'DB_IO';
      return failed('query', code, 'the process that runs queries did not start');
    }
    if (!hello.ok) this.end();
    this.open = hello.ok;
    return hello.ok ? ok(undefined) : hello;
  }

  /** What `take` makes of what was heard, once it is enough. A process that is late is ended. */
  private answer<T>(timeMs: number, take: () => T | undefined): Promise<T | Lost> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        done('time');
        this.end();
      }, timeMs);
      const done = (value: T | Lost): true => {
        clearTimeout(timer);
        this.waiting = undefined;
        resolve(value);
        return true;
      };
      const tryTake = (): boolean => {
        const taken = take();
        return taken !== undefined && done(taken);
      };
      this.waiting = { take: tryTake, lose: () => done('ended') };
      if (this.over) done('ended');
    });
  }

  private heard(chunk: Buffer): void {
    this.chunks.push(chunk);
    this.waiting?.take();
  }
  private ended(error?: Error): void {
    this.refused ??= error;
    this.over = true;
    this.waiting?.lose();
  }

  /** The first line of what was heard, which is taken off; `behind` bytes must be there too. */
  private takeLine(behind: (line: unknown) => number = () => 0): unknown {
    const newline = this.chunks.findIndex((c) => c.includes(10));
    if (newline < 0) return undefined;
    const head = Buffer.concat(this.chunks.slice(0, newline + 1));
    const end = head.indexOf(10) + 1;
    const line: unknown = JSON.parse(head.toString('utf8', 0, end));
    if (this.chunks.reduce((n, c) => n + c.length, 0) < end + behind(line)) return undefined;
    this.chunks = [Buffer.concat(this.chunks).subarray(end)];
    return line;
  }

  private takeReply(): Result<QueryAnswer> | undefined {
    const rowsOf = (line: unknown): number => ((line as Reply).ok ? (line as Reply & { ok: true }).rows : 0);
    const reply = this.takeLine(rowsOf) as Reply | undefined;
    if (reply === undefined) return undefined;
    this.mood = reply.mood;
    if (reply.mood === 'spent') this.end();
    if (!reply.ok) return { ok: false, error: reply.error };
    const { columns, truncated, ms } = reply;
    const all = Buffer.concat(this.chunks);
    this.chunks = [all.subarray(reply.rows)];
    return ok({ columns, truncated, ms, rows: all.subarray(0, reply.rows) });
  }
}

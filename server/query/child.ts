/**
 * The process that runs queries: `node child.ts DATABASE`. Questions come on standard input, one after another, answers leave
 * on standard output (wire.ts). It ends when its input does. Must stay true: it holds nothing worth having; whoever
 * started it may kill it at any moment.
 */
import { setPriority } from 'node:os';
import { performance } from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import { type GuardedDatabase, openGuarded } from '../../db/guarded.ts';
import { logViews } from '../../db/views.ts';
import type { Hello, Question, Reply } from './wire.ts';

/** CPU time and memory after which a fresh process is the better one. */
const enough = { cpuMs: 5000, bytes: 256 * 2 ** 20 };
/** The tuner's compilers and emulators come first. */
const niceness = 10;

function isTired(): boolean {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000 > enough.cpuMs || process.memoryUsage.rss() > enough.bytes;
}

const say = (line: Hello | Reply, rows = ''): void => void process.stdout.write(`${JSON.stringify(line)}\n${rows}`);

function answer(db: GuardedDatabase, { sql, params, ...limits }: Question): void {
  const since = performance.now();
  const ran = db.run(sql, params, limits);
  const ms = Math.round(1000 * (performance.now() - since)) / 1000;
  const last = isTired();
  if (!ran.ok) return say({ ...ran, last });
  const { rows, ...rest } = ran.value;
  say({ ok: true, ...rest, ms, rows: Buffer.byteLength(rows), last }, rows);
}

function start(file: string): void {
  setPriority(niceness);
  let db: GuardedDatabase;
  try {
    db = openGuarded(file, logViews);
  } catch (error) {
    const detail = `${file}: ${error instanceof Error ? error.message : String(error)}`;
    return say({ ok: false, error: { stage: 'query', code: 'DB_IO', detail } });
  }
  say({ ok: true });
  createInterface({ input: process.stdin }).on('line', (line) => answer(db, JSON.parse(line) as Question));
}

start(process.argv[2] ?? '');

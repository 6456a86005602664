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
import type { Hello, Mood, Question, Reply } from './wire.ts';

/** CPU time after which another process is wanted, and after which this one ends; memory after which it ends. */
const [tiredMs, spentMs, spentBytes] = [5000, 7500, 256 * 2 ** 20] as const;
/** The tuner's compilers and emulators come first. */
const niceness = 10;

function mood(): Mood {
  const { user, system } = process.cpuUsage();
  const cpuMs = (user + system) / 1000;
  if (cpuMs > spentMs || process.memoryUsage.rss() > spentBytes) return 'spent';
  return cpuMs > tiredMs ? 'tired' : 'fresh';
}

const say = (line: Hello | Reply, rows = ''): void => void process.stdout.write(`${JSON.stringify(line)}\n${rows}`);

function answer(db: GuardedDatabase, { sql, params, ...limits }: Question): void {
  const since = performance.now();
  const ran = db.run(sql, params, limits);
  const ms = Math.round(1000 * (performance.now() - since)) / 1000;
  if (!ran.ok) return say({ ...ran, mood: mood() });
  const { rows, ...rest } = ran.value;
  say({ ok: true, ...rest, ms, rows: Buffer.byteLength(rows), mood: mood() }, rows);
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

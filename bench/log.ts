/**
 * How fast is a log of a million trials? Fills a database through the same path as imports do, then asks a daemon on it everything
 * that docs/log.md names, over HTTP: by the clock, and the CPU's time, which tells more on a machine that others use too. Writes bench/results/log.json. `npm run bench:log [-- --trials N --job N --seed S --runs N]`.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openStore, type Store, type TuningRecord } from '../db/index.ts';
import { ownCpuMs } from './cpu.ts';
import { farmOfRecords, putNetworks, trialsOf } from './log/farm.ts';
import { type Read, readsOf } from './log/reads.ts';
import { type BenchDaemon, daemonOn } from './service/daemon.ts';
import { timesOf } from './service/load.ts';
import { resultsDir } from './session.ts';

const { values } = parseArgs({
  options: {
    trials: { type: 'string', default: '1000000' },
    job: { type: 'string', default: '16000' },
    seed: { type: 'string', default: '1' },
    runs: { type: 'string', default: '20' },
  },
});
const [trials, perJob, seed, runs] = [values.trials, values.job, values.seed, values.runs].map(Number) as [
  number,
  number,
  number,
  number,
];
/** Records of one transaction, as an import takes them. */
const batch = 1000;
/** Trials that are appended one by one, as a job does. */
const single = 500;
const doubts = 500;

const dir = mkdtempSync(join(tmpdir(), 'microtune-log-'));
process.once('exit', () => rmSync(dir, { recursive: true, force: true }));
const ms = (since: number): number => performance.now() - since;

function opened(): Store {
  const store = openStore({ dir }, { mode: 'write' });
  if (!store.ok) throw new Error(store.error.detail);
  return store.value;
}

/** Rates of appending, per second: in batches (also per second of CPU), and one durable trial at a time. */
function fill(store: Store) {
  const farm = farmOfRecords();
  putNetworks(store, farm);
  let [spent, cpu, made] = [0, 0, 0];
  let pending: TuningRecord[] = [];
  const flush = (): void => {
    const [began, cpuBegan] = [performance.now(), ownCpuMs()];
    made += store.mergeRecords(pending).added;
    spent += ms(began);
    cpu += ownCpuMs() - cpuBegan;
    if (made % 100_000 === 0) console.log(`${made} trials, ${Math.round((1000 * made) / spent)}/s`);
    pending = [];
  };
  for (const trial of trialsOf(store, farm, trials, perJob, seed)) if (pending.push(trial) === batch) flush();
  if (pending.length > 0) flush();
  return {
    batched: Math.round((1000 * made) / spent),
    batchedByCpu: Math.round((1000 * made) / cpu),
    ...appendOneByOne(store),
  };
}

function appendOneByOne(store: Store) {
  const { items } = store.records({}, single, undefined, '-at');
  let began = performance.now();
  for (const { id: _, at: __, doubt: ___, ...trial } of items) store.addRecord(trial);
  const singly = Math.round((1000 * items.length) / ms(began));
  began = performance.now();
  for (const { id } of items.slice(0, doubts)) store.doubt(id, 'its device failed the next health check');
  return { singly, doubtMs: ms(began) / doubts };
}

/** A daemon on the directory that was there before, and how long it took from its start to its first page of records. */
async function restart() {
  // The first one after a change of the program also translates it.
  await (await daemonOn(dir)).end();
  const began = performance.now();
  const daemon = await daemonOn(dir);
  await ask(daemon.url, { name: 'first page', path: '/v1/records' });
  return { daemon, restartMs: ms(began), restartCpuMs: daemon.cpuMs() };
}

async function ask(url: string, { name, path, body }: Read): Promise<number> {
  const began = performance.now();
  const post = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
  const answer = await fetch(`${url}${path}`, body === undefined ? {} : post);
  const { length } = await answer.text();
  if (!answer.ok) throw new Error(`${name}: ${answer.status} ${path}`);
  return length === 0 ? 0 : ms(began);
}

async function time({ url, cpuMs }: BenchDaemon, read: Read) {
  await ask(url, read);
  const all: number[] = [];
  const cpu = cpuMs();
  for (let i = 0; i < runs; i++) all.push(await ask(url, read));
  const { p50, p99 } = timesOf(all);
  return { name: read.name, p50, p99, cpu: Number(((cpuMs() - cpu) / runs).toFixed(1)) };
}

const first = opened();
const insert = fill(first);
first.close();
const began = performance.now();
const store = opened();
store.records({}, 100);
const openMs = ms(began);
const size = store.log.size();
const reads = readsOf(store);
store.close();
const { daemon, restartMs, restartCpuMs } = await restart();
const times = [];
for (const read of reads) {
  times.push(await time(daemon, read));
  const last = times.at(-1);
  console.log(`${last?.p50} ms, ${last?.p99} ms, CPU of the daemon ${last?.cpu} ms: ${read.name}`);
}
await daemon.end();

const result = {
  cpu: cpus()[0]?.model ?? '',
  cores: cpus().length,
  trials: size.trials,
  insertsPerSecond: { batched: insert.batched, batchedByCpu: insert.batchedByCpu, singly: insert.singly },
  doubtMs: Number(insert.doubtMs.toFixed(2)),
  bytesPerTrial: Math.round(size.bytes / size.trials),
  openMs: Math.round(openMs),
  restartMs: Math.round(restartMs),
  restartCpuMs,
  slowest: times.toSorted((a, b) => b.p99 - a.p99).slice(0, 3),
  reads: times,
};
mkdirSync(resultsDir, { recursive: true });
writeFileSync(join(resultsDir, 'log.json'), `${JSON.stringify(result, null, 2)}\n`);
console.log(JSON.stringify({ ...result, reads: `${times.length} of them` }, null, 2));

/**
 * What does the service cost, and what does it stand? A job alone; the same job beside reads of records at a fixed rate; beside
 * many event streams; and the daemon's memory over many trials. Writes bench/results/service.json: of parts that are not asked for
 * it keeps what is there.
 * `npm run bench:service [-- --part reads|streams|memory … --trials N --runs N --rate N --clients N --memory-trials N
 * --memory-time T --board B]`.
 * bench/log.ts has the restart with a large log.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { JobBody } from '../server/schemas/index.ts';
import { type BenchDaemon, benchDaemon } from './service/daemon.ts';
import { type Reading, readAtRate, watch } from './service/load.ts';
import { must, resultsDir } from './session.ts';

const { values } = parseArgs({
  options: {
    part: { type: 'string', multiple: true, default: ['reads', 'streams', 'memory'] },
    trials: { type: 'string', default: '400' },
    runs: { type: 'string', default: '3' },
    rate: { type: 'string', default: '200' },
    clients: { type: 'string', default: '1000' },
    'memory-trials': { type: 'string', default: '20000' },
    'memory-time': { type: 'string' },
    board: { type: 'string', default: 'mps2-an386' },
  },
});
const { board } = values;
const [trials, runs, rate, clients, memoryTrials] = [
  values.trials,
  values.runs,
  values.rate,
  values.clients,
  values['memory-trials'],
].map(Number) as [number, number, number, number, number];
const file = resolve(import.meta.dirname, '../examples/bearing-fault/bearing-fault.tflite');

async function start(d: BenchDaemon, seed: number, count: number, time?: string): Promise<JobBody> {
  const model = must(await d.client.uploadModel(readFileSync(file), basename(file)));
  return must(
    await d.client.addJob({ model: model.id, board, trials: count, seed, ...(time !== undefined && { time }) }),
  );
}
async function ended(d: BenchDaemon, job: JobBody): Promise<JobBody> {
  for await (const _ of d.client.events(job.id));
  const end = must(await d.client.job(job.id));
  if (end.state !== 'done') throw new Error(`the job is ${end.state}: ${end.error?.detail}`);
  return end;
}
/** Trials a second of the search, from its first record to its last. */
async function rateOf(d: BenchDaemon, job: JobBody): Promise<number> {
  const at: number[] = [];
  for await (const r of d.client.eachRecord({ job: job.id })) at.push(Date.parse(r.at));
  return (at.length - 1) / ((Math.max(...at) - Math.min(...at)) / 1000);
}

/** A job on an empty farm of its own, with something beside it. */
async function jobBeside<T>(seed: number, beside: (d: BenchDaemon, job: JobBody, over: AbortSignal) => Promise<T>) {
  const d = await benchDaemon();
  const job = await start(d, seed, trials);
  const over = new AbortController();
  const what = beside(d, job, over.signal);
  await ended(d, job);
  over.abort();
  const cpuMs = d.cpuMs();
  const [result, perSecond] = [await what, await rateOf(d, job)];
  await d.end();
  return { result, perSecond, cpuMs };
}

/** Pages of the log as a page or a script asks for them. */
const pathsOf = (job: JobBody): readonly string[] => [
  `/v1/records?job=${job.id}&limit=20`,
  '/v1/records?limit=20&status=ok',
  `/v1/records?board=${board}&limit=20&sort=cycles`,
  `/v1/jobs/${job.id}`,
];

const median = (all: readonly number[]): number => all.toSorted((a, b) => a - b)[Math.floor(all.length / 2)] ?? 0;
const rounded = (x: number, digits = 2): number => Number(x.toFixed(digits));

/** Alone and beside reads by turns, so that what else the machine does meets both. */
async function readsBeside() {
  const [alone, beside, readings]: [number[], number[], Reading[]] = [[], [], []];
  const cpu: { readonly aloneMs: number; readonly perRead: number }[] = [];
  for (let run = 0; run < runs; run++) {
    const quiet = await jobBeside(run, async () => undefined);
    alone.push(quiet.perSecond);
    const { result, perSecond, cpuMs } = await jobBeside(run, (d, job, over) =>
      readAtRate(d.url, pathsOf(job), rate, over),
    );
    beside.push(perSecond);
    readings.push(result);
    cpu.push({ aloneMs: quiet.cpuMs, perRead: rounded((cpuMs - quiet.cpuMs) / result.times.count) });
    console.log(
      `alone ${alone.at(-1)?.toFixed(2)}/s, beside reads ${perSecond.toFixed(2)}/s, p99 ${result.times.p99} ms`,
    );
  }
  const [a, b] = [median(alone), median(beside)];
  return {
    trials,
    runs,
    rate,
    trialsPerSecond: { alone: rounded(a), beside: rounded(b) },
    lossPercent: rounded(100 * (1 - b / a), 1),
    /** Of the daemon: for the job alone, and what each read took beyond that. */
    cpu,
    readings,
  };
}

/** Resident memory in each tenth of a long job, which ends at `memory-time` at the latest. Garbage comes and goes: the median tells. */
async function memory() {
  const d = await benchDaemon();
  const job = await start(d, 1, memoryTrials, values['memory-time']);
  const seen: { readonly done: number; readonly mebibytes: number }[] = [];
  for await (const { type, data } of d.client.events(job.id)) {
    const { done } = type === 'progress' ? (data as unknown as JobBody).trials : { done: 0 };
    if (done > (seen.at(-1)?.done ?? 0)) seen.push({ done, mebibytes: rounded(d.rss() / 2 ** 20, 1) });
  }
  const { state, trials: made, error } = must(await d.client.job(job.id));
  if (state !== 'done') throw new Error(`the job is ${state}: ${error?.detail}`);
  await d.end();
  const byTenth = Map.groupBy(seen, (s) => Math.ceil((10 * s.done) / made.done));
  const tenths = [...byTenth.values()].map((some) => median(some.map((s) => s.mebibytes)));
  // The first tenth fills caches and compiles code. The spread is how far the others are from the middle of their range.
  const settled = tenths.slice(1);
  const most = Math.max(...seen.map((s) => s.mebibytes));
  const [low, high] = [Math.min(...settled), Math.max(...settled)];
  return { trials: made.done, mebibytes: tenths, most, spreadPercent: rounded((100 * (high - low)) / (high + low), 1) };
}

async function streamsBeside() {
  const { result } = await jobBeside(1, (d, job) => watch(d.url, job.id, clients));
  console.log(`${result.clients} streams: connected in ${result.connectMs} ms, delay p99 ${result.delay.p99} ms`);
  return { trials, ...result };
}

const parts: Readonly<Record<string, () => Promise<unknown>>> = {
  reads: readsBeside,
  streams: streamsBeside,
  memory,
};
const path = join(resultsDir, 'service.json');
const before = existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as object) : {};
const made: Record<string, unknown> = {};
for (const part of values.part) {
  const make = parts[part];
  if (make === undefined) throw new Error(`no part ${part}`);
  made[part] = await make();
}
const about = { cpu: cpus()[0]?.model ?? '', cores: cpus().length, board, model: basename(file) };
const kept = Object.entries(before).filter(([part]) => part in parts);
const result = { ...about, ...Object.fromEntries(kept), ...made };
mkdirSync(resultsDir, { recursive: true });
writeFileSync(path, `${JSON.stringify(result, null, 2)}\n`);
console.log(JSON.stringify(result, null, 2));

/**
 * How fast are trials? A whole job on kws through a daemon of its own: HTTP, database, emulated boards, an empty build cache.
 * Counts distinct binaries that were compiled, loaded, run and verified. Writes bench/results/trials.json.
 * `npm run bench:trials [-- --model FILE --board B --trials N --seed S]`.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { TuningRecord } from '../db/types.ts';
import type { JobBody, ModelBody } from '../server/schemas/index.ts';
import { modelsDir } from '../test/models.ts';

const program = resolve(import.meta.dirname, '../bin/microtune.js');

/** The daemon and the URL that it prints. */
function serve(data: string): Promise<{ readonly child: ChildProcess; readonly url: string }> {
  const child = spawn(process.execPath, [program, 'serve', '--port', '0', '--data', data], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return new Promise((done, fail) => {
    let text = '';
    child.stdout.on('data', (d: Buffer) => {
      text += d.toString();
      const url = /http:\/\/[^\s"]+/.exec(text)?.[0];
      if (url !== undefined) done({ child, url });
    });
    child.on('exit', (code) => fail(new Error(`the daemon ended with ${code}: ${text}`)));
  });
}

async function get<T>(url: string, init?: RequestInit): Promise<T> {
  const answer = await fetch(url, init);
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${await answer.text()}`);
  return (await answer.json()) as T;
}

/** Runs a job to its end; seconds from its start to its end. */
async function runJob(url: string, model: Uint8Array, request: object): Promise<JobBody> {
  const uploaded = await get<ModelBody>(`${url}/v1/models?name=bench`, {
    method: 'POST',
    headers: { 'content-type': 'application/octet-stream' },
    body: Buffer.from(model),
  });
  const { id } = await get<JobBody>(`${url}/v1/jobs`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ...request, model: uploaded.id }),
  });
  for (;;) {
    const job = await get<JobBody>(`${url}/v1/jobs/${id}`);
    if (job.state === 'done') return job;
    if (job.state !== 'queued' && job.state !== 'running')
      throw new Error(`the job is ${job.state}: ${job.error?.detail}`);
    await new Promise((r) => setTimeout(r, 500));
  }
}

async function recordsOf(url: string, job: string): Promise<readonly TuningRecord[]> {
  const all: TuningRecord[] = [];
  for (let cursor: string | null = ''; cursor !== null; ) {
    const page: { items: TuningRecord[]; next: string | null } = await get(
      `${url}/v1/records?job=${job}&limit=1000${cursor === '' ? '' : `&cursor=${cursor}`}`,
    );
    all.push(...page.items);
    cursor = page.next;
  }
  return all;
}

function summary(job: JobBody, records: readonly TuningRecord[]) {
  const measured = records.filter((r) => r.reusedFrom === null);
  const verified = measured.filter((r) => r.status === 'ok');
  const distinct = new Set(verified.map((r) => r.binary)).size;
  const ms = (a: string | null, b: string | null): number => Date.parse(b ?? '') - Date.parse(a ?? '');
  const seconds = ms(job.startedAt, job.endedAt) / 1000;
  const search = ms(records[0]?.at ?? null, records.at(-1)?.at ?? null) / 1000;
  const total: Record<string, number> = {};
  for (const r of measured) for (const [stage, t] of Object.entries(r.times)) total[stage] = (total[stage] ?? 0) + t;
  const all = Object.values(total).reduce((n, t) => n + t, 0);
  const bytes = (part: 'code' | 'constants' | 'rest'): number =>
    Math.round(verified.reduce((n, r) => n + (r.bytes?.[part] ?? 0), 0) / verified.length);
  return {
    trials: records.length,
    reused: records.length - measured.length,
    failed: measured.length - verified.length,
    distinctVerifiedBinaries: distinct,
    wholeJobSeconds: seconds,
    searchSeconds: search,
    verifiedPerSecondWholeJob: Number((distinct / seconds).toFixed(2)),
    verifiedPerSecondSearch: Number((distinct / search).toFixed(2)),
    stageShares: Object.fromEntries(Object.entries(total).map(([s, t]) => [s, Number((t / all).toFixed(3))])),
    stageMsPerTrial: Object.fromEntries(
      Object.entries(total).map(([s, t]) => [s, Number((t / measured.length).toFixed(1))]),
    ),
    bytesPerTrial: { code: bytes('code'), constants: bytes('constants'), rest: bytes('rest') },
    cycles: job.cycles,
  };
}

const { values } = parseArgs({
  options: {
    model: { type: 'string', default: join(modelsDir, 'kws_int8.tflite') },
    models: { type: 'string' },
    board: { type: 'string', default: 'mps2-an386' },
    trials: { type: 'string', default: '400' },
    seed: { type: 'string', default: '1' },
  },
});
const data = mkdtempSync(join(tmpdir(), 'microtune-bench-'));
const { child, url } = await serve(data);
try {
  const job = await runJob(url, readFileSync(values.model), {
    board: values.board,
    trials: Number(values.trials),
    seed: Number(values.seed),
  });
  const records = await recordsOf(url, job.id);
  const result = { board: values.board, kind: job.kind, cores: cpus().length, ...summary(job, records) };
  const dir = resolve(import.meta.dirname, 'results');
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, 'trials.json'), `${JSON.stringify(result, null, 2)}\n`);
  console.log(JSON.stringify(result, null, 2));
} finally {
  child.removeAllListeners('exit');
  const ended = new Promise((r) => child.once('exit', r));
  child.kill('SIGTERM');
  await ended;
  rmSync(data, { recursive: true, force: true });
}

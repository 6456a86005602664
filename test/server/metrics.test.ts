/** What Prometheus, a load balancer and a person at the log are told. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { StoreError } from '../../db/index.ts';
import { openLog } from '../../server/log.ts';
import type { ReadyBody } from '../../server/schemas/index.ts';
import { Random } from '../unit/random.ts';
import type { Bench } from './bench.ts';
import { openBenchStore, recordWith, startBench } from './bench.ts';

/** Samples by name and labels. */
async function metricsOf(b: Bench): Promise<ReadonlyMap<string, number>> {
  const answer = await b.get('/metrics');
  expect(answer.headers['content-type']).toMatch(/^text\/plain; version=0\.0\.4/);
  const lines = answer.body.split('\n').filter((l) => l !== '' && !l.startsWith('#'));
  return new Map(lines.map((l) => [l.slice(0, l.lastIndexOf(' ')), Number(l.slice(l.lastIndexOf(' ') + 1))]));
}

test('trials, jobs, devices, requests and sizes are counted', async () => {
  const b = await startBench();
  await b.submit();
  b.store.addRecord(recordWith({ times: { compile: 80, run: 40 } }));
  const failed = { status: 'failed', stage: 'run', code: 'FAULT', detail: 'x', cycles: null, repeats: null } as const;
  b.store.addRecord(recordWith({ ...failed, times: { compile: 90 } }));
  const m = await metricsOf(b);
  const board = 'board="mps2-an386"';
  expect(m.get(`microtune_trials_total{${board},status="ok",stage="",code=""}`)).toBe(1);
  expect(m.get(`microtune_trials_total{${board},status="failed",stage="run",code="FAULT"}`)).toBe(1);
  expect(m.get(`microtune_trial_stage_seconds_sum{${board},stage="compile"}`)).toBeCloseTo(0.17, 9);
  expect(m.get(`microtune_trial_stage_seconds_count{${board},stage="run"}`)).toBe(1);
  expect(m.get('microtune_jobs{state="running"}')).toBe(1);
  expect(m.get('microtune_queue_length{queue="jobs"}')).toBe(0);
  expect(m.get('microtune_devices{state="closed"}')).toBeGreaterThan(0);
  expect(m.get('microtune_http_request_seconds_count{method="POST",route="/v1/models",status="201"}')).toBe(1);
  expect(m.get('microtune_database_bytes{file="database"}')).toBe(0);
});

test('labels come from routes and codes, never from what a client typed', async () => {
  const b = await startBench();
  for (let i = 0; i < 20; i++) {
    await b.get(`/v1/jobs/j-${i}`);
    await b.get(`/nowhere/${i}`);
  }
  const requests = [...(await metricsOf(b)).keys()].filter((k) => k.startsWith('microtune_http_request_seconds_count'));
  expect(requests.toSorted()).toEqual([
    'microtune_http_request_seconds_count{method="GET",route="/v1/jobs/:id",status="404"}',
    'microtune_http_request_seconds_count{method="GET",route="none",status="404"}',
  ]);
});

test('ready while the database can be written; else with the reason', async () => {
  const store = openBenchStore();
  let full = false;
  const b = await startBench({
    ...store,
    probe: () => {
      if (full) throw new StoreError({ stage: 'record', code: 'DISK_FULL', detail: 'no room left' });
      store.probe();
    },
  });
  const ready = async () => {
    const answer = await b.get('/readyz');
    return [answer.statusCode, answer.json<ReadyBody>().reasons.map((r) => r.code)];
  };
  expect(await ready()).toEqual([200, []]);
  full = true;
  expect(await ready()).toEqual([503, ['DISK_FULL']]);
  full = false;
  await b.jobs.stop(0);
  expect(await ready()).toEqual([503, ['STOPPING']]);
});

function logFolder(): string {
  const dir = mkdtempSync(join(tmpdir(), 'microtune-log-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

test('the log stays within bounds, whole lines in order, the youngest kept', () => {
  const dir = logFolder();
  const bounds = { bytes: 2000, old: 3 };
  const r = new Random(1);
  for (let start = 0; start < 3; start++) {
    const log = openLog(dir, 'silent', bounds);
    for (let i = 0; i < 100; i++) log.info({ n: start * 100 + i, text: 'x'.repeat(r.int(0, 300)) }, 'line');
  }
  const files = readdirSync(dir).toSorted();
  expect(files).toEqual(['log', 'log.1', 'log.2', 'log.3']);
  for (const f of files) expect(statSync(join(dir, f)).size).toBeLessThanOrEqual(bounds.bytes);
  const numbers = ['log.3', 'log.2', 'log.1', 'log'].flatMap((f) =>
    readFileSync(join(dir, f), 'utf8')
      .trimEnd()
      .split('\n')
      .map((l) => (JSON.parse(l) as { n: number }).n),
  );
  expect(numbers).toEqual(Array.from({ length: numbers.length }, (_, i) => 300 - numbers.length + i));
});

test('a line is one line, whatever is said in it', () => {
  const dir = logFolder();
  const log = openLog(dir, 'silent');
  const nasty = ['a\nb', '{"level":60,"msg":"forged"}\n{', '\u2028', '\u001b[31m', '\u0000', '"},{"', '\r\n'];
  for (const text of nasty) log.info({ name: text, [text]: 1 }, text);
  const lines = readFileSync(join(dir, 'log'), 'utf8').trimEnd().split('\n');
  expect(lines.map((l) => (JSON.parse(l) as { name: string; msg: string }).msg)).toEqual(nasty);
  expect(readFileSync(join(dir, 'log')).filter((byte) => byte < 0x20 && byte !== 0x0a)).toHaveLength(0);
});

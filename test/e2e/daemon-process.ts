/** The daemon as a process of its own, as `microtune serve` starts it: what it says, what it leaves behind, and how it dies. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, onTestFinished } from 'vitest';
import type { JobBody, JobRequest, ModelBody, RecordBody, RecordPage } from '../../server/schemas/index.ts';
import { smallModel } from '../server/model.ts';

const launcher = resolve(import.meta.dirname, '../../bin/microtune.js');

export interface DaemonProcess {
  readonly url: string;
  readonly pid: number;
  get<T>(path: string): Promise<T>;
  post<T>(path: string, body?: unknown): Promise<T>;
  upload(bytes: Uint8Array): Promise<ModelBody>;
  /** Its exit code, once it has ended. */
  readonly ended: Promise<number | null>;
  /** What it said on standard error so far. */
  said(): string;
  /** Ends it and waits until it is gone: its exit code, null after SIGKILL. */
  end(signal: 'SIGKILL' | 'SIGTERM'): Promise<number | null>;
}
interface Started {
  readonly child: ChildProcess;
  readonly exited: Promise<number | null>;
  /** What it said on standard error so far. */
  said(): string;
}

/** A data directory that goes with the test. */
export function dataDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'microtune-daemon-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

function start(dir: string, args: readonly string[], env: NodeJS.ProcessEnv): Started {
  const all = [launcher, 'serve', '--port', '0', '--data', dir, '--json', ...args];
  const child = spawn(process.execPath, all, { stdio: ['ignore', 'pipe', 'pipe'], env });
  let said = '';
  child.stderr.on('data', (d: Buffer) => {
    said += d.toString();
  });
  const exited = new Promise<number | null>((done) => child.once('close', (code) => done(code)));
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await exited;
  });
  return { child, exited, said: () => said };
}

/** A daemon that listens. `env`: instead of this process's. */
export async function startDaemonProcess(
  dir: string,
  args: readonly string[] = [],
  env: NodeJS.ProcessEnv = process.env,
): Promise<DaemonProcess> {
  const { child, exited, said } = start(dir, args, env);
  const line = await new Promise<string>((found, lost) => {
    if (child.stdout !== null) createInterface({ input: child.stdout }).once('line', found);
    void exited.then((code) => lost(new Error(`the daemon ended with ${code}: ${said()}`)));
  });
  const { url } = JSON.parse(line) as { readonly url: string };
  const call = async <T>(path: string, init: RequestInit): Promise<T> =>
    (await fetch(`${url}${path}`, init)).json() as T;
  // A connection that was kept may be closed in the very moment at which it is used again; that of a dead daemon stays closed.
  const get = <T>(path: string): Promise<T> =>
    call<T>(path, {}).catch((error: Error) => {
      if (child.exitCode === null && child.signalCode === null) return call<T>(path, {});
      throw new Error(`the daemon ended with ${child.exitCode ?? child.signalCode}: ${said()}`, { cause: error });
    });
  return {
    url,
    pid: child.pid ?? 0,
    get,
    post: (path, body) =>
      call(path, {
        method: 'POST',
        ...(body !== undefined && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
      }),
    upload: (bytes) =>
      call('/v1/models?name=small.tflite', {
        method: 'POST',
        headers: { 'content-type': 'application/octet-stream' },
        body: Buffer.from(bytes),
      }),
    ended: exited,
    said,
    end(signal) {
      child.kill(signal);
      return exited;
    },
  };
}

/** A daemon that does not come up: its exit code and what it said. */
export async function refusedDaemon(
  dir: string,
  args: readonly string[] = [],
): Promise<{ readonly code: number | null; readonly said: string }> {
  const { exited, said } = start(dir, args, process.env);
  const code = await exited;
  return { code, said: said() };
}

/** Looks until there is an answer; fails after a time that no healthy run needs. */
export async function until<T>(what: string, look: () => Promise<T | undefined>, limitMs = 120_000): Promise<T> {
  const end = performance.now() + limitMs;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (performance.now() > end) throw new Error(`waited in vain until ${what}`);
    await new Promise((done) => setTimeout(done, 25));
  }
}

/** A job on a small model: random search on an emulated Cortex-M4, but for what is asked otherwise. */
export async function submit(d: DaemonProcess, asked: Partial<JobRequest>): Promise<JobBody> {
  const { id: model } = await d.upload(smallModel(1));
  return d.post('/v1/jobs', { model, board: 'mps2-an386', seed: 3, policy: 'random', ...asked });
}
export const ended = (d: DaemonProcess, job: string): Promise<JobBody> =>
  until('the job has ended', async () => {
    const body = await d.get<JobBody>(`/v1/jobs/${job}`);
    return body.endedAt === null ? undefined : body;
  });
export async function recordsOf(d: DaemonProcess, job: string): Promise<readonly RecordBody[]> {
  return (await d.get<RecordPage>(`/v1/records?job=${job}&limit=1000`)).items;
}
export const measured = (d: DaemonProcess, job: string, count: number): Promise<readonly RecordBody[]> =>
  until(`${count} trials are recorded`, async () => {
    const records = await recordsOf(d, job);
    return records.length >= count ? records : undefined;
  });

/**
 * Each binary of a task has one measurement, all others say whose they took, and that one is there; a link that broke measured nothing.
 * The records that took over none.
 */
export function expectMeasuredOnce(records: readonly RecordBody[]): readonly RecordBody[] {
  const own = records.filter((r) => r.reusedFrom === null);
  const measurements = own.filter((r) => r.binary !== null && r.code !== 'LINK');
  expect(measurements.length).toBeGreaterThan(0);
  expect(new Set(measurements.map((r) => `${r.task} ${r.binary}`)).size).toBe(measurements.length);
  const ids = new Set(records.map((r) => r.id));
  expect(ids.size).toBe(records.length);
  for (const r of records) if (r.reusedFrom !== null) expect(ids).toContain(r.reusedFrom);
  return own;
}

/** Process ids of live processes whose command is like this and names a place below a folder. */
function processesOf(dir: string, like: RegExp): readonly number[] {
  return readdirSync('/proc')
    .filter((p) => /^\d+$/.test(p))
    .map(Number)
    .filter((pid) => {
      try {
        const args = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
        const zombie = / Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
        return like.test(args) && args.includes(dir) && !zombie;
      } catch {
        // It ended while we looked.
        return false;
      }
    });
}
/** Process ids of live emulators that run firmware below a folder. */
export const emulatorsOf = (dir: string): readonly number[] => processesOf(dir, /^qemu-system-arm\0/);
/** Process ids of live compilers that work for a data directory. */
export const compilersOf = (dir: string): readonly number[] => processesOf(join(dir, 'cache'), /\/(cc1|as)\0|gcc\0/);

/** A daemon of its own for a bench, and what the system says of its process. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { Client } from '../../client/index.ts';
import { cpuMsOf } from '../cpu.ts';

const program = resolve(import.meta.dirname, '../../bin/microtune.js');

export interface BenchDaemon {
  readonly url: string;
  readonly client: Client;
  /** Resident memory, bytes. */
  rss(): number;
  /** CPU that it took since its start, without its compilers and emulators, ms. */
  cpuMs(): number;
  end(): Promise<void>;
}

/** In a new data directory, which goes with it. */
export async function benchDaemon(): Promise<BenchDaemon> {
  const dir = mkdtempSync(join(tmpdir(), 'microtune-service-'));
  const daemon = await daemonOn(dir);
  return {
    ...daemon,
    async end() {
      await daemon.end();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** Exits, so that the daemons that are there are ended by what hears of it. */
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

export async function daemonOn(dir: string): Promise<BenchDaemon> {
  const args = [program, 'serve', '--port', '0', '--data', dir, '--json', '--log-level', 'silent'];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  process.once('exit', () => child.kill('SIGKILL'));
  const url = await addressOf(child);
  return {
    url,
    client: new Client(url),
    rss: () => rssOf(child.pid ?? 0),
    cpuMs: () => cpuMsOf(child.pid ?? 0),
    async end() {
      const ended = new Promise((done) => child.once('exit', done));
      child.kill('SIGTERM');
      await ended;
    },
  };
}

function addressOf(child: ChildProcess): Promise<string> {
  return new Promise((found, lost) => {
    if (child.stdout !== null)
      createInterface({ input: child.stdout }).once('line', (line) => found((JSON.parse(line) as { url: string }).url));
    child.once('exit', (code) => lost(new Error(`the daemon ended with ${code}`)));
  });
}

const rssOf = (pid: number): number =>
  1024 * Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);

/** A second host: Redis and `microtune worker` as processes of their own, on this machine. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { onTestFinished } from 'vitest';
import { until } from './daemon-process.ts';

const launcher = resolve(import.meta.dirname, '../../bin/microtune.js');

interface Talking {
  readonly child: ChildProcess;
  said(): string;
  /** Its exit code. */
  readonly ended: Promise<number | null>;
}
function talking(command: string, args: readonly string[]): Talking {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (d: Buffer) => {
      said += d.toString();
    });
  const ended = new Promise<number | null>((done) => child.once('close', done));
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  return { child, said: () => said, ended };
}

export interface Redis {
  readonly url: string;
  kill(): Promise<void>;
  /** At the same address, with nothing in it. */
  start(): Promise<void>;
}

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** Debian's Redis, which writes nothing to disk. Somebody may take its port before it does: then it takes another. */
export async function startRedis(): Promise<Redis> {
  const dir = mkdtempSync(join(tmpdir(), 'microtune-redis-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const begin = async (port: number): Promise<Talking | undefined> => {
    const server = talking('redis-server', [
      ...['--port', String(port), '--bind', '127.0.0.1', '--dir', dir],
      ...['--save', '', '--appendonly', 'no'],
    ]);
    const over = server.ended.then(() => 'over' as const);
    const up = until('Redis listens', async () =>
      server.said().includes('Ready to accept') ? ('up' as const) : undefined,
    );
    return (await Promise.race([up, over])) === 'up' ? server : undefined;
  };
  let [port, server] = [0, undefined as Talking | undefined];
  for (let tries = 0; server === undefined && tries < 5; tries++) {
    port = await freePort();
    server = await begin(port);
  }
  return {
    url: `redis://127.0.0.1:${port}`,
    async kill() {
      server?.child.kill('SIGKILL');
      await server?.ended;
    },
    async start() {
      server = await begin(port);
      if (server === undefined) throw new Error(`Redis does not come up again at ${port}`);
    },
  };
}

export interface WorkerProcess {
  said(): string;
  readonly ended: Promise<number | null>;
  end(signal: 'SIGKILL' | 'SIGTERM'): Promise<number | null>;
}

/** A worker with its own data directory, which may be on its way yet. */
export function startWorker(farm: string, name: string, dir: string, args: readonly string[]): WorkerProcess {
  const all = [launcher, 'worker', '--farm', farm, '--name', name, '--data', join(dir, name), ...args];
  const { child, said, ended } = talking(process.execPath, all);
  return {
    said,
    ended,
    end(signal) {
      child.kill(signal);
      return ended;
    },
  };
}

/** The small process that starts compilers: it ends with whoever needs it, its tools with it; killed, it is replaced. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { expect, test, vi } from 'vitest';
import { run } from '../../toolchain/index.ts';
import { wasKilled } from '../../toolchain/process.ts';

const toolchain = join(import.meta.dirname, '../../toolchain/index.ts');

const commandOf = (pid: number | string): string => readFileSync(`/proc/${pid}/cmdline`, 'utf8');
/** Ids of processes that sleep for so long. */
const sleeping = (time: string): readonly number[] =>
  readdirSync('/proc').flatMap((p) => {
    try {
      return /^\d+$/.test(p) && commandOf(p) === `sleep\0${time}\0` ? [Number(p)] : [];
    } catch {
      return [];
    }
  });
/** A time for `sleep` that no other test has. */
const unique = (n: number): string => `1000.${process.pid}${n}`;
/** Its group is not the one of the daemon: looked for by what started it, with some programs in between. */
function starterOf(pid: number): number {
  const parent = Number(/^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
  return commandOf(parent).includes('starter-process.ts') ? parent : starterOf(parent);
}

test('whoever is killed outright leaves no compiler running, and no folder of one', async () => {
  const sleep = unique(1);
  const source = `import { run } from ${JSON.stringify(toolchain)}; await run(['sleep', '${sleep}']);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], { stdio: 'ignore' });
  await vi.waitFor(() => expect(sleeping(sleep)).toHaveLength(1), { timeout: 60_000, interval: 50 });
  const [, folder = ''] =
    /\0TMPDIR=([^\0]+)/.exec(`\0${readFileSync(`/proc/${sleeping(sleep)[0]}/environ`, 'utf8')}`) ?? [];
  expect(existsSync(folder)).toBe(true);
  child.kill('SIGKILL');
  await once(child, 'exit');
  await vi.waitFor(() => expect([sleeping(sleep), existsSync(folder)]).toEqual([[], false]), {
    timeout: 60_000,
    interval: 50,
  });
});

/** Children of this process that have ended and that nobody collects. */
const zombies = (): readonly string[] =>
  readdirSync('/proc').filter((p) => {
    try {
      const status = /^\d+$/.test(p) ? readFileSync(`/proc/${p}/status`, 'utf8') : '';
      return /^State:\s+Z/m.test(status) && status.includes(`\nPPid:\t${process.pid}\n`);
    } catch {
      return false;
    }
  });

test('a thread that compiles leaves nothing behind, however it ends', async () => {
  const source = `const { run } = await import(${JSON.stringify(toolchain)});
    (await import('node:worker_threads')).parentPort.postMessage((await run(['echo', 'done'])).stdout); await run(['sleep', '${unique(3)}']);`;
  const thread = new Worker(source, { eval: true });
  expect((await once(thread, 'message'))[0]).toBe('done\n');
  await vi.waitFor(() => expect(sleeping(unique(3))).toHaveLength(1), { timeout: 60_000, interval: 50 });
  const starter = starterOf(sleeping(unique(3))[0] as number);
  await thread.terminate();
  await vi.waitFor(() => expect(existsSync(`/proc/${starter}`)).toBe(false), { timeout: 60_000, interval: 50 });
  expect([sleeping(unique(3)), zombies()]).toEqual([[], []]);
});

test('without anything to do it keeps nobody', async () => {
  const source = `import { run } from ${JSON.stringify(toolchain)}; console.log((await run(['echo', 'done'])).stdout);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.on('data', (d: Buffer) => {
    said += d.toString();
  });
  const [code] = await once(child, 'close');
  expect([code, said.trim()]).toEqual([0, 'done']);
});

test('killed, its tools count as killed, and the next tool gets another one', async () => {
  const sleep = unique(2);
  const ended = run(['sleep', sleep]);
  const [tool] = await vi.waitUntil(() => sleeping(sleep).length === 1 && sleeping(sleep), {
    timeout: 60_000,
    interval: 50,
  });
  const starter = starterOf(tool as number);
  expect(starter).not.toBe(process.pid);
  process.kill(starter, 'SIGKILL');
  expect(wasKilled(await ended)).toBe(true);
  process.kill(tool as number, 'SIGKILL');
  expect((await run(['echo', 'again'])).stdout).toBe('again\n');
});

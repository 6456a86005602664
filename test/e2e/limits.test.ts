/** Whoever starts a daemon and however: it runs within limits of memory, as one process. */
import { readFileSync } from 'node:fs';
import { expect, onTestFinished, test } from 'vitest';
import { readDaemon } from '../../db/lock.ts';
import { startOwnDaemon } from '../../server/cli/daemon.ts';
import { limits } from '../../server/cli/limits.js';
import { dataDir, startDaemonProcess } from './daemon-process.ts';

const linux = process.platform === 'linux';
/** What it was started with. */
const wordsOf = (pid: number): readonly string[] => readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
const limitsOf = (pid: number): readonly string[] => wordsOf(pid).filter((word) => /^--(max|heap)-/.test(word));

test.runIf(linux)(
  'a daemon that somebody starts becomes one with limits, and is the process that was started',
  async () => {
    const dir = dataDir();
    const daemon = await startDaemonProcess(dir);
    expect(limitsOf(daemon.pid)).toEqual(limits);
    expect(readDaemon(dir)?.pid).toBe(daemon.pid);
    expect(await daemon.end('SIGTERM')).toBe(0);
  },
);

test.runIf(linux)('limits that somebody chose are those that hold', async () => {
  const env = { ...process.env, NODE_OPTIONS: '--max-old-space-size=600' };
  const daemon = await startDaemonProcess(dataDir(), [], env);
  expect(limitsOf(daemon.pid)).toEqual([]);
});

test.runIf(linux)('so has one that a command starts for itself', async () => {
  const dir = dataDir();
  const daemon = await startOwnDaemon(dir, []);
  if (!daemon.ok) throw new Error(daemon.error.detail);
  onTestFinished(() => daemon.value.close());
  expect(limitsOf(readDaemon(dir)?.pid ?? 0)).toEqual(limits);
});

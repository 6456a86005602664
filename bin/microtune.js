#!/usr/bin/env node
/**
 * Starts the command line (server/cli) on a Node that can run it. Plain JavaScript, because it runs on whatever Node the
 * system has: Node 24 and 25 go on here, any other starts the project's own Node 24, which set-up installs. What runs for weeks
 * runs within limits of memory.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import module from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { limits } from '../server/cli/limits.js';

const here = fileURLToPath(import.meta.url);
const root = dirname(dirname(here));
const ownNode = join(root, 'node_modules/node/bin/node');
const major = Number(process.versions.node.split('.')[0]);
// Older ones lack type stripping or crash in better-sqlite3, Node 26 crashes in serialport.
const able = (major === 24 || major === 25) && Boolean(process.features.typescript);
const lasting = ['serve', 'worker'].includes(process.argv[2] ?? '');
const missing = lasting && !isLimited() ? limits : [];

if (!existsSync(join(root, 'node_modules/commander')) || (!able && !existsSync(ownNode))) {
  process.stderr.write(`error NOT_SET_UP: packages are missing; type: cd ${root} && npm run setup\n`);
  process.exitCode = 4;
} else if (able) {
  if (missing.length > 0) becomeLimited();
  endWithParent();
  // Twice as fast from the second start on; where it cannot be written, nothing is lost.
  module.enableCompileCache(join(root, 'node_modules/.cache/compile'));
  const { main } = await import('../server/cli/index.ts');
  process.exitCode = await main(process.argv.slice(2));
} else {
  restart();
}

/** Somebody chose limits already: we did, or who started it. */
function isLimited() {
  const options = [...process.execArgv, process.env.NODE_OPTIONS ?? ''].join(' ');
  return /--max[-_](semi|old)[-_]space[-_]size/.test(options);
}

/**
 * The same process with the limits, which V8 takes at its start only. A process on a channel stays as it is, since the channel would
 * be lost: whoever opens one starts us with limits.
 */
function becomeLimited() {
  if (process.execve === undefined || process.channel !== undefined || process.platform === 'win32') return;
  const args = [process.execPath, ...process.execArgv, ...missing, here, ...process.argv.slice(2)];
  process.execve(process.execPath, args, process.env);
}

/** The same command on the project's own Node. Signals meant for this process reach the other. */
function restart() {
  const child = spawn(ownNode, [...missing, here, ...process.argv.slice(2)], { stdio: ['inherit', 'inherit', 'inherit', 'ipc'] });
  // Ctrl-C at a terminal reaches both; passing it on would make it two.
  process.on('SIGINT', () => process.stdin.isTTY || child.kill('SIGINT'));
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  process.on('SIGHUP', () => child.kill('SIGHUP'));
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? 128 + (signal === 'SIGKILL' ? 9 : 15);
  });
}

/**
 * Whoever started us over a channel wants us to end with it, even when it is killed outright: its end of the channel closes,
 * and we end as if terminated. "stay" takes that back.
 */
function endWithParent() {
  if (process.channel === undefined) return;
  const end = () => process.kill(process.pid, 'SIGTERM');
  process.on('disconnect', end);
  process.on('message', (message) => message === 'stay' && process.off('disconnect', end));
  process.channel.unref();
}

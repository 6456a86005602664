/**
 * `npm run demo`: the whole road on the example model, with the commands that a user would type. A daemon with a data
 * directory of its own is started, the model uploaded and tuned over HTTP on the twin of an STM32L4R5, the winners emitted as C
 * and firmware, and the firmware's outputs compared with the model's.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const dir = join(root, 'build/demo');
rmSync(dir, { recursive: true, force: true });
mkdirSync(dir, { recursive: true });

const command = [
  'tune',
  'examples/bearing-fault/bearing-fault.tflite',
  ...['--board', 'nucleo-l4r5zi'],
  ...['--trials', '240'],
  ...['--seed', '1'],
  ...['--data', 'build/demo/data'],
  ...['--out', 'build/demo/out'],
];
console.log(`$ npx microtune ${command.join(' ')}`);
// The channel ends the command when this process is killed, and with it the daemon that it started.
const child = spawn(process.execPath, [join(root, 'bin/microtune.js'), ...command], {
  cwd: root,
  stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
});
child.channel?.unref();
// Ctrl-C reaches the child too, which asks what to do; only its answer ends the demo.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => child.kill('SIGTERM'));
child.on('exit', (code, signal) => {
  process.exitCode = code ?? (signal === null ? 1 : 130);
});

/** examples/http against a real daemon that asks for a token: every file is run, and does what it says. */
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { main } from '../../server/cli/index.ts';
import { smallModel } from '../server/model.ts';
import { dataDir, startDaemonProcess } from './daemon-process.ts';

const folder = resolve(import.meta.dirname, '../../examples/http');
const run = promisify(execFile);
const runners: Readonly<Record<string, string>> = { sh: 'sh', py: 'python3', ts: process.execPath };

test('each path with curl, Python and the client', async () => {
  const dir = dataDir();
  const token = await newToken(dir);
  const d = await startDaemonProcess(dir, ['--require-token', '--emulate', 'mps2-an386=2']);
  const model = join(dir, 'small.tflite');
  writeFileSync(model, smallModel(1));
  const ran: string[] = [];
  const example = async (file: string, ...args: readonly string[]): Promise<string> => {
    ran.push(file);
    const program = runners[file.split('.')[1] ?? ''] ?? '';
    const env = { ...process.env, MICROTUNE_TOKEN: token, PYTHONDONTWRITEBYTECODE: '1' };
    return (await run(program, [join(folder, file), d.url, ...args], { env })).stdout;
  };
  let job = '';
  for (const kind of ['sh', 'py', 'ts']) {
    const out = join(dir, `${kind}.tar.gz`);
    const said = await example(`tune.${kind}`, model, 'mps2-an386', out, '3');
    expect(said).toMatch(/^job j-\w+-\d+\n[\s\S]*done\nwrote /);
    job = /^job (\S+)/.exec(said)?.[1] ?? '';
    // Three jobs that are alike make one library.
    expect(gunzipSync(readFileSync(out)).includes('small_run')).toBe(true);
  }
  for (const kind of ['sh', 'py', 'ts']) {
    expect(await example(`query.${kind}`)).toMatch(/mps2-an386/);
    expect(await example(`events.${kind}`, job)).toMatch(/done/);
  }
  for (const kind of ['sh', 'py', 'ts']) expect(await example(`devices.${kind}`, 'mps2-an386')).toMatch(/looked odd/);
  const files = readdirSync(folder).filter((f) => /\.(sh|py|ts)$/.test(f) && f !== 'microtune_http.py');
  expect(ran.toSorted()).toEqual(files.toSorted());
  expect(await d.end('SIGTERM')).toBe(0);
});

/** As a person would make it. */
async function newToken(dir: string): Promise<string> {
  let said = '';
  const screen = { write: (text: string) => (said += text) };
  const terminal = { stdin: process.stdin, stdout: screen, stderr: screen };
  expect(await main(['token', 'add', 'example', '--scope', 'admin', '--data', dir], terminal)).toBe(0);
  return said.trim();
}

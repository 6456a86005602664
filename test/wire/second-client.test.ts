/**
 * A second host, in C and written from SPEC.md alone (second-client.c), against the server: it uses every command, over a line
 * as it should be and over one with faults. What it and the server disagree on is an error in one of them or in SPEC.md.
 */
import { execFileSync, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { host } from '../../boards/host/index.ts';
import { openSocket } from '../../firmware-rpc/host/socket.ts';
import { samples } from '../samples.ts';
import { everyFault, faulty } from './faulty.ts';
import { candidate, type ListeningBoard, listeningBoard, workFolder } from './host-board.ts';

const folder = workFolder();
const program = join(folder.dir, 'second-client');
const image = join(folder.dir, 'image');
const loadBase = 0x20000000;
let entry = 0;
let board: ListeningBoard;

const source = `#include <stdint.h>
uint32_t mt_entry(uint32_t what, uint32_t at) {
  if (what == 1u) return *(volatile uint32_t *)0;
  while (what == 2u) __asm__ volatile("");
  return ++*(uint32_t *)(uintptr_t)at;
}`;

beforeAll(async () => {
  const strict = ['-std=c99', '-O1', '-Wall', '-Wextra', '-Werror', '-fsanitize=address,undefined'];
  execFileSync('gcc', [...strict, join(import.meta.dirname, 'second-client.c'), '-o', program]);
  const made = await candidate(host, source, loadBase, folder.dir);
  writeFileSync(image, made.image);
  entry = made.entry;
  board = await listeningBoard(folder.dir);
});
afterAll(async () => {
  await board.kill();
  folder.remove();
});

/** What the program says and how it ends. */
function talk(port: number, patienceMs: number): Promise<{ readonly code: number | null; readonly said: string }> {
  const child = spawn(program, ['127.0.0.1', String(port), String(patienceMs), image, String(entry)]);
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (d: Buffer) => {
      said += d.toString();
    });
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, said })));
}

/** A port behind which the board is, at the end of a faulty line. */
async function faultyPort(chance: number, seed: number): Promise<{ readonly port: number; readonly server: Server }> {
  const server = createServer(async (socket) => {
    socket.pause();
    const line = faulty(await openSocket('127.0.0.1', board.port), everyFault(chance), seed);
    line.onData((bytes) => void socket.write(bytes));
    socket.on('data', (bytes) => void line.write(bytes));
    socket.on('error', () => undefined);
    socket.once('close', () => void line.close());
    socket.resume();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return { port: typeof address === 'object' && address !== null ? address.port : 0, server };
}

test('every command, over a good line', async () => {
  const { code, said } = await talk(board.port, 5000);
  expect(said).toBe('board host flags 1 load 20000000 data 21000000\nsent again 0\nok\n');
  expect(code).toBe(0);
});

test('over faulty lines: the same, with requests that are sent again and executed once', async () => {
  let again = 0;
  for (let seed = 1; seed <= samples(3, 40); seed++) {
    const { port, server } = await faultyPort(0.03, seed);
    const { code, said } = await talk(port, 100);
    server.close();
    expect([code, said.split('\n').at(-2)], `seed ${seed}: ${said}`).toEqual([0, 'ok']);
    again += Number(/sent again (\d+)/.exec(said)?.[1]);
  }
  expect(again).toBeGreaterThan(3);
});

/** The two implementations of framing, frame.ts and frame.c, on the same bytes: each reads what the other writes, both drop the same. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { encodeFrame, frameSplitter } from '../../firmware-rpc/host/frame.ts';
import { maxBody } from '../../firmware-rpc/protocol.ts';
import { samples } from '../samples.ts';
import { Random } from '../unit/random.ts';
import { workFolder } from '../wire/host-board.ts';

const root = resolve(import.meta.dirname, '../..');
const folder = workFolder();
const program = join(folder.dir, 'frames');
afterAll(() => folder.remove());

/** Reads a line of bytes as a board would; writes each payload's length and bytes, and the payload framed again. */
const main = `#include <stdio.h>
#include <stdlib.h>
#include "frame.h"
#include "microtune_board.h"
static unsigned char framed[4096];
static size_t framed_bytes;
uint8_t board_uart_read(void) { const int c = getchar(); if (c == EOF) exit(0); return (uint8_t)c; }
void board_uart_write(const uint8_t *b, size_t n) { for (size_t i = 0; i < n; i++) framed[framed_bytes++] = b[i]; }
static void show(const unsigned char *b, size_t n) { for (size_t i = 0; i < n; i++) printf("%02x", b[i]); }
int main(void) {
  static uint8_t payload[MT_MAX_PAYLOAD + 4u];
  for (;;) {
    const size_t n = mt_frame_read(payload);
    show(payload, n);
    framed_bytes = 0;
    mt_frame_write(payload, n);
    printf(" ");
    show(framed, framed_bytes);
    printf("\\n");
  }
}
`;

beforeAll(() => {
  writeFileSync(join(folder.dir, 'main.c'), main);
  const include = ['include', 'src'].flatMap((d) => ['-I', join(root, 'firmware-rpc', d)]);
  const checks = [
    '-fsanitize=address,undefined',
    '-fno-sanitize-recover=all',
    '-Wall',
    '-Wextra',
    '-Wconversion',
    '-Werror',
  ];
  const sources = [join(folder.dir, 'main.c'), join(root, 'firmware-rpc/src/frame.c')];
  execFileSync('gcc', ['-std=c99', '-O1', ...checks, ...include, ...sources, '-o', program]);
});

/** Payload and frame of each payload that frame.c finds. */
const inC = (line: Uint8Array): readonly (readonly [string, string])[] =>
  execFileSync(program, { input: line, maxBuffer: 1 << 28, stdio: ['pipe', 'pipe', 'pipe'] })
    .toString()
    .split('\n')
    .filter((l) => l !== '')
    .map((l) => l.split(' ') as [string, string]);
/** The same by frame.ts. The device takes no payload of more than a body and its header. */
function inTypeScript(line: Uint8Array): readonly (readonly [string, string])[] {
  const out: (readonly [string, string])[] = [];
  frameSplitter((p) => {
    if (p.length <= maxBody + 3)
      out.push([Buffer.from(p).toString('hex'), Buffer.from(encodeFrame(p)).toString('hex')]);
  })(line);
  return out;
}

/** Whole frames, damaged ones and garbage, one after another. */
function randomLine(r: Random): Uint8Array {
  const part = (): Uint8Array => {
    const zeros = r.pick([0, 0.02, 0.5]);
    const length = r.pick([r.int(2, 8), r.int(248, 258), r.int(500, 520), r.int(0, 300)]);
    const bytes = Uint8Array.from({ length }, () => (r.next() < zeros ? 0 : r.int(0, 255)));
    const frame = [...encodeFrame(bytes)];
    if (r.int(0, 3) === 0) frame[r.int(0, frame.length - 1)] = r.int(0, 255);
    if (r.int(0, 5) === 0) frame.splice(r.int(0, frame.length - 1), r.int(1, 4));
    return r.int(0, 6) === 0 ? bytes : Uint8Array.from(frame);
  };
  return Buffer.concat(Array.from({ length: 40 }, part));
}

test('random lines with whole and damaged frames: the same payloads, the same frames again', () => {
  let frames = 0;
  for (let seed = 1; seed <= samples(60, 600); seed++) {
    const line = randomLine(new Random(seed));
    const c = inC(line);
    expect(c, `seed ${seed}`).toEqual(inTypeScript(line));
    frames += c.length;
  }
  expect(frames).toBeGreaterThan(samples(60, 600) * 15);
});

test('pure noise', () => {
  const r = new Random(99);
  const noise = Uint8Array.from({ length: samples(200_000, 5_000_000) }, () => r.int(0, 255));
  expect(inC(noise)).toEqual(inTypeScript(noise));
});

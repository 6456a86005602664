/**
 * The C server fed with noise under AddressSanitizer and UBSan (server-fuzz.c): it ends at the first access outside, answer that
 * is malformed, damage that goes unseen, or good request that stays unanswered after noise.
 */
import { execFileSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { commands, statuses } from '../../firmware-rpc/protocol.ts';
import { samples } from '../samples.ts';
import { workFolder } from '../wire/host-board.ts';

const root = resolve(import.meta.dirname, '../..');
const folder = workFolder();
const program = join(folder.dir, 'server-fuzz');
afterAll(() => folder.remove());

beforeAll(() => {
  const checks = ['-fsanitize=address,undefined', '-fno-sanitize-recover=all', '-Wall', '-Wextra', '-Werror'];
  const include = ['include', 'src'].flatMap((d) => ['-I', join(root, 'firmware-rpc', d)]);
  const sources = ['test/host/server-fuzz.c', 'firmware-rpc/src/frame.c', 'firmware-rpc/src/network_none.c'];
  const flags = ['-std=c99', '-O1', '-g', '-no-pie', '-fno-pie', ...checks, '-DMT_BUILD_ID="0123456789abcdef"'];
  execFileSync('gcc', [...flags, ...include, ...sources.map((f) => join(root, f)), '-o', program]);
});

/** Answers by command and status; an unknown command is number 9. */
function fuzz(seed: number, bytes: number): ReadonlyMap<string, number> {
  const said = execFileSync(program, [String(seed), String(bytes)], { stdio: ['ignore', 'pipe', 'pipe'] }).toString();
  return new Map([...said.matchAll(/^(\d+ \d+) (\d+)$/gm)].map((m) => [m[1] ?? '', Number(m[2])]));
}

for (const seed of [1, 2, 3, 4])
  test(`seed ${seed}: no access outside, no answer out of order, every command met with every status it has`, () => {
    const answers = fuzz(seed, samples(5_000_000, 100_000_000));
    const { HELLO, CALL, RESET, ...rest } = commands;
    const { OK, BAD_REQUEST, BAD_ADDRESS, NO_SESSION, FAULT, DEADLINE, DAMAGED } = statuses;
    const want = [
      ...Object.values(rest).flatMap((c) => [OK, BAD_REQUEST, BAD_ADDRESS, NO_SESSION].map((s) => [c, s])),
      ...[OK, BAD_REQUEST].map((s) => [HELLO, s]),
      ...[OK, BAD_REQUEST, FAULT, DEADLINE, DAMAGED, NO_SESSION].map((s) => [CALL, s]),
      ...[OK, NO_SESSION].map((s) => [RESET, s]),
      [9, BAD_REQUEST],
    ].map(([c, s]) => `${c} ${s}`);
    expect(want.filter((k) => (answers.get(k) ?? 0) < 10)).toEqual([]);
    // And with no other. (Of a command from 128 on, which is unknown, the answer looks like that of a lower one.)
    const unknown = new RegExp(`^[0-9] (${BAD_REQUEST}|${NO_SESSION})$`);
    expect([...answers.keys()].filter((k) => !want.includes(k) && !unknown.test(k))).toEqual([]);
  });

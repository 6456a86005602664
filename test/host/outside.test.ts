/**
 * What the machine does to a search is no failed trial: without room it ends with nothing recorded, a deleted cache costs another
 * build, and what a compiler does by itself is one failed record of the candidate that it met.
 */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { host } from '../../boards/host/index.ts';
import type { BoardModule } from '../../boards/index.ts';
import { policies } from '../../tuner/policies/index.ts';
import { type Found, search } from '../search.ts';
import { randomNode } from '../unit/graphs.ts';
import { Random } from '../unit/random.ts';

const graph = randomNode('conv2d', new Random(5));
const trials = 9;

/** The PC, whose compiler does `body` first for each candidate; `$n` is the candidate's number, `$out` what is to be written. */
function withCompiler(body: string): { readonly board: BoardModule } {
  const dir = mkdtempSync(join(tmpdir(), 'microtune-compiler-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const compiler = join(dir, 'gcc');
  const lines = [
    '#!/bin/sh',
    'for out; do :; done',
    'if [ "$1" = -std=c99 ]; then',
    '  source=$(cat)',
    // Candidates by their symbol: the known kernel of the health check must be built as ever.
    // Two may begin at once: a number is taken by making its folder.
    `  case $source in *mt_candidate*) n=1; until mkdir ${dir}/$n 2>/dev/null; do n=$((n + 1)); done; ${body} ;; esac`,
    `  printf %s "$source" | ${host.target.compiler} "$@"`,
    `else exec ${host.target.compiler} "$@"; fi`,
  ];
  writeFileSync(compiler, `${lines.join('\n')}\n`);
  chmodSync(compiler, 0o755);
  return { board: { ...host, target: { ...host.target, compiler } } };
}
function searchOn(board: BoardModule): Promise<Found> {
  const policy = policies.random;
  if (policy === undefined) throw new Error('no policy is called random');
  return search({ graph, board, policy, trials });
}
const own = (f: Found) => f.records.filter((r) => r.reusedFrom === null);
const told = (f: Found): readonly string[] =>
  own(f).map(
    ({ config, result: r }) => `${JSON.stringify(config)} ${r.status === 'ok' ? 'ok' : `${r.stage} ${r.code}`}`,
  );

test('a disk that is full ends the search with that reason; what could not be compiled is not recorded', async () => {
  const { board } = withCompiler('[ $n -ge 6 ] && { echo "as: No space left on device" >&2; exit 1; }');
  const found = await searchOn(board);
  expect(found.end).toMatchObject({ reason: 'failed', error: { stage: 'compile', code: 'DISK_FULL' } });
  expect(own(found).length).toBe(5);
  expect(own(found).every((r) => r.result.status === 'ok')).toBe(true);
});

test('a cache that somebody deletes again and again costs builds, and no trial', async () => {
  const quiet = await searchOn(withCompiler('').board);
  // With the object, the headers and the scripts of those that are under way.
  const { board } = withCompiler('case $n in 4 | 8) rm -rf "$(dirname "$out")" ;; esac');
  const found = await searchOn(board);
  expect(found.end).toEqual({ reason: 'budget' });
  expect([...told(found)].sort()).toEqual([...told(quiet)].sort());
  expect(own(found).length).toBe(trials);
});

test('each way in which a compiler fails is one failed record, and the search goes on', async () => {
  const ways = [
    ['kill -SEGV $$', 'COMPILE_CRASHED'],
    ['echo "x: internal compiler error: y" >&2; exit 4', 'COMPILE_CRASHED'],
    ['kill -XFSZ $$', 'COMPILE_OUTPUT'],
    ['echo "cc1: out of memory allocating 1 bytes" >&2; exit 1', 'COMPILE_MEMORY'],
    ['exit 1', 'COMPILE_FAILED'],
  ] as const;
  const cases = ways.map(([does], i) => `${i + 2}) ${does};;`).join(' ');
  const found = await searchOn(withCompiler(`case $n in ${cases} esac`).board);
  expect(found.end).toEqual({ reason: 'budget' });
  expect(own(found).length).toBe(trials);
  const failures = own(found).flatMap(({ result: r }) => (r.status === 'failed' ? [`${r.stage} ${r.code}`] : []));
  expect(failures.sort()).toEqual(ways.map(([, code]) => `compile ${code}`).sort());
});

/** The table of errors, its page, and the codes in the sources: each knows exactly the others'. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { errorOf, errors, exitCodes } from '../../server/errors.ts';
import { errorsPage } from '../../server/errors-page.ts';

const root = resolve(import.meta.dirname, '../..');
const table = Object.keys(errors);

/** Sources that hold names in the same dress: operators of a file format, macros of C, codes of SQLite and of Node's HTTP, parts of a chip. */
const otherNames = [
  /^compiler\/import\//,
  /^compiler\/program\//,
  /^compiler\/instructions\//,
  /^firmware-rpc\/protocol\.ts$/,
  /^boards\/pico\/emulator\//,
];
const foreign = /^(MT|SQLITE|UTF|SHA|ERR|HPE)_/;

const folders = [
  'client',
  'compiler',
  'kernels',
  'toolchain',
  'firmware-rpc/host',
  'boards',
  'tuner',
  'db',
  'server',
  'bin',
];
const sources = folders.flatMap((dir) =>
  readdirSync(join(root, dir), { recursive: true, encoding: 'utf8' })
    .filter((f) => /\.[jt]s$/.test(f) && join(dir, f) !== 'server/errors.ts')
    .map((f) => ({ file: join(dir, f), text: readFileSync(join(root, dir, f), 'utf8') })),
);

/** Codes at the places where failures are made or told apart. */
const atFailures = (text: string): string[] =>
  [
    ...text.matchAll(/\b(?:failed|failing|fail)(?:<[^>]*>)?\(\s*(?:'[a-z-]+'|[a-z]+),\s*'([A-Z_]+)'/g),
    ...text.matchAll(/\bcode(?::| [!=]==) '([A-Z_]+)'/g),
    ...text.matchAll(/^export type \w*Code = ((?:'[A-Z_]+'(?: \| )?)+);/gm),
  ].flatMap((m) => (m[1] ?? '').replaceAll("'", '').split(' | '));
/** Anything else in single quotes that looks like a code of several words. */
const byLook = (text: string): string[] => [...text.matchAll(/'([A-Z]+(?:_[A-Z]+)+)'/g)].map((m) => m[1] ?? '');

/** Error codes of Node, the shell and commander, which are not ours to explain. */
const system = new Set(
  'ENOENT EACCES EPERM EROFS ENOSPC EDQUOT ENOTDIR EEXIST EISDIR ENAMETOOLONG ELOOP EIO EADDRINUSE ECONNRESET EPIPE ESRCH EBUSY EFBIG EAGAIN'.split(
    ' ',
  ),
);

function usedCodes(): ReadonlyMap<string, string> {
  const used = new Map<string, string>();
  for (const { file, text } of sources) {
    const looks = otherNames.some((o) => o.test(file)) ? [] : byLook(text);
    for (const code of [...atFailures(text), ...looks])
      if (!foreign.test(code) && !system.has(code)) used.set(code, file);
  }
  return used;
}

test('every code in the sources has a row', () => {
  const unknown = [...usedCodes()].filter(([code]) => !table.includes(code));
  expect(unknown).toEqual([]);
});

test('every row is used by some source', () => {
  const quoted = new Set(
    sources.flatMap(({ text }) => [...text.matchAll(/(?:'|\berror )([A-Z_]+)[':]/g)].map((m) => m[1] ?? '')),
  );
  expect(table.filter((code) => !quoted.has(code))).toEqual([]);
});

test('docs/errors.md is the page of this table (node scripts/generate-errors.ts writes it)', () => {
  expect(readFileSync(join(root, 'docs/errors.md'), 'utf8')).toBe(errorsPage());
});

test('every code of the page is in the table, every code of the table on the page, once', () => {
  const page = readFileSync(join(root, 'docs/errors.md'), 'utf8');
  const onPage = [...page.matchAll(/^\| `([A-Z_]+)` \|/gm)].map((m) => m[1]);
  expect(onPage.toSorted()).toEqual(table.toSorted());
});

test('statuses and exit codes are what they can be, texts are sentences', () => {
  for (const [code, e] of Object.entries(errors)) {
    expect(e.http, code).toBeGreaterThanOrEqual(400);
    expect(e.http, code).toBeLessThan(600);
    expect(Object.keys(exitCodes), code).toContain(String(e.exit));
    expect(e.exit, code).not.toBe(0);
    for (const text of [e.meaning, e.advice]) expect(text, code).toMatch(/^[^|\n]*[.:)]$/);
  }
});

test('an unknown code is an error of ours', () => {
  expect(errorOf('NO_SUCH_CODE')).toBe(errors.INTERNAL);
});

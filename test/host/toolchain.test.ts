/** Compiling and linking as values: what works, what is cached, and what each failure says. */
import { mkdirSync, readdirSync, readFileSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { host } from '../../boards/host/index.ts';
import { mps2An386 } from '../../boards/mps2-an386/index.ts';
import { compileUnit, linkCandidate, pruneCache, readElf, run, type Unit } from '../../toolchain/index.ts';
import { expectOk, workFolder } from '../wire/host-board.ts';

const folder = workFolder();
let cache = '';
let made = 0;
beforeEach(() => {
  cache = join(folder.dir, `cache${made++}`);
  mkdirSync(cache);
});
afterAll(() => folder.remove());

const unit = (source: string): Unit => ({ target: host.target, name: 'kernel_7', source, flags: [], headers: {} });
const link = (path: string, maxBytes = 65536): ReturnType<typeof linkCandidate> =>
  linkCandidate(
    {
      target: host.target,
      object: { path, hash: path },
      base: 0x20000000,
      symbols: { weights: 0x20010000 },
      entry: 'mt_entry',
      maxBytes,
    },
    cache,
  );

test('equal builds at once, and again, are one object', async () => {
  const source = 'int mt_entry(void) { return 7; }';
  const built = (await Promise.all([1, 2, 3].map(() => compileUnit(unit(source), cache)))).map(expectOk);
  expect(new Set(built.map((b) => b.path)).size).toBe(1);
  expect(readdirSync(cache).filter((f) => f.endsWith('.o')).length).toBe(1);
  // An object that a power cut has emptied is built again.
  const path = built[0]?.path ?? '';
  const whole = readFileSync(path);
  truncateSync(path);
  expectOk(await compileUnit(unit(source), cache));
  expect(readFileSync(path).equals(whole)).toBe(true);
});

test('a cache that has grown is cut to what was used last; what was used just now stays in any case', async () => {
  const hoursAgo = (hours: number): Date => new Date(Date.now() - hours * 3_600_000);
  const put = (name: string, hours: number): void => {
    writeFileSync(join(cache, name), name);
    utimesSync(join(cache, name), hoursAgo(hours), hoursAgo(hours));
  };
  const { path } = expectOk(await compileUnit(unit('int mt_entry(void) { return 8; }'), cache));
  utimesSync(path, hoursAgo(9), hoursAgo(9));
  for (const [name, hours] of [
    ['a.o', 5],
    ['b.su', 4],
    ['c.tmp.o', 3],
    ['d.o', 2],
    ['notes', 9],
  ] as const)
    put(name, hours);
  await pruneCache(cache, 5);
  expect(readdirSync(cache).filter((f) => !f.startsWith('include-')).length).toBe(6);
  expectOk(await compileUnit(unit('int mt_entry(void) { return 8; }'), cache));
  await pruneCache(cache, 2);
  expect(new Set(readdirSync(cache).filter((f) => !f.startsWith('include-')))).toEqual(
    new Set([basename(path), 'd.o', 'notes']),
  );
  utimesSync(join(cache, 'd.o'), new Date(), new Date());
  await pruneCache(cache, 0);
  expect(readdirSync(cache)).toEqual(expect.arrayContaining([basename(path), 'd.o']));
});

test('a candidate is linked where it will lie, with resident constants and the functions that compilers call', async () => {
  const source = `extern const unsigned char weights[16];
    unsigned mt_entry(unsigned char *x) { unsigned char y[900] = {0}; for (int i = 0; i < 900; i++) x[i] = 0;
      for (int i = 0; i < 900; i++) y[i] = x[i] + weights[i & 15]; return y[x[0]]; }`;
  const object = expectOk(await compileUnit(unit(source), cache));
  const linked = expectOk(await link(object.path));
  expect(linked.entry).toBe(0x20000000);
  expect(expectOk(await link(object.path)).hash).toBe(linked.hash);
  expect(readdirSync(cache).filter((f) => f.endsWith('.elf'))).toEqual([]);
});

test('code that is placed in RAM goes there where there is such a place, and lies with the rest where there is none', async () => {
  const source = `__attribute__((noinline, section(".ramfunc"))) int hot(int x) { return x * 7; }
    __attribute__((section(".text.mt_entry"))) int mt_entry(int x) { return hot(x) + 1; }`;
  const object = expectOk(await compileUnit({ ...unit(source), target: mps2An386.target }, cache));
  const link = { target: mps2An386.target, object, base: 0x80000, symbols: {}, entry: 'mt_entry', maxBytes: 4096 };
  const ram = { base: 0x20080000, bytes: 4096 };
  const placed = expectOk(await linkCandidate({ ...link, ram }, cache));
  expect(placed.images.map((i) => i.base)).toEqual([link.base, ram.base]);
  expect(placed.entry).toBe(link.base + 1);
  const together = expectOk(await linkCandidate(link, cache));
  expect(together.images.map((i) => i.base)).toEqual([link.base]);
  expect(together.hash).not.toBe(placed.hash);
  const crowded = await linkCandidate({ ...link, ram: { ...ram, bytes: 4 } }, cache);
  expect(crowded).toMatchObject({ ok: false, error: { code: 'CODE_TOO_LARGE' } });
});

test('failures carry stage, code and what the tool said', async () => {
  const syntax = await compileUnit(unit('int mt_entry(void) { return }'), cache);
  expect(syntax).toMatchObject({ ok: false, error: { stage: 'compile', code: 'COMPILE_FAILED' } });
  expect(syntax.ok ? '' : syntax.error.detail).toMatch(/kernel_7: .*expected expression/s);

  const missing = await compileUnit({ ...unit(''), target: { ...host.target, compiler: 'no-such-gcc' } }, cache);
  expect(missing).toMatchObject({ ok: false, error: { code: 'TOOL_MISSING', detail: 'no-such-gcc is not in PATH' } });

  const undefinedName = expectOk(await compileUnit(unit('int f(void); int mt_entry(void) { return f(); }'), cache));
  const unlinked = await link(undefinedName.path);
  expect(unlinked).toMatchObject({ ok: false, error: { stage: 'link', code: 'LINK_FAILED' } });
  expect(unlinked.ok ? '' : unlinked.error.detail).toMatch(/undefined reference to `f'/);

  const large = expectOk(
    await compileUnit(unit('const int t[999] = {1}; int mt_entry(int i) { return t[i]; }'), cache),
  );
  const tooLarge = await link(large.path, 1000);
  expect(tooLarge).toMatchObject({ ok: false, error: { stage: 'link', code: 'CODE_TOO_LARGE' } });
  expect(tooLarge.ok ? '' : tooLarge.error.detail).toMatch(/\d{4} bytes of code, .* room for 1000/);
});

test('memory is limited, output is bounded', async () => {
  const eats = await run(['sh', '-c', 'x=$(head -c 200000000 /dev/zero | tr "\\0" x); echo "$x"'], {
    limits: { timeMs: 20_000, memoryMiB: 64 },
  });
  expect(eats.code).not.toBe(0);
  const talks = await run(['sh', '-c', 'head -c 9000000 /dev/zero | tr "\\0" x']);
  expect(talks.code).toBe(0);
  expect(talks.stdout.length).toBeGreaterThanOrEqual(1 << 20);
  expect(talks.stdout.length).toBeLessThan(1.2 * (1 << 20));
});

test('readElf refuses what is no ELF file', () => {
  expect(() => readElf(new Uint8Array(64))).toThrow(/not an ELF file/);
});

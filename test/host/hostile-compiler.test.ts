/**
 * Compilers that crash, hang, eat memory, fill the disk, fork or are killed: each end has its code, a limit that is hit leaves
 * nothing running and nothing in the cache, and what the machine did to a compiler is no fault of the source.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { getuid } from 'node:process';
import { afterAll, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { host } from '../../boards/host/index.ts';
import { mps2An386 } from '../../boards/mps2-an386/index.ts';
import { wayApart } from '../../toolchain/confine.ts';
import { compileUnit, isOutside, linkCandidate, type Unit } from '../../toolchain/index.ts';
import { Tools, usualLimits } from '../../toolchain/tools.ts';
import { expectOk, workFolder } from '../wire/host-board.ts';

const folder = workFolder();
let room = '';
let made = 0;
beforeEach(() => {
  room = join(folder.dir, `room${made++}`);
  mkdirSync(join(room, 'cache'), { recursive: true });
});
afterAll(() => folder.remove());

const cache = (): string => join(room, 'cache');
/** A compiler that does just this, called as the real one is; `$0.runs` gets a line a call. */
function compiler(body: string): string {
  const path = join(room, 'fake-gcc');
  writeFileSync(path, `#!/bin/sh\necho run >> "$0.runs"\nfor out; do :; done\n${body}\n`);
  chmodSync(path, 0o755);
  return path;
}
const runs = (): number => readFileSync(join(room, 'fake-gcc.runs'), 'utf8').trim().split('\n').length;
const unit = (compiler: string, limits: Unit['limits'] = {}): Unit => ({
  target: { ...host.target, compiler },
  name: 'kernel_7',
  source: 'int f(void) { return 1; }',
  flags: [],
  headers: {},
  limits,
});
/** Processes of our compilers that are still there: what names the compiler in its command, as its parts do. */
const alive = (): readonly string[] =>
  readdirSync('/proc').filter((p) => {
    try {
      return /^\d+$/.test(p) && readFileSync(`/proc/${p}/cmdline`, 'utf8').includes(join(room, 'fake-gcc'));
    } catch {
      return false;
    }
  });

/** Asked for, the system takes a moment to end what has left the group. */
const nothingLeft = (): Promise<void> =>
  vi.waitFor(() => expect(alive()).toEqual([]), { timeout: 20_000, interval: 20 });
/** Starts a part that nobody has a hold of: in a session of its own, all pipes closed. */
const leave = `setsid sh -c 'while :; do sleep 1000; done' "$0" < /dev/null > /dev/null 2>&1 &`;
/** Twice as many each time, with a breath between: without it the machine would have no process left before anybody could look. */
const doubling = 'b() { sleep 0.02; b | b & }; b; sleep 1000';

const ends: readonly (readonly [what: string, code: string, body: string, limits: Unit['limits'], detail: RegExp])[] = [
  ['refuses', 'COMPILE_FAILED', 'echo "x.c:1: error: no" >&2; exit 1', {}, /^kernel_7: x\.c:1: error: no$/],
  ['says nothing', 'COMPILE_FAILED', 'exit 3', {}, /ended with 3/],
  ['crashes itself', 'COMPILE_CRASHED', 'kill -SEGV $$', {}, /SIGSEGV/],
  ['aborts', 'COMPILE_CRASHED', 'kill -ABRT $$', {}, /SIGABRT/],
  [
    'has a part that crashes',
    'COMPILE_CRASHED',
    'echo "gcc: internal compiler error: Segmentation fault signal terminated program cc1" >&2; exit 4',
    {},
    /exit code 4.*Segmentation fault/,
  ],
  ['hangs', 'COMPILE_TIMEOUT', `sh -c 'while :; do sleep 1000; done' "$0" & sleep 1000`, { timeMs: 300 }, /time limit/],
  ['burns the CPU', 'COMPILE_TIMEOUT', 'while :; do :; done', { timeMs: 300 }, /time limit/],
  ['cannot be asked to stop', 'COMPILE_TIMEOUT', 'trap "" TERM INT HUP; sleep 1000', { timeMs: 300 }, /time limit/],
  ['writes without end', 'COMPILE_OUTPUT', 'exec cat /dev/zero > "$out"', { fileMiB: 1 }, /larger file/],
  [
    'has a part that writes without end',
    'COMPILE_OUTPUT',
    'echo "gcc: internal compiler error: File size limit exceeded signal terminated program as" >&2; exit 4',
    {},
    /larger file/,
  ],
  [
    'forks',
    'COMPILE_PROCESSES',
    'i=0; while [ $i -lt 40 ]; do sleep 1000 & i=$((i + 1)); done; wait',
    { processes: 16 },
    /processes/,
  ],
  ['forks for ever', 'COMPILE_PROCESSES', doubling, { processes: 16 }, /processes/],
];

for (const [what, code, body, limits, detail] of ends)
  test(`a compiler that ${what}: ${code}, and nothing is left of it`, async () => {
    const done = await compileUnit(unit(compiler(body), limits), cache());
    expect(done).toMatchObject({ ok: false, error: { stage: 'compile', code } });
    expect(done.ok ? '' : done.error.detail).toMatch(detail);
    expect(isOutside(code)).toBe(false);
    expect([runs(), readdirSync(cache()).filter((f) => !f.startsWith('include-'))]).toEqual([1, []]);
    await nothingLeft();
  });

const { holds } = wayApart();
const parts: readonly (readonly [what: string, code: string, body: string, limits: Unit['limits']])[] = [
  ['ends before its part', 'COMPILE_FAILED', `${leave}\nexit 1`, {}],
  ['hangs with its part', 'COMPILE_TIMEOUT', `${leave}\nsleep 1000`, { timeMs: 300 }],
  ['has very many parts', 'COMPILE_PROCESSES', `for i in $(seq 40); do ${leave}\ndone; sleep 1000`, { processes: 16 }],
];
for (const [what, code, body, limits] of parts)
  test.skipIf(holds === 'group')(
    `a compiler whose part has left its group, and that ${what}: ${code}, and nothing is left of either (skipped where the kernel forbids namespaces)`,
    async () => {
      const done = await compileUnit(unit(compiler(body), limits), cache());
      expect(done).toMatchObject({ ok: false, error: { code } });
      await nothingLeft();
    },
  );

test('where a part cannot be held, nobody waits for it', async () => {
  const command = [compiler(`setsid sh -c 'echo $$ > "$0.part"; exec sleep 1000' "$0" & sleep 1000`)];
  const ran = await new Tools().run({
    command,
    prefix: [],
    holds: 'group',
    env: process.env,
    input: '',
    limits: { ...usualLimits, timeMs: 2000 },
  });
  expect(ran.stopped).toBe('time');
  process.kill(Number(readFileSync(`${command[0]}.part`, 'utf8')), 'SIGKILL');
});

test("the kernel's limits hold for a real compiler: memory and file size", async () => {
  const large = { ...unit(''), target: mps2An386.target, source: 'int a[9000000] = {1};' };
  expect(await compileUnit({ ...large, limits: { fileMiB: 1 } }, cache())).toMatchObject({
    error: { code: 'COMPILE_OUTPUT' },
  });
  expectOk(await compileUnit({ ...large, limits: { fileMiB: 64 } }, cache()));
  const ten = (name: string, of: string): string => `#define ${name}(x) ${`${of}(x) `.repeat(10)}\n`;
  const deep = `#define A(x) x\n${ten('B', 'A')}${ten('C', 'B')}${ten('D', 'C')}${ten('E', 'D')}
    int f(int a) { E(a = a * 3 + a / 7;) return a; }`;
  const hungry = { ...unit(''), target: mps2An386.target, source: deep };
  expect(await compileUnit({ ...hungry, limits: { memoryMiB: 100 } }, cache())).toMatchObject({
    error: { code: 'COMPILE_MEMORY' },
  });
});

test('a compiler that was killed is tried once more; killed again, it says so', async () => {
  const gcc = (times: number): string =>
    compiler(`[ $(wc -l < "$0.runs") -le ${times} ] && kill -KILL $$\nexec ${host.target.compiler} "$@"`);
  expectOk(await compileUnit(unit(gcc(1)), cache()));
  expect(runs()).toBe(2);
  rmSync(join(room, 'fake-gcc.runs'));
  const killed = await compileUnit(unit(gcc(2)), cache());
  expect(killed).toMatchObject({ error: { stage: 'compile', code: 'COMPILE_KILLED' } });
  expect(runs()).toBe(2);
  // What the driver says of a part that was killed counts the same.
  rmSync(join(room, 'fake-gcc.runs'));
  const part = compiler('echo "gcc: fatal error: Killed signal terminated program cc1" >&2; exit 1');
  expect(await compileUnit(unit(part), cache())).toMatchObject({ error: { code: 'COMPILE_KILLED' } });
  expect(runs()).toBe(2);
});

test('where the system starts no more processes, that is no fault of the source: TOO_MANY_PROCESSES', async () => {
  // Root is not counted.
  const anybody = getuid?.() === 0 ? 'setpriv --reuid=65533 --regid=65533 --clear-groups' : '';
  const bounded = `exec ${anybody} prlimit --nproc=1 ${host.target.compiler} "$@"`;
  const done = await compileUnit(unit(compiler(bounded)), cache());
  expect(done).toMatchObject({ ok: false, error: { stage: 'compile', code: 'TOO_MANY_PROCESSES' } });
  expect(done.ok ? '' : done.error.detail).toMatch(/kernel_7: .*Resource temporarily unavailable/);
  expect(isOutside('TOO_MANY_PROCESSES')).toBe(true);
  for (const said of ['sh: 0: Cannot fork', 'unshare: unshare failed: No space left on device', 'spawn /bin/sh EAGAIN'])
    expect(await compileUnit(unit(compiler(`echo "${said}" >&2; exit 1`)), cache())).toMatchObject({
      error: { code: 'TOO_MANY_PROCESSES' },
    });
});

test('a cache that is deleted, before or during a build, is made again', async () => {
  rmSync(cache(), { recursive: true });
  expectOk(await compileUnit(unit(host.target.compiler), cache()));
  rmSync(cache(), { recursive: true });
  const once = `[ $(wc -l < "$0.runs") -le 1 ] && rm -rf "${cache()}"\nexec ${host.target.compiler} "$@"`;
  const gcc = unit(compiler(once));
  const object = expectOk(await compileUnit(gcc, cache()));
  expect([existsSync(object.path), runs()]).toEqual([true, 2]);

  const link = { target: host.target, object, base: 0x20000000, symbols: {}, entry: 'f', maxBytes: 65536 };
  rmSync(cache(), { recursive: true });
  const linked = await linkCandidate(link, cache());
  expect(linked).toMatchObject({ ok: false, error: { stage: 'link', code: 'CACHE_LOST' } });
  expectOk(await compileUnit(gcc, cache()));
  expectOk(await linkCandidate(link, cache()));
  // What lies around the cache is not made again: if that is gone, more is wrong.
  rmSync(room, { recursive: true });
  expect(await compileUnit(unit(host.target.compiler), cache())).toMatchObject({ error: { code: 'CACHE_LOST' } });
  expect(existsSync(room)).toBe(false);
});

/** A file system of a few pages, where mounting is allowed. */
function tinyDisk(): string | undefined {
  const dir = join(room, 'tiny');
  mkdirSync(dir);
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'microtune-test', dir]).status !== 0) return undefined;
  onTestFinished(() => void spawnSync('umount', ['-l', dir]));
  return dir;
}

test('no room is no fault of the source: DISK_FULL, and it works when there is room', async ({ annotate }) => {
  const said = 'echo "as: Fatal error: cannot write x.o: No space left on device" >&2; exit 1';
  expect(await compileUnit(unit(compiler(said)), cache())).toMatchObject({ error: { code: 'DISK_FULL' } });
  const disk = tinyDisk();
  await annotate(disk === undefined ? 'mounting is not allowed here: what compilers say' : 'a file system of 256 KiB');
  if (disk === undefined) return;
  const real = { ...unit(host.target.compiler), source: 'int a[9999] = {1}; int f(void) { return a[0]; }' };
  for (const fill of [256, 252]) {
    spawnSync('dd', ['if=/dev/zero', `of=${join(disk, 'filler')}`, 'bs=1024', `count=${fill}`]);
    const full = await compileUnit(real, join(disk, 'cache'));
    expect(full).toMatchObject({ ok: false, error: { code: 'DISK_FULL' } });
    rmSync(join(disk, 'filler'));
  }
  const object = expectOk(await compileUnit(real, join(disk, 'cache')));
  const link = { target: host.target, object, base: 0x20000000, symbols: {}, entry: 'f', maxBytes: 65536 };
  spawnSync('dd', ['if=/dev/zero', `of=${join(disk, 'filler')}`, 'bs=1024', 'count=256']);
  expect(await linkCandidate(link, join(disk, 'cache'))).toMatchObject({ ok: false, error: { code: 'DISK_FULL' } });
  rmSync(join(disk, 'filler'));
  expectOk(await linkCandidate(link, join(disk, 'cache')));
  expect(isOutside('DISK_FULL')).toBe(true);
});

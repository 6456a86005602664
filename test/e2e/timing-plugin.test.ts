/** The plugin as a file: which emulators it is built for, and what it says of a configuration that it does not understand. */
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildPlugin, placeOf, timingConfig, whyNot } from '../../boards/common/timing/build.ts';
import { expectOk, workFolder } from '../wire/host-board.ts';

const folder = workFolder();
afterAll(() => folder.remove());

/** A program that only says its version, as an emulator does. */
function saying(version: string): string {
  const file = join(folder.dir, `qemu-${version}`);
  writeFileSync(file, `#!/bin/sh\necho "QEMU emulator version ${version} (Debian 1:${version})"\n`);
  chmodSync(file, 0o755);
  return file;
}

test('built once for the QEMU that is here, and found the next time', async () => {
  const first = expectOk(await buildPlugin('qemu-system-arm'));
  const { mtimeMs } = statSync(first);
  expect(expectOk(await buildPlugin('qemu-system-arm'))).toBe(first);
  expect(statSync(first).mtimeMs).toBe(mtimeMs);
});

/** Only root can give files to others. */
test.runIf(process.getuid?.() === 0)("what the sources' owner has built is taken, what others left is not", () => {
  const [other, another] = [65_533, 65_534];
  const own = join(folder.dir, 'cache');
  mkdirSync(own);
  writeFileSync(join(own, 'built.so'), '');
  for (const path of [own, join(own, 'built.so')]) chownSync(path, other, other);
  expect(placeOf('built.so', own, other)).toBe(join(own, 'built.so'));
  expect(placeOf('built.so', own, another)).not.toContain(own);
  expect(placeOf('missing.so', own, other)).not.toContain(own);
});

test('QEMU 6 to 8 have its interface; others, and none, are refused in words', async () => {
  for (const version of ['6.2.0', '7.2.22', '8.2.1']) expectOk(await buildPlugin(saying(version)));
  for (const version of ['5.2.0', '9.1.0', '10.0.2']) {
    const r = await buildPlugin(saying(version));
    expect(r).toMatchObject({ ok: false, error: { code: 'EMULATOR_UNSUITABLE' } });
    expect(r.ok ? '' : r.error.detail).toContain(
      `is ${version.split('.').slice(0, 2).join('.')}; the timing model needs QEMU 6 to 8`,
    );
  }
  expect(await buildPlugin('qemu-system-none')).toMatchObject({ ok: false, error: { code: 'EMULATOR_MISSING' } });
});

test('a gcc that says nothing is told of as well: one that was stopped, one that somebody killed', () => {
  const ended = { code: null, signal: 'SIGKILL', stdout: '', stderr: '' } as const;
  expect(whyNot({ ...ended, stopped: 'time' })).toBe('gcc was stopped after 300 s');
  expect(whyNot(ended)).toBe('gcc ended with SIGKILL');
  expect(whyNot({ ...ended, code: 1, signal: null, stderr: 'no such header' })).toBe('no such header');
});

let plugin: string;
let ram: string;
beforeAll(async () => {
  plugin = expectOk(await buildPlugin('qemu-system-arm'));
  ram = join(folder.dir, 'ram');
  writeFileSync(ram, '');
  truncateSync(ram, 0x10000);
});
/** Starts QEMU with this configuration: it must end at once. */
function refusal(text: string): string {
  const config = join(folder.dir, 'config');
  writeFileSync(config, text);
  const args = ['-M', 'mps2-an386', '-display', 'none', '-monitor', 'none', '-serial', 'none', '-S'];
  const ran = spawnSync('qemu-system-arm', [...args, '-plugin', `${plugin},config=${config}`], {
    encoding: 'utf8',
    timeout: 20_000,
  });
  expect(ran.status, text).toBe(1);
  return ran.stderr;
}

const good = [
  'core cortex-m4',
  'cache c lines=8 line-bytes=16',
  'region flash base=0x0 bytes=0x1000 read-wait=5 data=c',
];
test.each([
  ['core cortex-m99', 'no core model has this name'],
  ['core', 'no core model has this name'],
  ['clock 5', 'core, cache, region, ram, mailbox or profile is expected'],
  ['cache x lines=many', 'a number is missing, not a number or too large'],
  ['cache x lines=-1', 'a number is missing, not a number or too large'],
  ['cache x lines=8 colour=red', 'a cache has no such key'],
  ['cache x lines=8 writes=never', 'writes is none, through or back'],
  ['cache a_name_that_is_much_longer_than_fits lines=8', 'a name is missing or too long'],
  ['region', 'a name is missing or too long'],
  ['region r base=0x100000000', 'a number is missing, not a number or too large'],
  ['region r bytes', 'key=value is expected'],
  ['region r base=0 bytes=4 data=nothing', 'no cache before this line has that name'],
  ['region r prefetch=2', 'a region has no such key, or the key no such value'],
  ['mailbox here', 'a number is missing, not a number or too large'],
  ['ram 0x21000000 0x10000', 'a path is missing or too long'],
])('%s: refused, with its line and the reason', (line, why) => {
  const said = refusal([...good, line].join('\n'));
  expect(said).toContain(`:4: ${why}`);
});

const shared = (): string => `ram 0x21000000 0x10000 ${ram}`;
test.each([
  ['no core', () => [...good.slice(1), shared(), 'mailbox 0x21000000'], 'no core is named'],
  ['no mailbox', () => [...good, shared()], 'ram and mailbox must be given'],
  ['a mailbox outside', () => [...good, shared(), 'mailbox 0x2100fff0'], 'the mailbox is not in the ram'],
  ['a crooked mailbox', () => [...good, shared(), 'mailbox 0x21000004'], 'the mailbox is not aligned to 8 bytes'],
  [
    'no such file',
    () => [...good, 'ram 0x21000000 0x10000 /nowhere/ram', 'mailbox 0x21000000'],
    'cannot map /nowhere/ram',
  ],
  [
    'no whole sets',
    () => ['cache c lines=9 ways=2 line-bytes=16', ...good.slice(0, 1), shared(), 'mailbox 0x21000000'],
    'lines in whole sets',
  ],
  [
    'an odd unit',
    () => [...good, 'region r base=0 bytes=4096 unit=12', shared(), 'mailbox 0x21000000'],
    "a region's unit is a power of two",
  ],
])('%s: refused', (_, lines, why) => {
  expect(refusal(lines().join('\n'))).toContain(why);
});

test('no option, another option, no file: refused', () => {
  const start = (options: string): string => {
    const args = ['-M', 'mps2-an386', '-display', 'none', '-monitor', 'none', '-serial', 'none', '-S'];
    const ran = spawnSync('qemu-system-arm', [...args, '-plugin', `${plugin}${options}`], {
      encoding: 'utf8',
      timeout: 20_000,
    });
    expect(ran.status).toBe(1);
    return ran.stderr;
  };
  expect(start('')).toContain('one option is expected, config=FILE');
  expect(start(',speed=fast')).toContain('one option is expected, config=FILE');
  expect(start(`,config=${folder.dir}/missing`)).toContain('cannot read');
});

test('the configuration says all that a board says', () => {
  const text = timingConfig(
    {
      core: 'cortex-m4',
      caches: [{ name: 'd', lines: 8, ways: 2, lineBytes: 32, sectorBytes: 8, writes: 'through' }],
      regions: [
        { name: 'flash', base: '0x0', bytes: 4096, readWait: 5, unit: 16, banks: 2, prefetch: true, data: 'd' },
        { name: 'ram', base: '0x20000000', bytes: 64, writeWait: 1, fetchWait: 1, bus: 3 },
      ],
    },
    { base: 16, bytes: 32, path: '/a b', mailbox: 24 },
  );
  expect(text.split('\n')).toEqual([
    'core cortex-m4',
    'cache d lines=8 ways=2 line-bytes=32 sector-bytes=8 writes=through',
    'region flash base=0x0 bytes=4096 read-wait=5 unit=16 banks=2 prefetch=1 data=d',
    'region ram base=0x20000000 bytes=64 write-wait=1 fetch-wait=1 bus=3',
    'ram 16 32 /a b',
    'mailbox 24',
    '',
  ]);
});

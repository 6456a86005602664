/**
 * The server alone, without any board's port, must fit the smallest parts: lines to read, bytes of flash and of RAM. The bytes
 * are those of firmware-rpc/sizes.json, exactly with the compiler named there; with another they may differ a little.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { serverLimits, serverObjects, serverSizes, sizeLines } from '../../boards/common/server-size.ts';
import sizes from '../../firmware-rpc/sizes.json' with { type: 'json' };
import { readElf, run, sizesOf, toolchainVersion } from '../../toolchain/index.ts';
import { expectOk, workFolder } from '../wire/host-board.ts';

const firmware = resolve(import.meta.dirname, '../../firmware-rpc');
const folder = workFolder();
afterAll(() => folder.remove());

test('at most 700 lines', () => {
  const lines = ['include', 'src'].flatMap((dir) =>
    readdirSync(join(firmware, dir)).map((f) => readFileSync(join(firmware, dir, f), 'utf8').split('\n').length),
  );
  expect(lines.length).toBeGreaterThan(5);
  expect(lines.reduce((n, l) => n + l, 0)).toBeLessThanOrEqual(700);
});

const flags = ['-mcpu=cortex-m0plus', '-mthumb'];
const m0plus = { isa: 'armv6-m', features: [], compiler: 'arm-none-eabi-gcc', flags };

/** Exact with the compiler that the figures were made with; else one part in eight more or less. */
async function expectBytes(got: number, want: number): Promise<void> {
  if (expectOk(await toolchainVersion(m0plus)) === sizes.compiler) expect(got).toBe(want);
  else expect(Math.abs(got - want)).toBeLessThanOrEqual(want / 8);
}

test('on a Cortex-M0+ the server has the bytes that are on record, within its limits, and no initialised variables', async () => {
  const { text, data, bss } = expectOk(await serverSizes(m0plus, folder.dir));
  await expectBytes(text, sizes.server.text);
  await expectBytes(bss, sizes.server.bss);
  expect(data).toBe(0);
  expect(bss).toBeLessThanOrEqual(serverLimits.ram);
});

test('with the functions of the C library that it calls it keeps the limit, too', async () => {
  const whole = join(folder.dir, 'whole.o');
  const objects = expectOk(await serverObjects(m0plus, folder.dir));
  const library = ['--specs=nano.specs', '-lc', '-lgcc'];
  const ran = await run([m0plus.compiler, ...flags, '-r', '-nostdlib', ...objects, ...library, '-o', whole]);
  expect(ran).toMatchObject({ code: 0 });
  const { text, data, bss } = sizesOf(readElf(readFileSync(whole)));
  await expectBytes(text, sizes.withLibrary.text);
  expect(text).toBeLessThanOrEqual(serverLimits.flash);
  expect(data + bss).toBeLessThanOrEqual(serverLimits.ram);
});

test('as people read it', () => {
  expect(sizeLines({ text: 2853, data: 0, bss: 1096 }, { text: 5000, data: 4, bss: 40000 })).toEqual([
    'server alone  text     2853  data      0  bss     1096',
    'firmware      text     5000  data      4  bss    40000',
  ]);
});

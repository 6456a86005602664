/** The server alone, without any board's port, must fit the smallest parts: lines to read, bytes of flash and of RAM. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { compileUnit, readElf, sizesOf } from '../../toolchain/index.ts';
import { expectOk, workFolder } from '../wire/host-board.ts';

const firmware = resolve(import.meta.dirname, '../../firmware-rpc');
const folder = workFolder();
afterAll(() => folder.remove());

const text = (path: string): string => readFileSync(join(firmware, path), 'utf8');
const sources = readdirSync(join(firmware, 'src')).filter((f) => f.endsWith('.c'));
const headers = Object.fromEntries(
  ['include', 'src'].flatMap((dir) =>
    readdirSync(join(firmware, dir))
      .filter((f) => f.endsWith('.h'))
      .map((f) => [f, text(join(dir, f))]),
  ),
);

test('at most 700 lines', () => {
  const lines = [...sources.map((f) => text(join('src', f))), ...Object.values(headers)].map(
    (t) => t.split('\n').length,
  );
  expect(lines.reduce((n, l) => n + l, 0)).toBeLessThanOrEqual(700);
});

test('on a Cortex-M0+: at most 4 KiB of text, 2 KiB of RAM, no initialised variables', async () => {
  const flags = ['-mcpu=cortex-m0plus', '-mthumb', '-DMT_BUILD_ID="0123456789abcdef"'];
  const target = { isa: 'armv6-m', features: [], compiler: 'arm-none-eabi-gcc', flags };
  const total = { text: 0, data: 0, bss: 0 };
  for (const name of sources) {
    const unit = { target, name, source: text(join('src', name)), flags: ['-Wall', '-Werror'], headers };
    const sizes = sizesOf(readElf(readFileSync(expectOk(await compileUnit(unit, folder.dir)).path)));
    total.text += sizes.text;
    total.data += sizes.data;
    total.bss += sizes.bss;
  }
  expect(total.text).toBeGreaterThan(1000);
  expect(total.text).toBeLessThanOrEqual(4096);
  expect(total.data).toBe(0);
  expect(total.bss).toBeLessThanOrEqual(2048);
});

/** `microtune firmware`: what it builds, and how it calls the tools that flash. The tools are scripts that write down their arguments. */
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest';
import { type Board, boardOf } from '../../boards/index.ts';
import { main } from '../../server/cli/index.ts';
import { flasherOf, planWith, probeOf } from '../../server/firmware.ts';
import { findTool } from '../../toolchain/index.ts';
import { workFolder } from '../wire/host-board.ts';

const folder = workFolder();
const at = (name: string): string => join(folder.dir, name);
const tools = at('tools');
const calls = at('calls');
const { PATH: path } = process.env;
beforeEach(() => {
  mkdirSync(tools, { recursive: true });
  process.env.PATH = `${tools}${delimiter}${path}`;
});
afterEach(() => {
  process.env.PATH = path;
  rmSync(tools, { recursive: true });
  rmSync(calls, { force: true });
});
afterAll(() => folder.remove());

/** A tool that notes how it was called, says something, and ends with `code`. */
function tool(name: string, code: number): void {
  const file = join(tools, name);
  writeFileSync(
    file,
    `#!/bin/sh\nprintf '%s\\n' "$0" "$@" > '${calls}'\necho 'no probe, says the tool' >&2\nexit ${code}\n`,
  );
  chmodSync(file, 0o755);
}
const called = (): readonly string[] => readFileSync(calls, 'utf8').trimEnd().split('\n');

async function microtune(...args: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  const said: { readonly out: string[]; readonly err: string[] } = { out: [], err: [] };
  const code = await main(['firmware', ...args, '--data', at('data')], {
    stdin: process.stdin,
    stdout: { write: (text) => said.out.push(text) },
    stderr: { write: (text) => said.err.push(text) },
  });
  return { code, out: said.out.join(''), err: said.err.join('') };
}

test('build makes an image for the product, and with --twin one for its emulator', async () => {
  const real = await microtune('build', '--board', 'nucleo-f446re', '--out', at('real'), '--json');
  const twin = await microtune('build', '--board', 'nucleo-f446re', '--out', at('twin'), '--twin', '--json');
  expect([real.code, twin.code]).toEqual([0, 0]);
  const [a, b] = [real, twin].map((r) => JSON.parse(r.out) as { elf: string; bin: string; buildId: string });
  expect(a?.buildId).not.toBe(b?.buildId);
  for (const { elf, bin } of [a, b].filter((x) => x !== undefined))
    expect([elf, bin].every((f) => existsSync(f))).toBe(true);
  // A product's vectors lead into its flash.
  expect((readFileSync(a?.bin ?? '').readUInt32LE(4) & 0xff000000) >>> 0).toBe(0x08000000);
  const { out } = await microtune('build', '--board', 'nucleo-f446re', '--out', at('real'));
  expect(out).toMatch(/server alone +text +\d+ +data +\d+ +bss +\d+\nfirmware +text +\d+/);
});

test('flash runs the first of the tools that is installed, and says so', async () => {
  tool('st-flash', 0);
  const first = await microtune('flash', '--board', 'nucleo-f446re');
  expect(first).toMatchObject({ code: 0 });
  expect(called().slice(1)).toEqual(['--reset', 'write', expect.stringMatching(/server\.bin$/), '0x08000000']);
  expect(first.out).toMatch(
    /^st-flash --reset write \S+server\.bin 0x08000000\nnucleo-f446re runs build [0-9a-f]{16}\n$/,
  );
  tool('pyocd', 0);
  expect((await microtune('flash', '--board', 'nucleo-f446re')).code).toBe(0);
  expect(called().slice(1)).toEqual(['flash', '--target', 'stm32f446retx', expect.stringMatching(/server\.elf$/)]);
  tool('openocd', 0);
  expect((await microtune('flash', '--board', 'nucleo-f446re')).code).toBe(0);
  const program = expect.stringMatching(/^program \{\S+server\.elf\} verify reset exit$/);
  expect(called().slice(1)).toEqual(['-f', 'interface/stlink.cfg', '-f', 'target/stm32f4x.cfg', '-c', program]);
});

test('--print runs nothing, and needs no tool', async () => {
  const { code, out } = await microtune('flash', '--board', 'nucleo-l4r5zi', '--print');
  expect(code).toBe(0);
  expect(out).toMatch(
    /^openocd -f interface\/stlink\.cfg -f target\/stm32l4x\.cfg -c 'program \{\S+\} verify reset exit'\n$/,
  );
  expect(existsSync(calls)).toBe(false);
});

test('what cannot be flashed is told in words', async () => {
  // Whatever is installed here: only the compiler is found.
  const compiler = findTool('arm-none-eabi-gcc');
  writeFileSync(join(tools, 'arm-none-eabi-gcc'), `#!/bin/sh\nexec '${compiler}' "$@"\n`, { mode: 0o755 });
  process.env.PATH = tools;
  const none = await microtune('flash', '--board', 'nucleo-f446re');
  expect(none.code).toBe(4);
  expect(none.err).toMatch(/^error FLASH_TOOL_MISSING: .*apt-get install openocd.*pyocd.*stlink-tools/);
  tool('openocd', 3);
  const broken = await microtune('flash', '--board', 'nucleo-f446re');
  expect(broken).toMatchObject({
    code: 4,
    err: expect.stringMatching(/^error FLASH_FAILED: openocd: no probe, says the tool/),
  });
  const emulator = await microtune('flash', '--board', 'mps2-an386');
  expect(emulator).toMatchObject({ code: 2, err: expect.stringMatching(/^error NO_PRODUCT: mps2-an386/) });
});

test('the probe of a serial port is found by the name that the system gives to the port', () => {
  const byId = at('by-id');
  mkdirSync(byId);
  for (const [port, link] of [
    ['ttyACM0', 'usb-STMicroelectronics_STM32_STLink_066DFF485550755187-if02'],
    ['ttyACM1', 'usb-STMicroelectronics_STLINK-V3_0034001A3137510F39383538-if02'],
    ['ttyUSB0', 'usb-FTDI_FT232R_USB_UART_A50285BI-if00-port0'],
  ] as const) {
    writeFileSync(at(port), '');
    symlinkSync(at(port), join(byId, link));
  }
  // A board that was just unplugged.
  symlinkSync(at('ttyACM9'), join(byId, 'a-link-that-leads-nowhere'));
  expect(probeOf(at('ttyACM0'), byId)).toBe('066DFF485550755187');
  expect(probeOf(at('ttyACM1'), byId)).toBe('0034001A3137510F39383538');
  expect(probeOf(join(byId, 'usb-STMicroelectronics_STM32_STLink_066DFF485550755187-if02'), byId)).toBe(
    '066DFF485550755187',
  );
  expect(probeOf(at('ttyUSB0'), byId)).toBeUndefined();
  expect(probeOf(at('ttyACM7'), byId)).toBeUndefined();
  expect(probeOf('10.0.0.1:4000', byId)).toBeUndefined();
});

test('with a known probe every tool is told which one; the pool flashes no device without', async () => {
  const board = boardOf('nucleo-f446re');
  const product = board?.product;
  if (board === undefined || product === undefined) throw new Error('nucleo-f446re is a product');
  const firmware = { elf: '/x/a.elf', bin: '/x/a.bin', buildId: '0', sizes: { text: 0, data: 0, bss: 0 } };
  const where = at('usb-STMicroelectronics_STM32_STLink_0670FF-if02');
  writeFileSync(where, '');
  for (const t of product.tools) {
    const plan = planWith(t, { board: board.id, product, firmware, where });
    expect(plan.ok ? plan.value.command.join(' ') : plan.error.detail, t.tool).toContain('0670FF');
  }
  tool('openocd', 0);
  const refused = await flasherOf(board, folder.dir)?.flash(firmware, '10.0.0.1:4000');
  expect(refused).toMatchObject({ ok: false, error: { code: 'FLASH_FAILED' } });
  expect(existsSync(calls)).toBe(false);
  expect(await flasherOf(board, folder.dir)?.flash(firmware, where)).toEqual({ ok: true, value: undefined });
  expect(called()).toContain('adapter serial 0670FF');
});

test('a UF2 image is copied to the volume of the boot loader', async () => {
  const [volume, image] = [at('RPI-RP2'), at('server.uf2')];
  writeFileSync(image, 'uf2');
  const firmware = { elf: at('server.elf'), bin: at('server.bin'), buildId: '0', sizes: { text: 0, data: 0, bss: 0 } };
  const product = {
    board: boardOf('pico') as Board,
    build: () => Promise.reject(new Error('built before')),
    tools: [],
  };
  const plan = (): ReturnType<typeof planWith> =>
    planWith({ tool: 'uf2', volume: 'RPI-RP2' }, { board: 'pico', product, firmware, where: volume });
  expect(plan()).toMatchObject({ ok: false, error: { code: 'BOOT_VOLUME_MISSING' } });
  mkdirSync(volume);
  // A folder like any other: what is copied there reaches no board.
  expect(plan()).toMatchObject({ ok: false, error: { detail: expect.stringContaining('INFO_UF2.TXT') } });
  writeFileSync(join(volume, 'INFO_UF2.TXT'), 'UF2 Bootloader v3.0\n');
  expect(plan()).toEqual({ ok: true, value: { tool: 'uf2', command: ['cp', image, join(volume, 'server.uf2')] } });
});

/**
 * The drivers of real STM32 parts against a model of their registers: what the clock set-up leaves there is the frequency that it
 * claims, in the order that the part wants; where any one flag does not come it ends, on the oscillator of the start. UART,
 * timer and pins are set for what is announced. Formulas and bits here are read from the reference manuals anew.
 */
import { mkdirSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { Stm32Family } from '../../boards/board.ts';
import { familySource } from '../../boards/common/silicon.ts';
import { run } from '../../toolchain/index.ts';
import { workFolder } from '../wire/host-board.ts';

const root = resolve(import.meta.dirname, '../..');
const folder = workFolder();
afterAll(() => folder.remove());

type Registers = (address: number) => number;
/** While `when` holds, and `also`, the bits of `sets` are set, and cleared otherwise. Each is address, mask, value. */
interface Rule {
  readonly when: readonly [number, number, number];
  readonly also?: readonly [number, number, number];
  readonly sets: readonly [number, number, number];
}
interface Part {
  readonly family: Stm32Family;
  readonly board: string;
  readonly hz: number;
  readonly slowHz: number;
  /** Registers that are not 0 after reset. */
  readonly reset: Readonly<Record<number, number>>;
  readonly rules: readonly Rule[];
  /** System clock by the registers, and whether the CPU runs on the PLL. */
  readonly pll: (r: Registers) => number;
  readonly onPll: (r: Registers) => boolean;
  /** Clock of the UART and of TIM2 by the prescalers, from the CPU's. */
  readonly uartHz: (r: Registers, cpu: number) => number;
  readonly timerHz: (r: Registers, cpu: number) => number;
  readonly baud: (r: Registers, hz: number) => number;
  readonly pins: { readonly port: number; readonly tx: number; readonly rx: number; readonly alternate: number };
  /** Must hold whenever the CPU runs on the PLL. */
  readonly safe: (r: Registers) => boolean;
}

const bits = (value: number, low: number, count: number): number => Math.floor(value / 2 ** low) % 2 ** count;
const ahb = (code: number): number => (code < 8 ? 1 : ([2, 4, 8, 16, 64, 128, 256, 512][code - 8] ?? 1));
const apb = (code: number): number => (code < 4 ? 1 : 2 ** (code - 3));
/** Timers run at twice a divided bus. */
const timer = (divider: number): number => (divider === 1 ? 1 : divider / 2);
const tim2 = 0x40000000;
const bit = (n: number): number => 2 ** n;

const f4: Part = (() => {
  const [rcc, pwr, flash, usart] = [0x40023800, 0x40007000, 0x40023c00, 0x40004400];
  return {
    family: 'f4',
    board: 'nucleo-f446re',
    hz: 180e6,
    slowHz: 16e6,
    reset: { [rcc]: 0x81, [rcc + 4]: 0x24003010 },
    rules: [
      { when: [rcc, 1, 1], sets: [rcc, bit(1), bit(1)] },
      { when: [rcc, bit(24), bit(24)], sets: [rcc, bit(25), bit(25)] },
      { when: [pwr, bit(16), bit(16)], also: [rcc, bit(25), bit(25)], sets: [pwr + 4, bit(16), bit(16)] },
      { when: [pwr, bit(17), bit(17)], also: [pwr + 4, bit(16), bit(16)], sets: [pwr + 4, bit(17), bit(17)] },
      // 180 MHz on APB1 at less than a quarter, or with fewer wait states, is no clock to run on.
      { when: [rcc + 8, 3, 2], also: [flash, 0xf, 5], sets: [rcc + 8, 0xc, 8] },
    ],
    pll: (r) => {
      const c = r(rcc + 4);
      return ((16e6 / bits(c, 0, 6)) * bits(c, 6, 9)) / (2 * (bits(c, 16, 2) + 1));
    },
    onPll: (r) => bits(r(rcc + 8), 0, 2) === 2,
    uartHz: (r, cpu) => cpu / ahb(bits(r(rcc + 8), 4, 4)) / apb(bits(r(rcc + 8), 10, 3)),
    timerHz: (r, cpu) => cpu / timer(apb(bits(r(rcc + 8), 10, 3))),
    baud: (r, hz) => hz / r(usart + 8),
    pins: { port: 0x40020000, tx: 2, rx: 3, alternate: 7 },
    // Caches and prefetch; over-drive at scale 1; the PLL's bits 31 to 28 as after reset.
    safe: (r) =>
      bits(r(flash), 8, 3) === 7 &&
      bits(r(pwr + 4), 16, 2) === 3 &&
      bits(r(pwr), 14, 2) === 3 &&
      bits(r(rcc + 4), 28, 4) === 2,
  };
})();

/** Of the L4+ and the G4, by the same registers. */
const l4Clocks: Pick<Part, 'pll' | 'onPll' | 'uartHz' | 'timerHz' | 'baud'> = (() => {
  const [rcc, lpuart] = [0x40021000, 0x40008000];
  return {
    pll: (r) => {
      const c = r(rcc + 0xc);
      return ((16e6 / (bits(c, 4, 4) + 1)) * bits(c, 8, 7)) / (2 * (bits(c, 25, 2) + 1));
    },
    onPll: (r) => bits(r(rcc + 8), 0, 2) === 3,
    uartHz: (r, cpu) => cpu / ahb(bits(r(rcc + 8), 4, 4)) / apb(bits(r(rcc + 8), 8, 3)),
    timerHz: (r, cpu) => cpu / timer(apb(bits(r(rcc + 8), 8, 3))),
    baud: (r, hz) => (256 * hz) / r(lpuart + 0xc),
  };
})();

const l4: Part = (() => {
  const [rcc, pwr, flash] = [0x40021000, 0x40007000, 0x40022000];
  return {
    family: 'l4',
    board: 'nucleo-l4r5zi',
    hz: 120e6,
    slowHz: 4e6,
    reset: { [rcc]: 0x63, [pwr]: 0x200, [pwr + 0x80]: 0x100, [flash]: 0x600 },
    rules: [
      { when: [rcc, bit(8), bit(8)], sets: [rcc, bit(10), bit(10)] },
      { when: [rcc, bit(24), bit(24)], sets: [rcc, bit(25), bit(25)] },
      { when: [rcc + 8, 3, 3], also: [flash, 0xf, 5], sets: [rcc + 8, 0xc, 0xc] },
    ],
    ...l4Clocks,
    pins: { port: 0x48001800, tx: 7, rx: 8, alternate: 8 },
    // Range 1 boost; the pins' supply switched on; both caches, no prefetch.
    safe: (r) =>
      bits(r(pwr), 9, 2) === 1 &&
      bits(r(pwr + 0x80), 8, 1) === 0 &&
      bits(r(pwr + 4), 9, 1) === 1 &&
      bits(r(flash), 8, 3) === 6,
  };
})();

const g0: Part = (() => {
  const [rcc, flash, usart] = [0x40021000, 0x40022000, 0x40004400];
  return {
    family: 'g0',
    board: 'nucleo-g0b1re',
    hz: 64e6,
    slowHz: 16e6,
    reset: { [rcc]: 0x500, [flash]: 0x40600 },
    rules: [
      { when: [rcc, bit(8), bit(8)], sets: [rcc, bit(10), bit(10)] },
      { when: [rcc, bit(24), bit(24)], sets: [rcc, bit(25), bit(25)] },
      { when: [rcc + 8, 7, 2], also: [flash, 7, 2], sets: [rcc + 8, 0x38, 0x10] },
    ],
    pll: (r) => {
      const c = r(rcc + 0xc);
      return ((16e6 / (bits(c, 4, 3) + 1)) * bits(c, 8, 7)) / (bits(c, 29, 3) + 1);
    },
    onPll: (r) => bits(r(rcc + 8), 0, 3) === 2,
    uartHz: (r, cpu) => cpu / ahb(bits(r(rcc + 8), 8, 4)) / apb(bits(r(rcc + 8), 12, 3)),
    timerHz: (_, cpu) => cpu,
    baud: (r, hz) => hz / r(usart + 0xc),
    pins: { port: 0x50000000, tx: 2, rx: 3, alternate: 1 },
    safe: (r) => bits(r(flash), 8, 2) === 3 && bits(r(rcc + 0xc), 28, 1) === 1,
  };
})();

const g4: Part = (() => {
  const [rcc, pwr, flash] = [0x40021000, 0x40007000, 0x40022000];
  return {
    family: 'g4',
    board: 'nucleo-g474re',
    hz: 170e6,
    slowHz: 16e6,
    reset: { [rcc]: 0x500, [rcc + 8]: 5, [rcc + 0xc]: 0x1000, [pwr]: 0x200, [pwr + 0x80]: 0x100, [flash]: 0x40601 },
    rules: [
      { when: [rcc, bit(8), bit(8)], sets: [rcc, bit(10), bit(10)] },
      { when: [rcc, bit(24), bit(24)], sets: [rcc, bit(25), bit(25)] },
      { when: [rcc + 8, 3, 3], also: [flash, 0xf, 4], sets: [rcc + 8, 0xc, 0xc] },
    ],
    ...l4Clocks,
    pins: { port: 0x48000000, tx: 2, rx: 3, alternate: 12 },
    // Range 1 boost; both caches, no prefetch; the debugger is not shut out; bits that the manual reserves are as they were.
    safe: (r) =>
      bits(r(pwr), 9, 2) === 1 &&
      bits(r(pwr + 0x80), 8, 1) === 0 &&
      r(pwr + 4) === 0 &&
      bits(r(flash), 8, 3) === 6 &&
      bits(r(flash), 18, 1) === 1,
  };
})();

const h7: Part = (() => {
  const [rcc, pwr, flash, usart] = [0x58024400, 0x58024800, 0x52002000, 0x40004800];
  const [cacheSize, control, overDrive] = [0xe000ed80, 0xe000ed14, 0x5800042c];
  const divider = (r: Registers): number => ahb(bits(r(rcc + 0x18), 0, 4)) * apb(bits(r(rcc + 0x1c), 4, 3));
  return {
    family: 'h7',
    board: 'nucleo-h743zi',
    hz: 480e6,
    slowHz: 64e6,
    // The cache's geometry: 4 ways of 128 sets.
    reset: {
      [rcc]: 0x25,
      [pwr + 0xc]: 6,
      [pwr + 0x18]: 0x4000,
      [flash]: 0x37,
      [cacheSize]: (127 << 13) | (3 << 3) | 1,
    },
    rules: [
      { when: [rcc, 1, 1], sets: [rcc, bit(2), bit(2)] },
      { when: [pwr + 0xc, 7, 2], sets: [pwr + 4, bit(13), bit(13)] },
      { when: [pwr + 0x18, 0xc000, 0xc000], sets: [pwr + 0x18, bit(13), bit(13)] },
      { when: [rcc, bit(24), bit(24)], also: [overDrive, 1, 1], sets: [rcc, bit(25), bit(25)] },
      // The buses behind it divided: HPRE by two.
      { when: [rcc + 0x10, 7, 3], also: [rcc + 0x18, 0xf, 8], sets: [rcc + 0x10, 0x38, 0x18] },
    ],
    pll: (r) =>
      ((64e6 / bits(r(rcc + 0x28), 4, 6)) * (bits(r(rcc + 0x30), 0, 9) + 1)) / (bits(r(rcc + 0x30), 9, 7) + 1),
    onPll: (r) => bits(r(rcc + 0x10), 0, 3) === 3,
    uartHz: (r, cpu) => cpu / divider(r),
    timerHz: (r, cpu) => cpu / ahb(bits(r(rcc + 0x18), 0, 4)) / timer(apb(bits(r(rcc + 0x1c), 4, 3))),
    baud: (r, hz) => hz / r(usart + 0xc),
    pins: { port: 0x58020c00, tx: 8, rx: 9, alternate: 7 },
    // 4 wait states and WRHIGHFREQ 2; input of 4 to 8 MHz in the wide VCO; both caches on; VOS0 by over-drive.
    safe: (r) =>
      bits(r(flash), 0, 6) === 0x24 &&
      bits(r(rcc + 0x2c), 1, 3) === 4 &&
      bits(r(control), 16, 2) === 3 &&
      r(overDrive) === 1,
  };
})();

const u5: Part = (() => {
  const [rcc, pwr, flash, icache, usart] = [0x46020c00, 0x46020800, 0x40022000, 0x40030400, 0x40013800];
  return {
    family: 'u5',
    board: 'nucleo-u575zi',
    hz: 160e6,
    slowHz: 4e6,
    reset: { [rcc]: 0x35, [pwr + 0xc]: 0x8000 },
    rules: [
      { when: [rcc, bit(8), bit(8)], sets: [rcc, bit(10), bit(10)] },
      { when: [pwr + 0xc, 0x30000, 0x30000], sets: [pwr + 0xc, bit(15), bit(15)] },
      // The booster runs on the source of PLL1, which must be chosen, and on a clock that runs.
      { when: [pwr + 0xc, bit(18), bit(18)], also: [rcc + 0x28, 3, 2], sets: [pwr + 0xc, bit(14), bit(14)] },
      { when: [rcc, bit(24), bit(24)], also: [pwr + 0xc, bit(14), bit(14)], sets: [rcc, bit(25), bit(25)] },
      { when: [rcc + 0x1c, 3, 3], also: [flash, 0xf, 4], sets: [rcc + 0x1c, 0xc, 0xc] },
    ],
    pll: (r) =>
      ((16e6 / (bits(r(rcc + 0x28), 8, 4) + 1)) * (bits(r(rcc + 0x34), 0, 9) + 1)) / (bits(r(rcc + 0x34), 24, 7) + 1),
    onPll: (r) => bits(r(rcc + 0x1c), 0, 2) === 3,
    uartHz: (r, cpu) => cpu / ahb(bits(r(rcc + 0x20), 0, 4)) / apb(bits(r(rcc + 0x20), 8, 3)),
    timerHz: (_, cpu) => cpu,
    baud: (r, hz) => hz / r(usart + 0xc),
    pins: { port: 0x42020000, tx: 9, rx: 10, alternate: 7 },
    safe: (r) => bits(r(flash), 8, 1) === 1 && bits(r(icache), 0, 1) === 1 && bits(r(rcc + 0x28), 18, 1) === 1,
  };
})();

const hex = (n: number): string => (n >>> 0).toString(16);
const ruleText = ({ when, also, sets }: Rule): string =>
  [...when, ...(also ?? [0, 0, 0]), ...sets].map((n) => hex(n)).join(',');

/** A program that starts a part; it prints what it has come to. */
async function programOf({ family, board }: Part): Promise<string> {
  const stm32 = join(root, 'boards/common/stm32');
  const out = join(folder.dir, family);
  mkdirSync(folder.dir, { recursive: true });
  const include = [join(root, 'test/host/stm32'), join(root, 'firmware-rpc/include'), stm32, join(stm32, family)];
  const command = [
    ...['gcc', '-std=gnu11', '-O1', '-Wall', '-Wextra', '-Werror', '-Wno-int-to-pointer-cast'],
    ...[...include, join(root, 'boards', board)].flatMap((d) => ['-I', d]),
    ...['machine.c', 'timers.c', 'usart.c'].map((f) => join(stm32, f)),
    familySource(family),
    ...[join(root, 'test/host/stm32/part.c'), '-o', out],
  ];
  const ran = await run(command);
  if (ran.code !== 0) throw new Error(ran.stderr);
  return out;
}

/** Starts it, without the answer of one rule. */
async function started(program: string, part: Part, leftOut = -1): Promise<{ hz: number; r: Registers }> {
  const reset = Object.entries(part.reset).map(([a, v]) => `${hex(Number(a))}=${hex(v)}`);
  const ran = await run([program, String(leftOut), ...reset, ...part.rules.map(ruleText)]);
  if (ran.code !== 0) throw new Error(`ended with ${ran.code} ${ran.stderr}`);
  const { hz, registers } = JSON.parse(ran.stdout) as { hz: number; registers: Record<string, number> };
  return { hz, r: (address) => registers[hex(address).padStart(8, '0')] ?? 0 };
}

function checkLink(part: Part, r: Registers, cpu: number): void {
  const baud = part.baud(r, part.uartHz(r, cpu));
  expect(Math.abs(baud / 115200 - 1), `${part.family} ${baud} baud at ${cpu} Hz`).toBeLessThan(0.01);
  const { port, tx, rx, alternate } = part.pins;
  for (const pin of [tx, rx]) {
    expect(bits(r(port), 2 * pin, 2), 'alternate function').toBe(2);
    expect(bits(r(port + 0x20 + (pin >= 8 ? 4 : 0)), 4 * (pin % 8), 4)).toBe(alternate);
  }
}

const parts = [f4, g0, g4, h7, l4, u5];

test('every family has its model here', () => {
  const folders = readdirSync(join(root, 'boards/common/stm32'), { withFileTypes: true }).filter((d) =>
    d.isDirectory(),
  );
  expect(folders.map((d) => d.name).sort()).toEqual(parts.map((p) => p.family));
});

for (const part of parts) {
  test(`${part.family}: ${part.hz / 1e6} MHz as the registers say, link and timer to match`, async () => {
    const { hz, r } = await started(await programOf(part), part);
    expect(hz).toBe(part.hz);
    expect(part.pll(r)).toBeCloseTo(part.hz, 0);
    expect(part.onPll(r)).toBe(true);
    expect(part.safe(r)).toBe(true);
    checkLink(part, r, part.hz);
    // TIM2 at 10 kHz.
    expect(part.timerHz(r, part.hz) / (r(tim2 + 0x28) + 1)).toBeCloseTo(10_000, 3);
  });

  test(`${part.family}: whichever flag does not come, it starts on its first oscillator and can be talked to`, async () => {
    const program = await programOf(part);
    for (const [i] of part.rules.entries()) {
      const { hz, r } = await started(program, part, i);
      expect(hz, `rule ${i}`).toBe(part.slowHz);
      expect(part.onPll(r), `rule ${i}`).toBe(false);
      checkLink(part, r, part.slowHz);
    }
  });
}

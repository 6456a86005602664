/** Fault status in words: every bit and number of each architecture that has a name, alone and together. */
import { constants } from 'node:os';
import { expect, test } from 'vitest';
import { faultWords } from '../../tuner/measure/fault-words.ts';

const of = (isa: string, cause: number): string => faultWords(isa, { cause });

test('Cortex-M: the exception by name, bits of CFSR and HFSR, several at once', () => {
  expect(of('armv7e-m', 1 << 25)).toBe('UsageFault: division by zero (DIVBYZERO)');
  expect(of('armv8-m.main', 1 << 20)).toBe('UsageFault: stack overflow (STKOF)');
  expect(of('armv7-m', 0x80000000)).toMatch(/^HardFault: .*DEBUGEVT/);
  expect(of('armv7-m', 0x8202)).toMatch(/^MemManage: .*DACCVIOL\), BusFault: .*PRECISERR/);
  const bits = Array.from({ length: 32 }, (_, bit) => of('armv7e-m', 2 ** bit));
  const named = bits.filter((w) => w !== 'fault');
  expect(new Set(named).size).toBe(named.length);
  expect(named.length).toBe(20);
  for (const w of named) expect(w).toMatch(/^(MemManage|BusFault|UsageFault|HardFault): .+\([A-Z]+\)$/);
});

test('where the CPU tells nothing, or nothing that has a name', () => {
  expect(of('armv6-m', 0)).toBe('HardFault');
  expect([of('armv7e-m', 0), of('rv32imac', 10), of('x86_64', 0)]).toEqual(['fault', 'fault', 'fault']);
});

test('RISC-V and a PC', () => {
  expect(of('rv32imafc', 2)).toBe('illegal instruction');
  expect(of('rv32imafc', 7)).toBe('store access fault');
  expect(of('x86_64', constants.signals.SIGSEGV)).toBe('SIGSEGV');
});

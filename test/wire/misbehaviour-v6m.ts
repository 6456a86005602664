/** What goes wrong on an Armv6-M CPU with an unprivileged mode and an MPU, as misbehaviour.ts has it for the Cortex-M4. */
import { c, everywhere, jump, type Misdeed, onStacks, peek, poke, spoilRegisters, thumb } from './misbehaviour.ts';

/** There is no division to trap: the library's, divided by zero, comes back. */
export const everywhereOnV6m = (at: { readonly load: number; readonly data: number }): readonly Misdeed[] =>
  everywhere(at).map((m) => (m.name === 'divides by zero' ? { ...m, ends: 'OK' } : m));

/** `server`: a variable of the server; `code`: some of its code; `uart`: a register of a peripheral; `load`: the load region. */
export const onV6m = (at: {
  readonly server: number;
  readonly code: number;
  readonly uart: number;
  readonly load: number;
}): readonly Misdeed[] => [
  { name: "writes the server's memory", source: poke, arg: at.server, ends: 'FAULT' },
  { name: "reads the server's memory", source: peek, arg: at.server, ends: 'FAULT' },
  { name: 'writes the code', source: poke, arg: at.code, ends: 'FAULT' },
  { name: 'writes the UART', source: poke, arg: at.uart, ends: 'FAULT' },
  { name: 'switches the MPU off', source: poke, arg: 0xe000ed94, ends: 'FAULT' },
  {
    name: 'resets the CPU',
    source: c('*(volatile uint32_t *)(uintptr_t)a = 0x05fa0004u; return 0;'),
    arg: 0xe000ed0c,
    ends: 'FAULT',
  },
  { name: 'reads a word at an odd address', source: peek, arg: at.load + 1, ends: 'FAULT' },
  {
    name: 'reads a halfword at an odd address',
    source: c('return *(volatile uint16_t *)(uintptr_t)a;'),
    arg: at.load + 3,
    ends: 'FAULT',
  },
  { name: 'returns from an exception that is none', source: jump, arg: 0xfffffff9, ends: 'FAULT' },
  { name: 'jumps to Arm code', source: jump, arg: at.load, ends: 'FAULT' },
  { name: 'returns to Arm code', source: thumb('push {r0}; pop {pc}'), arg: at.load, ends: 'FAULT' },
  {
    name: 'runs what only larger CPUs can',
    source: thumb('.inst.n 0xfb90; .inst.n 0xf0f1; bx lr'),
    arg: 0,
    ends: 'FAULT',
  },
  { name: 'compares and branches as larger CPUs can', source: thumb('.inst.n 0xb100; bx lr'), arg: 0, ends: 'FAULT' },
  { name: 'a breakpoint', source: c('__asm__ volatile("bkpt #0"); return 0;'), arg: 0, ends: 'FAULT' },
  {
    name: 'masks interrupts and loops',
    source: c('__asm__ volatile("cpsid i"); for (;;) __asm__ volatile("");'),
    arg: 0,
    ends: 'DEADLINE',
  },
  {
    name: 'masks interrupts by the register and loops',
    source: c('__asm__ volatile("msr primask, %0" ::"r"(1)); for (;;) __asm__ volatile("");'),
    arg: 0,
    ends: 'DEADLINE',
  },
  { name: 'sleeps for ever', source: c('for (;;) __asm__ volatile("wfi");'), arg: 0, ends: 'DEADLINE' },
  {
    name: 'makes itself privileged and loops',
    source: c('__asm__ volatile("msr control, %0; isb" ::"r"(0)); for (;;) *(volatile uint32_t *)(uintptr_t)a = 1;'),
    arg: at.server,
    ends: 'FAULT',
  },
  {
    name: "moves the server's stack",
    source: c('__asm__ volatile("msr msp, %0" ::"r"(a)); return 1;'),
    arg: 0x20000100,
    ends: 'OK',
  },
  { name: 'calls the supervisor', source: c('__asm__ volatile("svc #7"); return 1;'), arg: 0, ends: 'OK' },
  {
    name: 'changes every register it must keep',
    source: thumb(spoilRegisters),
    arg: 0,
    ends: 'OK',
  },
  { name: 'masks interrupts and returns', source: thumb('cpsid i; movs r0, #0; bx lr'), arg: 0, ends: 'OK' },
  ...onStacks(at.server),
];

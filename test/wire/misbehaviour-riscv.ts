/** What only a RISC-V candidate can do wrong, and where it ends otherwise than on other CPUs. See misbehaviour.ts. */
import { assembly, c, everywhere, jump, type Misdeed, peek, poke } from './misbehaviour.ts';

/** The CPU does not trap a division by zero: the quotient is all ones, and the call goes on. */
export const everywhereOnRiscV = (at: { readonly load: number; readonly data: number }): readonly Misdeed[] =>
  everywhere(at).map((m) => (m.name === 'divides by zero' ? { ...m, ends: 'OK' } : m));

/** `server`: a variable of the server; `code`: one of its functions. */
export const onRiscV = (server: number, code: number): readonly Misdeed[] => [
  { name: "writes the server's memory", source: poke, arg: server, ends: 'FAULT' },
  { name: "reads the server's memory", source: peek, arg: server, ends: 'FAULT' },
  { name: 'writes the code', source: poke, arg: code, ends: 'FAULT' },
  { name: 'writes the UART', source: poke, arg: 0x10000000, ends: 'FAULT' },
  { name: 'puts its deadline off', source: poke, arg: 0x02004004, ends: 'FAULT' },
  {
    name: 'resets the machine',
    source: c('*(volatile uint32_t *)(uintptr_t)a = 0x7777u; return 0;'),
    arg: 0x100000,
    ends: 'FAULT',
  },
  {
    name: 'ends the emulator',
    source: c('*(volatile uint32_t *)(uintptr_t)a = 0x5555u; return 0;'),
    arg: 0x100000,
    ends: 'FAULT',
  },
  { name: 'writes across the end of what it may write', source: poke, arg: 0x81fffffd, ends: 'FAULT' },
  {
    name: 'reads and writes unaligned',
    source: c('volatile uint32_t *p = (uint32_t *)(uintptr_t)a; *p = 5; return *p;'),
    arg: 0x81000041,
    ends: 'OK',
  },
  { name: 'jumps into the server', source: jump, arg: code, ends: 'FAULT' },
  { name: 'returns from a trap that is none', source: assembly('mret; ret'), arg: 0, ends: 'FAULT' },
  { name: 'returns from a supervisor', source: assembly('sret; ret'), arg: 0, ends: 'FAULT' },
  { name: 'reads a control register', source: assembly('csrr a0, mstatus; ret'), arg: 0, ends: 'FAULT' },
  { name: 'turns the guard off', source: assembly('csrw pmpcfg0, zero; ret'), arg: 0, ends: 'FAULT' },
  { name: 'takes the trap vector', source: assembly('csrw mtvec, a0; ecall'), arg: 0, ends: 'FAULT' },
  { name: 'masks interrupts and loops', source: assembly('csrci mstatus, 8; j .'), arg: 0, ends: 'FAULT' },
  { name: 'reads the counter', source: assembly('rdinstret a0; ret'), arg: 0, ends: 'FAULT' },
  { name: 'sleeps', source: assembly('wfi; j .'), arg: 0, ends: 'FAULT' },
  { name: 'a breakpoint', source: assembly('ebreak; ret'), arg: 0, ends: 'FAULT' },
  { name: 'calls the supervisor', source: assembly('li a7, 93; ecall; j .'), arg: 0, ends: 'OK' },
  { name: 'needs double precision', source: assembly('.word 0x02007053; ret'), arg: 0, ends: 'FAULT' }, // fadd.d ft0, ft0, ft0
  { name: 'a reserved instruction', source: assembly('.word 0xffffffff'), arg: 0, ends: 'FAULT' },
  {
    name: 'changes every register it must keep',
    source: assembly(
      `li gp, 1; li tp, 2; ${Array.from({ length: 12 }, (_, i) => `li s${i}, ${i + 3}; fmv.w.x fs${i}, a0`).join('; ')}; ret`,
    ),
    arg: 7,
    ends: 'OK',
  },
  { name: 'changes rounding, and returns', source: assembly('fsrmi 1; ret'), arg: 0, ends: 'OK' },
  { name: 'loses its stack pointer', source: assembly('li sp, 0; sw ra, -4(sp); ret'), arg: 0, ends: 'FAULT' },
  { name: 'returns with a broken stack pointer', source: assembly('li sp, 3; ret'), arg: 0, ends: 'OK' },
  {
    name: "takes the server's memory for its stack",
    source: assembly('mv sp, a0; sw ra, -4(sp); ret'),
    arg: server,
    ends: 'FAULT',
  },
  {
    name: "loops on the server's memory as its stack",
    source: assembly('mv sp, a0; j .'),
    arg: server,
    ends: 'DEADLINE',
  },
  { name: 'loses its return address', source: assembly('li ra, 0x60000000; ret'), arg: 0, ends: 'FAULT' },
  {
    name: 'reserves memory and loops',
    source: assembly('1: lr.w t0, (a0); sc.w t1, t0, (a0); j 1b'),
    arg: 0x81000080,
    ends: 'DEADLINE',
  },
];

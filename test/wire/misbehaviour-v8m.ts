/** Candidates that misbehave in ways that only Armv8-M knows: the other world, stack limits, Helium's loops. */
import { c, jump, type Misdeed, poke, thumb } from './misbehaviour.ts';

/** `load`: an address in that region; `server`: a variable of the server. */
export const onArmv8M = (at: { readonly load: number; readonly server: number }): readonly Misdeed[] => [
  { name: 'branches into the non-secure world', source: thumb('bic r0, #1; bxns r0'), arg: at.load, ends: 'FAULT' },
  {
    name: 'calls into the non-secure world',
    source: thumb('push {r4, lr}; bic r0, #1; blxns r0; pop {r4, pc}'),
    arg: at.load,
    ends: 'FAULT',
  },
  { name: 'returns from a function of the other world', source: jump, arg: 0xfeffffff, ends: 'FAULT' },
  { name: 'returns from an exception of the other world', source: jump, arg: 0xffffffbd, ends: 'FAULT' },
  { name: 'makes all memory non-secure', source: poke, arg: 0xe000edd0, ends: 'FAULT' },
  {
    name: 'moves its stack pointer below its stack, and back',
    source: thumb('sub sp, sp, r0; add sp, sp, r0; movs r0, #0; bx lr'),
    arg: 1 << 16,
    ends: 'FAULT',
  },
  {
    name: 'lowers the limit of its stack and goes there',
    source: thumb('movs r1, #0; msr psplim, r1; mov sp, r0; push {r0, r1}; bx lr'),
    arg: at.server,
    ends: 'FAULT',
  },
  {
    name: "raises the limit of the server's stack",
    source: thumb('mvn r1, #7; msr msplim, r1; movs r0, #0; bx lr'),
    arg: 0,
    ends: 'OK',
  },
];

/** With the M-profile vector extension. */
export const onHelium: readonly Misdeed[] = [
  {
    name: 'leaves a tail-predicated loop open',
    source: thumb('movs r1, #3; mov r2, lr; dlstp.8 lr, r1; vmov.i8 q4, #1; bx r2'),
    arg: 0,
    ends: 'OK',
  },
  {
    name: 'leaves a predicate behind',
    source: thumb('movs r1, #0; vmsr p0, r1; movs r0, #0; bx lr'),
    arg: 0,
    ends: 'OK',
  },
  {
    name: 'loops for ever over vectors',
    source: c('__asm__ volatile("1: vmov.i8 q0, #1\\n vadd.i8 q1, q0, q0\\n b 1b" ::: "memory"); return a;'),
    arg: 0,
    ends: 'DEADLINE',
  },
];

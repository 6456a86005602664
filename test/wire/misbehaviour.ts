/**
 * Candidates that misbehave, for every board: what each does and how its call may end. After each one the same device must
 * compute the right thing, and what is resident in the load region must be unchanged.
 */
import { readFileSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { expect } from 'vitest';
import type { Board } from '../../boards/board.ts';
import type { Device } from '../../firmware-rpc/host/device.ts';
import { readElf } from '../../toolchain/index.ts';
import { loadCandidate } from './host-board.ts';

export type Ending = 'OK' | 'FAULT' | 'DEADLINE';
export interface Misdeed {
  readonly name: string;
  /** C with a function mt_entry. */
  readonly source: string;
  /** Its first argument. */
  readonly arg: number;
  readonly ends: Ending;
  /** Ends only when its deadline comes, so that one is short. The others get a long one, for a PC may be busy. */
  readonly waits?: true;
}

export const c = (body: string, before = ''): string =>
  `#include <stdint.h>\n${before}\nuint32_t mt_entry(uint32_t a) {\n${body}\n}\n`;
export const peek = c('return *(volatile uint32_t *)(uintptr_t)a;');
export const poke = c('*(volatile uint32_t *)(uintptr_t)a = 0xffffffffu; return 0;');
export const jump = c('return ((uint32_t (*)(void))(uintptr_t)a)();');
/** A whole function in assembly. */
export const assembly = (body: string): string =>
  `__asm__(".text\\n.global mt_entry\\n.type mt_entry, %function\\nmt_entry:\\n${body.replaceAll(';', '\\n')}\\n");\n`;
export const thumb = (body: string): string => `__asm__(".syntax unified\\n.thumb\\n");\n${assembly(body)}`;
/** `before`, `floats` where there is an FPU, `body`. */
const withFloats = (floats: string, body: string, before = 'nop'): string =>
  `#ifdef __ARM_FP\n${thumb(`${before}; ${floats}; ${body}`)}#else\n${thumb(`${before}; ${body}`)}#endif\n`;
const x86 = (body: string): string =>
  `__asm__(".intel_syntax noprefix\\n");\n${assembly(body)}__asm__(".att_syntax prefix\\n");\n`;

/** No board has memory there. */
export const nowhere = 0x70000000;

/** What goes wrong the same way on every CPU. `load` and `data`: addresses in those regions; `server`: a variable of the server. */
export const everywhere = (at: { readonly load: number; readonly data: number }): readonly Misdeed[] => [
  { name: 'reads through a null pointer', source: peek, arg: 0, ends: 'FAULT' },
  { name: 'writes through a null pointer', source: poke, arg: 0, ends: 'FAULT' },
  { name: 'reads where nothing is', source: peek, arg: nowhere, ends: 'FAULT' },
  { name: 'writes where nothing is', source: poke, arg: nowhere, ends: 'FAULT' },
  { name: 'writes to the load region', source: poke, arg: at.load, ends: 'FAULT' },
  { name: 'jumps to null', source: jump, arg: 0, ends: 'FAULT' },
  { name: 'jumps to nowhere', source: jump, arg: nowhere + 1, ends: 'FAULT' },
  { name: 'runs its data', source: jump, arg: at.data + 1, ends: 'FAULT' },
  { name: 'an undefined instruction', source: c('__builtin_trap();'), arg: 0, ends: 'FAULT' },
  {
    name: 'divides by zero',
    source: c('return (uint32_t)(1000 / *(volatile int32_t *)(uintptr_t)a);'),
    arg: at.data + 64,
    ends: 'FAULT',
  },
  { name: 'loops for ever', source: c('for (;;) __asm__ volatile("");'), arg: 0, ends: 'DEADLINE' },
  {
    name: 'loops for ever, writing',
    source: c('for (;;) ++*(volatile uint32_t *)(uintptr_t)a;'),
    arg: at.data + 68,
    ends: 'DEADLINE',
  },
  {
    name: 'recurses until the stack is used up',
    source: c(
      'return deeper(a);',
      'static __attribute__((noinline)) uint32_t deeper(uint32_t n) { volatile uint32_t b[64]; b[n & 63] = n; return deeper(n + 1) + b[(n + 1) & 63]; }',
    ),
    arg: 0,
    ends: 'FAULT',
  },
  {
    name: 'writes behind its stack',
    source: c(
      'volatile uint8_t here = 0; volatile uint8_t *p = &here; for (uint32_t i = 0; i < a; i++) p[i] = 0xff; return here;',
    ),
    arg: 1 << 20,
    ends: 'FAULT',
  },
];

/**
 * Boards on older machines of QEMU, which let accesses that a bus would refuse pass without effect: there what the MPU does not see,
 * as system registers, is no fault.
 */
export const refusesNothing: ReadonlySet<string> = new Set(['lm3s6965evb']);

/** All registers that a call must leave as they were, on any Cortex-M, and the way back. */
export const spoilRegisters =
  'movs r4, #1; movs r5, #2; movs r6, #3; movs r7, #4; mov r8, r4; mov r9, r5; mov r10, r6; mov r11, r7; movs r0, #0; bx lr';
/** Two instructions a turn, and one more beside the return: for counting. */
export const countdown = thumb('1: subs r0, #1; bne 1b; movs r0, #7; bx lr');

/** Wrong stack pointers on any Cortex-M with an MPU. `server`: a variable of the server. */
export const onStacks = (server: number): readonly Misdeed[] => [
  {
    name: 'loses its stack pointer',
    source: thumb('movs r0, #0; mov sp, r0; push {r0, r1}; bx lr'),
    arg: 0,
    ends: 'FAULT',
  },
  {
    name: 'returns with its stack where nothing is',
    source: thumb('mov sp, r0; bx lr'),
    arg: nowhere,
    ends: 'FAULT',
  },
  {
    name: "takes the server's memory for its stack",
    source: thumb('mov sp, r0; svc #0; bx lr'),
    arg: server,
    ends: 'FAULT',
  },
  {
    name: "loops on the server's memory as its stack",
    source: thumb('mov sp, r0; b .'),
    arg: server,
    ends: 'FAULT',
    waits: true,
  },
];

/** On a Cortex-M with an MPU, from Armv7-M on. `server`: a variable of the server; `load`: a place in the load region. */
export const onCortexM = (server: number, load: number): readonly Misdeed[] => [
  { name: "writes the server's memory", source: poke, arg: server, ends: 'FAULT' },
  { name: "reads the server's memory", source: peek, arg: server, ends: 'FAULT' },
  { name: 'writes the code', source: poke, arg: 0x1000, ends: 'FAULT' },
  { name: 'writes the UART', source: poke, arg: 0x40004000, ends: 'FAULT' },
  { name: 'switches the MPU off', source: poke, arg: 0xe000ed94, ends: 'FAULT' },
  {
    name: 'resets the CPU',
    source: c('*(volatile uint32_t *)(uintptr_t)a = 0x05fa0004u; return 0;'),
    arg: 0xe000ed0c,
    ends: 'FAULT',
  },
  { name: 'returns from an exception that is none', source: jump, arg: 0xfffffff9, ends: 'FAULT' },
  { name: 'jumps to Arm code', source: jump, arg: load, ends: 'FAULT' },
  { name: 'a breakpoint', source: c('__asm__ volatile("bkpt #0"); return 0;'), arg: 0, ends: 'FAULT' },
  {
    name: 'masks interrupts and loops',
    source: c('__asm__ volatile("cpsid i; cpsid f; msr basepri, %0" ::"r"(0x20)); for (;;) __asm__ volatile("");'),
    arg: 0,
    ends: 'DEADLINE',
  },
  { name: 'sleeps for ever', source: c('for (;;) __asm__ volatile("wfi");'), arg: 0, ends: 'DEADLINE' },
  {
    name: 'makes itself privileged and loops',
    source: c('__asm__ volatile("msr control, %0; isb" ::"r"(0)); for (;;) *(volatile uint32_t *)(uintptr_t)a = 1;'),
    arg: server,
    ends: 'FAULT',
  },
  { name: 'calls the supervisor', source: c('__asm__ volatile("svc #7"); return 1;'), arg: 0, ends: 'OK' },
  {
    name: 'changes every register it must keep',
    source: withFloats('vmov s16, r0; vmov s31, r0', spoilRegisters),
    arg: 0,
    ends: 'OK',
  },
  {
    name: 'changes rounding and masks, and returns',
    source: withFloats('vmsr fpscr, r1', 'cpsid i; movs r0, #0; bx lr', 'ldr r1, =0x03c00000; b 1f; .ltorg; 1:'),
    arg: 0,
    ends: 'OK',
  },
  ...onStacks(server),
];

export const onX86 = (server: number): readonly Misdeed[] => [
  { name: "writes the server's memory", source: poke, arg: server, ends: 'OK' },
  { name: 'masks interrupts', source: x86('cli; ret'), arg: 0, ends: 'FAULT' },
  { name: 'loses its stack pointer', source: x86('xor esp, esp; push rax; ret'), arg: 0, ends: 'FAULT' },
  {
    name: 'changes every register it must keep',
    source: x86('mov ebx, 1; mov ebp, 2; mov r12, 3; mov r13, 4; mov r14, 5; mov r15, 6; xor eax, eax; ret'),
    arg: 0,
    ends: 'OK',
  },
  { name: 'ends its process', source: x86('mov edi, 0; mov eax, 231; syscall'), arg: 0, ends: 'FAULT' },
  {
    name: 'kills its process',
    source: x86('mov eax, 39; syscall; mov edi, eax; mov esi, 9; mov eax, 62; syscall; jmp .'),
    arg: 0,
    ends: 'FAULT',
  },
  {
    name: 'blocks every signal and loops',
    // rt_sigprocmask(SIG_BLOCK, all ones on the stack, 0, 8)
    source: x86('push -1; mov edi, 0; mov rsi, rsp; xor edx, edx; mov r10d, 8; mov eax, 14; syscall; jmp .'),
    arg: 0,
    ends: 'DEADLINE',
  },
  {
    name: "closes the server's connection",
    source: x86(
      'mov r12d, 3; 1: mov edi, r12d; mov eax, 3; syscall; inc r12d; cmp r12d, 32; jne 1b; xor eax, eax; ret',
    ),
    arg: 0,
    ends: 'OK',
  },
];

/** Address of a variable of the server, from its ELF. */
export const serverVariable = (elf: string): number => {
  const at = readElf(readFileSync(elf)).symbol('server');
  if (at === undefined) throw new Error('the server has no variable "server"');
  return at;
};

/** Does sums in floating point and integers, writes its output, uses its stack, and checks that the CPU is in its usual state. */
const good = `#include <stdint.h>
uint32_t mt_entry(uint32_t from, uint32_t n, uint32_t to) {
  const uint8_t *x = (const uint8_t *)(uintptr_t)from;
  volatile float sum = 0.0f;
  volatile uint32_t kept[64];
  uint32_t total = 0;
  for (uint32_t i = 0; i < n; i++) { kept[i & 63u] = x[i]; total += kept[i & 63u]; sum = sum + (float)x[i] / 3.0f; }
  *(float *)(uintptr_t)to = sum;
#if defined(__arm__)
  uint32_t primask, control;
  __asm__("mrs %0, primask\\n mrs %1, control" : "=r"(primask), "=r"(control));
  if (primask != 0u || (control & 2u) == 0u) return 0xbadu;
#if !defined(__ARM_ARCH_6M__)
  if ((control & 1u) == 0u) return 0xbadu;
#endif
#endif
#if defined(__ARM_FP)
  uint32_t fpscr;
  __asm__("vmrs %0, fpscr" : "=r"(fpscr));
  if ((fpscr & 0x07c00000u) != 0u) return 0xbadu;
#endif
#if defined(__riscv_flen)
  uint32_t rounding;
  __asm__("frrm %0" : "=r"(rounding));
  if (rounding != 0u) return 0xbadu;
#endif
  return total;
}`;
/** Offsets in the load region of the good candidate and of the block, and the block's bytes. */
export interface Places {
  readonly good: number;
  readonly block: number;
  readonly blockBytes: number;
}
const usualPlaces: Places = { good: 0x10000, block: 0x20000, blockBytes: 4096 };

/** The device with a good candidate and a block of constants resident, and the proof that both still are as they were. */
export class Witness {
  private readonly device: Device;
  private readonly entry: number;
  private readonly block: Uint8Array;
  private readonly places: Places;
  private expected: string | undefined;
  private constructor(device: Device, entry: number, block: Uint8Array, places: Places) {
    this.device = device;
    this.entry = entry;
    this.block = block;
    this.places = places;
  }
  static async on(device: Device, board: Board, cacheDir: string, places = usualPlaces): Promise<Witness> {
    const entry = await loadCandidate(device, board, good, places.good, cacheDir);
    const block = Uint8Array.from({ length: places.blockBytes }, (_, i) => (i * 31 + (i >> 5)) & 255);
    await device.load(device.info.load.base + places.block, block);
    return new Witness(device, entry, block, places);
  }
  /** One call of the good candidate: right, and as it always was. */
  async check(what: string): Promise<void> {
    const { load, data } = this.device.info;
    await this.device.load(data.base + 1024, this.block.subarray(0, 200));
    await this.device.fill(data.base + 2048, 4, 1, 0);
    const args = [data.base + 1024, 200, data.base + 2048];
    const called = await this.device.call({ entry: this.entry, args, warmups: 1, repeats: 1, deadlineMs: 2000 });
    const total = this.block.subarray(0, 200).reduce((n, b) => n + b, 0);
    expect(called, what).toMatchObject({ ok: true, returned: total });
    const output = Buffer.from(await this.device.fetch(data.base + 2048, 4)).toString('hex');
    this.expected ??= output;
    expect(output, what).toBe(this.expected);
    expect(await this.device.crc(load.base + this.places.block, this.block.length), what).toBe(crc32(this.block));
  }
}

/** Runs one misdeed and looks whether the device bore it. */
export async function commit(
  m: Misdeed,
  device: Device,
  board: Board,
  witness: Witness,
  cacheDir: string,
): Promise<void> {
  await device.load(device.info.data.base, new Uint8Array(128));
  const entry = await loadCandidate(device, board, m.source, 0, cacheDir);
  const deadlineMs = m.ends === 'DEADLINE' || m.waits === true ? 30 : 5000;
  const called = await device.call({ entry, args: [m.arg], warmups: 0, repeats: 1, deadlineMs });
  const ending = called.ok ? 'OK' : called.code;
  expect(ending, `${m.name}: ${called.ok ? 'returned' : called.detail}`).toBe(m.ends);
  await witness.check(m.name);
}

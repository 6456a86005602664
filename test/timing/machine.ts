/**
 * Measures short pieces of assembly on an emulated machine under the timing plugin: no server, no board, nothing but the
 * pieces. All pieces of a test become one image that runs through them once and ends.
 * Must stay true: a piece's count is that of the piece alone: what calling an empty function costs is taken off.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { Timing } from '../../boards/board.ts';
import { type Cause, causes } from '../../boards/index.ts';
import { type Counters, countersAt, mailboxBytes, runImage } from './image.ts';

const execute = promisify(execFile);
const timingFolder = resolve(import.meta.dirname, '../../boards/common/timing');

/** A machine of QEMU: where code, stack, and the memory that is shared through a file lie. */
export interface Machine {
  readonly name: string;
  /** What the pieces are compiled for. */
  readonly cpu: readonly string[];
  readonly code: { readonly base: number; readonly bytes: number };
  readonly ram: { readonly base: number; readonly bytes: number };
  readonly shared: { readonly base: number; readonly bytes: number };
}
const mps2 = {
  code: { base: 0, bytes: 0x400000 },
  ram: { base: 0x20000000, bytes: 0x400000 },
  shared: { base: 0x21000000, bytes: 0x1000000 },
};
export const an386: Machine = {
  name: 'mps2-an386',
  cpu: ['-mcpu=cortex-m4', '-mthumb', '-mfloat-abi=hard', '-mfpu=fpv4-sp-d16'],
  ...mps2,
};
export const an385: Machine = { name: 'mps2-an385', cpu: ['-mcpu=cortex-m3', '-mthumb'], ...mps2 };
export const an500: Machine = {
  name: 'mps2-an500',
  cpu: ['-mcpu=cortex-m7', '-mthumb', '-mfloat-abi=hard', '-mfpu=fpv5-sp-d16'],
  ...mps2,
  shared: { base: 0x60000000, bytes: 0x1000000 },
};
/** In the secure state, as it starts. */
export const an505: Machine = {
  name: 'mps2-an505',
  cpu: ['-mcpu=cortex-m33', '-mthumb', '-mfloat-abi=hard', '-mfpu=fpv5-sp-d16'],
  code: { base: 0x10000000, bytes: 0x400000 },
  ram: { base: 0x38000000, bytes: 0x400000 },
  shared: { base: 0x80000000, bytes: 0x1000000 },
};
/** QEMU wants all 2 GiB of its DDR shared: a sparse file. */
export const an547: Machine = {
  name: 'mps3-an547',
  cpu: ['-mcpu=cortex-m55', '-mthumb', '-mfloat-abi=hard'],
  code: { base: 0, bytes: 0x80000 },
  ram: { base: 0x1000000, bytes: 0x200000 },
  shared: { base: 0x60000000, bytes: 0x80000000 },
};
/** The machine has an M3; code is what an M0+ understands. */
export const an385AsM0plus: Machine = { name: 'mps2-an385', cpu: ['-mcpu=cortex-m0plus', '-mthumb'], ...mps2 };

/** Where the pieces find memory: offsets of the addresses that they get in r0, r1, r2. */
const scratch = 0x100000;
/** Behind the code, in a memory that may be small. */
const constants = (m: Machine): number => m.code.base + Math.min(scratch, (m.code.bytes / 4) * 3);
const results = 0xf00000;
const mailbox = 0xff0000;

export interface Piece {
  readonly name: string;
  /**
   * Assembly: may use every register but sp, lr. At entry r0 points to RAM, r1 to the code memory's constants, r2 to the
   * shared RAM, r3 = 4. `bx lr` follows.
   */
  readonly text: string;
  /** Memory that the piece runs from; 'code' where it is left out. */
  readonly from?: 'code' | 'ram' | 'shared';
}
/** What one run of a piece counted beyond an empty call. */
export interface Count {
  readonly cycles: number;
  readonly instructions: number;
  readonly causes: Readonly<Record<Cause, number>>;
  readonly unknown: number;
  readonly unmapped: number;
  readonly fetchMisses: number;
  readonly dataMisses: number;
}
/** `cold`: after SETTLE. `warm`: the run after it. */
export interface Measured {
  readonly cold: Count;
  readonly warm: Count;
}

const section = (p: Piece): string => `.piece_${p.from ?? 'code'}`;
const pieceText = (p: Piece, index: number): string =>
  `.section ${section(p)}, "ax"\n.balign 64\n.thumb_func\npiece_${index}:\n${p.text}\nbx lr\n.balign 4\n.ltorg\n`;

/** The pieces, and the table of them that main() below walks through. */
const assembly = (pieces: readonly Piece[]): string => `.syntax unified
.thumb
${pieces.map(pieceText).join('')}
.section .rodata, "a"
.balign 4
.global pieces, piece_count
pieces:
${pieces.map((_, i) => `.word piece_${i}\n`).join('')}
piece_count: .word ${pieces.length}
`;

const driver = (m: Machine): string => `#include "mailbox.h"
#include <string.h>
extern uint32_t stack_top[], ram_pieces[], ram_pieces_end[], ram_pieces_load[], shared_pieces[], shared_pieces_end[],
    shared_pieces_load[], pieces[], piece_count;
static struct mt_mailbox (*const out)[3] = (struct mt_mailbox (*)[3])${m.shared.base + results}u;
#define MAILBOX ((const volatile struct mt_mailbox *)${m.shared.base + mailbox}u)
__attribute__((naked, noinline)) static void count(uint32_t piece) {
    __asm__ volatile("push {r4-r7, lr}\\n mov r4, r8\\n mov r5, r9\\n mov r6, r10\\n mov r7, r11\\n push {r4-r7}\\n"
                     "mov r12, r0\\n ldr r0, =${m.ram.base + scratch}\\n ldr r1, =${constants(m)}\\n"
                     "ldr r2, =${m.shared.base + scratch}\\n movs r3, #4\\n movs r4, #0\\n movs r5, #0\\n movs r6, #0\\n"
                     "movs r7, #0\\n b 1f\\n .balign 64\\n 1:" MT_TIMING_BEGIN "blx r12\\n nop\\n" MT_TIMING_END
                     "pop {r4-r7}\\n mov r8, r4\\n mov r9, r5\\n mov r10, r6\\n mov r11, r7\\n pop {r4-r7, pc}\\n .ltorg");
}
static void keep(struct mt_mailbox *to) {
    __asm__ volatile(MT_TIMING_READ ::: "memory");
    memcpy(to, (const void *)MAILBOX, sizeof *to);
}
__attribute__((used)) void start(void) {
    *(volatile uint32_t *)0xe000ed88u |= 0xfu << 20;
    __asm__ volatile("dsb\\n isb");
    memcpy(ram_pieces, ram_pieces_load, (uint32_t)((char *)ram_pieces_end - (char *)ram_pieces));
    memcpy(shared_pieces, shared_pieces_load, (uint32_t)((char *)shared_pieces_end - (char *)shared_pieces));
    for (uint32_t i = 0; i < piece_count; i++) {
        keep(&out[i][0]);
        __asm__ volatile(MT_TIMING_SETTLE ::: "memory");
        count(pieces[i] | 1u);
        keep(&out[i][1]);
        count(pieces[i] | 1u);
        keep(&out[i][2]);
    }
    register uint32_t r0 __asm__("r0") = 0x18, r1 __asm__("r1") = 0x20026;
    __asm__ volatile("bkpt 0xab" ::"r"(r0), "r"(r1));
    for (;;) {}
}
__attribute__((section(".vectors"), used)) static void *const vectors[] = {stack_top, (void *)start};
_Static_assert(sizeof(struct mt_mailbox) == ${mailboxBytes}, "as the host reads it");
`;

const linkScript = (m: Machine): string => `MEMORY {
  CODE (rx) : ORIGIN = ${m.code.base}, LENGTH = ${m.code.bytes}
  RAM (rwx) : ORIGIN = ${m.ram.base}, LENGTH = ${m.ram.bytes}
  SHARED (rwx) : ORIGIN = ${m.shared.base}, LENGTH = ${m.shared.bytes}
}
SECTIONS {
  .text : { KEEP(*(.vectors)) *(.text*) *(.rodata*) . = ALIGN(64); *(.piece_code) . = ALIGN(64); } > CODE
  .ram : { ram_pieces = .; *(.piece_ram) . = ALIGN(64); ram_pieces_end = .; } > RAM AT > CODE
  ram_pieces_load = LOADADDR(.ram);
  .shared : { shared_pieces = .; *(.piece_shared) . = ALIGN(64); shared_pieces_end = .; } > SHARED AT > CODE
  shared_pieces_load = LOADADDR(.shared);
  stack_top = ORIGIN(RAM) + LENGTH(RAM);
  /DISCARD/ : { *(.ARM.*) *(.comment) }
}
`;

/** b − a − empty, counter by counter. */
function difference(a: Counters, b: Counters, empty?: Count): Count {
  const of = (name: Exclude<keyof Counters, 'causes'>): number => b[name] - a[name] - (empty?.[name] ?? 0);
  const byCause = causes.map((c, i) => [c, (b.causes[i] ?? 0) - (a.causes[i] ?? 0) - (empty?.causes[c] ?? 0)]);
  return {
    cycles: of('cycles'),
    instructions: of('instructions'),
    causes: Object.fromEntries(byCause) as Record<Cause, number>,
    unknown: of('unknown'),
    unmapped: of('unmapped'),
    fetchMisses: of('fetchMisses'),
    dataMisses: of('dataMisses'),
  };
}

async function image(m: Machine, pieces: readonly Piece[], dir: string): Promise<string> {
  const elf = join(dir, 'image.elf');
  writeFileSync(join(dir, 'pieces.s'), assembly(pieces));
  writeFileSync(join(dir, 'main.c'), driver(m));
  writeFileSync(join(dir, 'link.ld'), linkScript(m));
  const flags = [...m.cpu, '-O1', '-ffreestanding', '-nostartfiles', '--specs=nano.specs', `-I${timingFolder}`];
  const files = [join(dir, 'main.c'), join(dir, 'pieces.s'), '-T', join(dir, 'link.ld'), '-o', elf];
  await execute('arm-none-eabi-gcc', [...flags, ...files]);
  return elf;
}

/** Measures each piece, by name. `extra`: more options of QEMU. Pieces in one memory share one empty call. */
export async function measure(
  m: Machine,
  timing: Timing,
  pieces: readonly Piece[],
  extra: readonly string[] = [],
): Promise<(name: string) => Measured> {
  const dir = mkdtempSync(join(tmpdir(), 'microtune-timing-'));
  try {
    const places = [...new Set(pieces.map((p) => p.from ?? 'code'))];
    const empties = places.map((from): Piece => ({ name: `empty ${from}`, text: '', from }));
    const all = [...empties, ...pieces];
    const shared = { ...m.shared, mailbox: m.shared.base + mailbox };
    const { ram } = await runImage({ machine: m.name, timing, shared, elf: await image(m, all, dir), extra });
    const raw = all.map((_, i) => [0, 1, 2].map((k) => countersAt(ram, results + (3 * i + k) * mailboxBytes)));
    const counted = (i: number, k: number, empty?: Count): Count => {
      const [before, after] = [raw[i]?.[k], raw[i]?.[k + 1]];
      if (before === undefined || after === undefined) throw new Error(`piece ${i} was not measured`);
      return difference(before, after, empty);
    };
    const found = new Map(
      all.map((p, i): [string, Measured] => {
        const e = places.indexOf(p.from ?? 'code');
        return [p.name, { cold: counted(i, 0, counted(e, 0)), warm: counted(i, 1, counted(e, 1)) }];
      }),
    );
    return (name) => {
      const one = found.get(name);
      if (one === undefined) throw new Error(`no piece ${name}`);
      return one;
    };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** A line of assembly, n times. */
export const times = (n: number, text: string): string => `.rept ${n}\n${text}\n.endr\n`;

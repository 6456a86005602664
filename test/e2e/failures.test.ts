/**
 * Failures that are provoked, not simulated, on boards of every family: what a candidate does wrong is recorded with the fault
 * in the CPU's words, pc and lr, and the line of C that did it; and a good candidate measured behind it is right.
 */
import { afterAll, expect, test } from 'vitest';
import type { BoardModule } from '../../boards/index.ts';
import { emulatedBoards } from '../emulated.ts';
import { type Sabotage, sabotaged } from '../saboteur.ts';
import { randomNode } from '../unit/graphs.ts';
import { Random } from '../unit/random.ts';
import { firmwareIn, unguardedHost, workFolder } from '../wire/host-board.ts';
import { refusesNothing, serverVariable } from '../wire/misbehaviour.ts';

const folder = workFolder();
afterAll(() => folder.remove());

const graph = randomNode('conv2d', new Random(5));

/** Where nothing guards the firmware (`bare`) some failures end otherwise, whatever the CPU. */
type Family = 'armv6' | 'armv7' | 'armv8' | 'riscv' | 'pc' | 'bare';
const bare: ReadonlySet<string> = new Set(['host-unguarded', 'microbit']);
function familyOf({ id, target: { isa } }: BoardModule): Family {
  if (bare.has(id)) return 'bare';
  if (isa.startsWith('armv6')) return 'armv6';
  if (isa.startsWith('armv7')) return 'armv7';
  if (isa.startsWith('armv8')) return 'armv8';
  return isa.startsWith('rv') ? 'riscv' : 'pc';
}

interface Failure extends Sabotage {
  /** It is the bus that refuses it, not the MPU. */
  readonly by?: 'bus';
  readonly name: string;
  /** How the record's detail begins, by family; a family that is left out does not have this failure. */
  readonly told: Partial<Readonly<Record<Family, RegExp>>>;
  /** The CPU may lose its place: then there is no line to tell. */
  readonly place?: 'lost';
}
const mainline = (words: RegExp): Failure['told'] => ({ armv7: words, armv8: words });
const all = (words: RegExp): Failure['told'] => ({
  ...mainline(words),
  armv6: words,
  riscv: words,
  pc: words,
  bare: words,
});
/** An Armv6-M part has no fault status; its twin on a larger CPU has. */
const hardFaultOr = (words: RegExp): RegExp => new RegExp(`^HardFault|${words.source}`);
const forbidden = /^MemManage: data access where the MPU allows none/;

/** `server`: the address of a variable of the firmware. */
const failures = (server: string): readonly Failure[] => [
  {
    name: 'a bad address',
    statement: '*(volatile int *)0xf0000000u = 1;',
    told: {
      ...mainline(forbidden),
      armv6: hardFaultOr(forbidden),
      riscv: /^store access fault at 0xf0000000/,
      pc: /^SIGSEGV at 0xf0000000/,
    },
  },
  {
    name: 'a jump to nowhere',
    statement: '{ ((void (*)(void))0x60000001u)(); *(volatile char *)a1; }',
    told: {
      ...mainline(/^MemManage: instruction fetch .*, called from mt_spoiled line \d+: `\{ \(\(void/),
      armv6: /^(HardFault|MemManage: instruction fetch .*), called from mt_spoiled line \d+: `\{ \(\(void/,
      riscv: /^instruction access fault at 0x6000000., called from mt_spoiled line \d+: `\{ \(\(void/,
      pc: /^SIGSEGV/,
      bare: /^(HardFault|SIGSEGV)/,
    },
    place: 'lost',
  },
  {
    name: 'a register that only the firmware may touch',
    by: 'bus',
    statement: '*(volatile int *)0xe000ed94u = 0;',
    told: mainline(/^BusFault: data access where nothing is \(PRECISERR\) at 0xe000ed94/),
  },
  {
    name: 'an undefined instruction',
    statement: '__builtin_trap();',
    told: {
      ...mainline(/^UsageFault: undefined instruction/),
      armv6: hardFaultOr(/^UsageFault: undefined instruction/),
      riscv: /^(illegal instruction|breakpoint)/,
      pc: /^SIGILL/,
      bare: /^(HardFault|SIGILL)/,
    },
  },
  {
    name: 'an unaligned access',
    statement: `{ unsigned *p = (unsigned *)((char *)a1 + 1); __asm__ volatile("ldmia %0!, {r2, r3}" : "+l"(p) : : "r2", "r3", "memory"); }`,
    told: { ...mainline(/^UsageFault: unaligned access/), armv6: hardFaultOr(/^UsageFault: unaligned access/) },
  },
  {
    name: 'a division by zero',
    statement: '{ volatile int zero = 0; *(volatile int *)a1 = 1000 / zero; }',
    told: { ...mainline(/^UsageFault: division by zero/), pc: /^SIGFPE/ },
  },
  {
    name: 'a breakpoint',
    statement: '__asm__ volatile("bkpt #0");',
    told: { ...mainline(/^HardFault/), armv6: /^HardFault/ },
  },
  {
    name: 'an endless loop',
    statement: 'for (;;) __asm__ volatile("");',
    told: all(/^stopped at its deadline/),
  },
  {
    name: 'a stray write to the firmware',
    statement: `*(volatile int *)${server}u = -1;`,
    told: {
      ...mainline(forbidden),
      armv6: hardFaultOr(forbidden),
      riscv: /^store access fault/,
      bare: /^wrote over the firmware, which has restarted/,
    },
    place: 'lost',
  },
  {
    name: 'a stack that runs over',
    file: `static __attribute__((noinline)) int deep(volatile int n) { volatile int here[64]; here[0] = n;
      return n == 0 ? 0 : deep(n - 1) + here[0]; }`,
    statement: 'deep(1000000);',
    told: {
      armv7: /^MemManage/,
      armv8: /^(UsageFault: stack overflow|MemManage)/,
      armv6: hardFaultOr(/^MemManage/),
      riscv: /^store access fault/,
      pc: /^SIGSEGV/,
      bare: /^(wrote over the firmware|the device restarted during the call|HardFault)/,
    },
    place: 'lost',
  },
  {
    name: 'a stack pointer that is lost',
    statement: '__asm__ volatile("ldr r0, =0xf0000000\\n mov sp, r0\\n pop {r4, pc}\\n .ltorg" : : : "r0", "memory");',
    told: { ...mainline(/^MemManage/), armv6: hardFaultOr(/^MemManage/) },
    place: 'lost',
  },
];

/** Whether a detail tells this failure: the right words, the registers, and the line of C unless the place is lost. */
const tells = ({ told, statement, place }: Failure, family: Family, detail: string): boolean =>
  told[family]?.test(detail) === true &&
  (place === 'lost' ||
    (detail.includes(`line `) &&
      detail.includes(`\`${statement}\``) &&
      /\(pc 0x[0-9a-f]{8} lr 0x[0-9a-f]{8} cause 0x[0-9a-f]{8}\)$/.test(detail)));

/** Names of failures that no detail tells; each detail tells one. Those with a line of C are looked for first. */
function untold(list: readonly Failure[], family: Family, details: readonly string[]): readonly string[] {
  const left = [...details];
  const exactFirst = [...list.filter((f) => f.place === undefined), ...list.filter((f) => f.place !== undefined)];
  return exactFirst.flatMap((f) => {
    const at = left.findIndex((d) => tells(f, family, d));
    if (at >= 0) left.splice(at, 1);
    return at >= 0 ? [] : [f.name];
  });
}

/** A board of each family; all of them in a long run. */
const emulated = emulatedBoards(['microbit', 'mps2-an386', 'riscv32-virt']);

for (const board of [...emulated, unguardedHost])
  test(`${board.id}: every failure is recorded with its cause, its place and its line of C`, async () => {
    const family = familyOf(board);
    const { elf } = await firmwareIn(folder.dir, board);
    const list = failures(`0x${serverVariable(elf).toString(16)}`).filter(
      (f) => f.told[family] !== undefined && !(f.by === 'bus' && refusesNothing.has(board.id)),
    );
    const records = await sabotaged(graph, board, list);
    const failed = records.flatMap((r) => (r.result.status === 'failed' ? [r.result] : []));
    const details = failed.map((f) => f.detail);
    expect(untold(list, family, details), details.join('\n')).toEqual([]);
    expect(failed.map((f) => f.stage)).toEqual(list.map(() => 'run'));
    // A good candidate in front of each and behind the last, and the default schedule.
    expect(records.filter((r) => r.result.status === 'ok')).toHaveLength(list.length + 2);
  });

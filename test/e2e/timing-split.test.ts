/**
 * A count depends on the program alone: not on how QEMU cuts it into blocks, not on what else the PC does, not on the run.
 * Random programs on memories with every rule at work, once as QEMU likes, once cut into single instructions, once with
 * so little room for translations that they are thrown away again and again.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import type { Timing, TimingCore } from '../../boards/board.ts';
import { samples } from '../samples.ts';
import {
  an385,
  an385AsM0plus,
  an386,
  an500,
  an505,
  an547,
  type Machine,
  type Measured,
  measure,
  type Piece,
  times,
} from '../timing/machine.ts';
import { Random } from '../unit/random.ts';

/** Small caches, so that short programs fill and empty them; `m` says where the memories are. */
const timing = (core: TimingCore, m: Machine): Timing => ({
  core,
  caches: [
    { name: 'i', lines: 8, lineBytes: 32, sectorBytes: 8 },
    { name: 'd', lines: 4, ways: 2, lineBytes: 16 },
    { name: 'wb', lines: 4, ways: 2, lineBytes: 32, writes: 'back' },
  ],
  regions: [
    {
      name: 'flash',
      base: hex(m.code.base),
      bytes: m.code.bytes,
      readWait: 5,
      unit: 8,
      prefetch: true,
      instructions: 'i',
      data: 'd',
    },
    { name: 'system', base: hex(m.ram.base), bytes: m.ram.bytes, fetchWait: 1, writeWait: 2, bus: 1 },
    { name: 'alias', base: hex(m.shared.base), bytes: m.shared.bytes, readWait: 3, data: 'wb' },
  ],
});
const hex = (n: number): string => `0x${n.toString(16)}`;

const low = ['r4', 'r5', 'r6', 'r7'] as const;
const base = ['r0', 'r1', 'r2'] as const;
type Line = (r: Random) => string;
const reg: Line = (r) => r.pick(low);
const word: Line = (r) => `#${4 * r.int(0, 31)}`;

/** What an Armv6-M understands, too. */
const simple: readonly Line[] = [
  (r) => `adds ${reg(r)}, #${r.int(0, 255)}`,
  (r) => `eors ${reg(r)}, ${reg(r)}`,
  (r) => `muls ${reg(r)}, ${reg(r)}`,
  (r) => `lsls ${reg(r)}, ${reg(r)}, #${r.int(1, 31)}`,
  () => 'nop',
  (r) => `ldr ${reg(r)}, [${r.pick(base)}, ${word(r)}]`,
  (r) => `ldrb ${reg(r)}, [${r.pick(base)}, r3]`,
  (r) => `ldrh ${reg(r)}, [${r.pick(base)}, #${2 * r.int(0, 31)}]`,
  (r) => `str ${reg(r)}, [${r.pick(['r0', 'r2'])}, ${word(r)}]`,
  (r) => `strb ${reg(r)}, [${r.pick(['r0', 'r2'])}, r3]`,
  () => 'push {r4-r6}\npop {r4-r6}',
  (r) => `cmp ${reg(r)}, ${reg(r)}\nbne 1f\n${r.pick(['nop', 'adds r4, #1'])}\n1:`,
  (r) => `tst ${reg(r)}, ${reg(r)}\nbeq 1f\nadds r5, #3\n1:`,
];
const thumb2: readonly Line[] = [
  (r) => `add.w ${reg(r)}, ${reg(r)}, ${reg(r)}, lsl #${r.int(0, 3)}`,
  (r) => `ldr.w ${reg(r)}, [${r.pick(base)}, #${r.int(0, 120)}]`,
  (r) => `mov r9, r0\nldr ${reg(r)}, [r9], #4\nldrh ${reg(r)}, [r9, #2]!`,
  (r) => `str.w ${reg(r)}, [r0, #${r.int(0, 120)}]`,
  (r) => `add r8, ${r.pick(base)}, #8\nldr ${reg(r)}, [r8]`,
  (r) => `ldrd r4, r5, [${r.pick(base)}, ${word(r)}]`,
  (r) => `ldmia ${r.pick(base)}, {r4-r7}`,
  (r) => `smull r4, r5, ${reg(r)}, ${reg(r)}`,
  (r) => `mla ${reg(r)}, ${reg(r)}, ${reg(r)}, ${reg(r)}`,
  (r) => `udiv ${reg(r)}, ${reg(r)}, ${reg(r)}`,
  (r) => `cmp ${reg(r)}, #0\nit ne\nldrne ${reg(r)}, [r1]`,
  (r) => `cbz ${reg(r)}, 1f\nadds r6, #1\n1:`,
  (r) => `ubfx ${reg(r)}, ${reg(r)}, #3, #7`,
];
const dspAndFp: readonly Line[] = [
  (r) => `smlad ${reg(r)}, ${reg(r)}, ${reg(r)}, ${reg(r)}`,
  (r) => `sxtb16 ${reg(r)}, ${reg(r)}, ror #8`,
  (r) => `vfma.f32 s${r.int(0, 3)}, s${r.int(4, 7)}, s${r.int(0, 7)}`,
  (r) => `vadd.f32 s${r.int(0, 7)}, s${r.int(0, 7)}, s${r.int(0, 7)}`,
  (r) => `vldr s${r.int(0, 7)}, [${r.pick(base)}, ${word(r)}]`,
  (r) => `vmov ${reg(r)}, s${r.int(0, 7)}`,
  (r) => `vdiv.f32 s${r.int(0, 7)}, s8, s9`,
];

/** Random lines, called one to three times: later turns meet other caches than the first. */
function piece(r: Random, lines: readonly Line[], name: string): Piece {
  const body = Array.from({ length: r.int(10, 80) }, () => r.pick(lines)(r)).join('\n');
  const turns = `mov r11, lr\n${`bl 9f\n`.repeat(r.int(1, 3))}mov lr, r11\nb 8f\n.ltorg\n9:\n${body}\nbx lr\n8:\n`;
  return { name, text: turns, from: r.pick(['code', 'ram', 'shared'] as const) };
}

const all = [...simple, ...thumb2, ...dspAndFp];
const cores: readonly (readonly [TimingCore, Machine, readonly Line[]])[] = [
  ['cortex-m4', an386, all],
  ['cortex-m3', an385, [...simple, ...thumb2]],
  ['cortex-m0plus', an385AsM0plus, simple],
  ['cortex-m7', an500, all],
  ['cortex-m33', an505, all],
  ['cortex-m55', an547, all],
];

const programs = samples(24, 200);
const namesOf = (pieces: readonly Piece[]): readonly string[] => pieces.map((p) => p.name);
const counts = (m: (name: string) => Measured, pieces: readonly Piece[]): readonly Measured[] => namesOf(pieces).map(m);

test.each(cores)(
  '%s: cut into single instructions, and translated anew: the same counts',
  async (core, machine, lines) => {
    const r = new Random(77);
    const random = Array.from({ length: programs }, (_, i) => piece(r, lines, `program ${i}`));
    // More translations than a MiB can hold, so that they are thrown away while it runs.
    const long: Piece = { name: 'long', text: times(10_000, 'adds r4, #1\nldr r5, [r2]\nldrb r6, [r2, r3]') };
    const pieces = [...random, long];
    const t = timing(core, machine);
    const usual = await measure(machine, t, pieces);
    const single = await measure(machine, t, pieces, ['-singlestep']);
    const crowded = await measure(machine, t, pieces, ['-accel', 'tcg,tb-size=1']);
    expect(counts(single, pieces)).toEqual(counts(usual, pieces));
    expect(counts(crowded, pieces)).toEqual(counts(usual, pieces));
    // The rules were at work.
    const { cold } = usual('program 0');
    expect(cold.cycles).toBeGreaterThan(cold.instructions);
    const sum = counts(usual, pieces).map((c) => c.cold.causes);
    for (const cause of ['fetch', 'data', 'branch'] as const)
      expect(
        sum.some((c) => c[cause] > 0),
        cause,
      ).toBe(true);
    expect(counts(usual, pieces).every((c) => c.cold.unknown + c.cold.unmapped === 0)).toBe(true);
  },
);

test('the same counts on a busy PC, run after run', async () => {
  const r = new Random(78);
  const pieces = Array.from({ length: 8 }, (_, i) => piece(r, all, `program ${i}`));
  const t = timing('cortex-m4', an386);
  const quiet = await measure(an386, t, pieces);
  const busy = [1, 2].map(() => spawn('/bin/sh', ['-c', 'while :; do :; done'], { stdio: 'ignore' }));
  try {
    for (let run = 0; run < 2; run++)
      expect(counts(await measure(an386, t, pieces), pieces)).toEqual(counts(quiet, pieces));
  } finally {
    for (const child of busy) {
      child.kill('SIGKILL');
      await once(child, 'close');
    }
  }
});

/**
 * How fast is the timing model? Guest instructions a second for the inner loop of a matrix product as the templates write
 * it: weights from flash, inputs from RAM, on a Cortex-M4 without caches and with those of an STM32L4+ (RM0432), and on
 * the other cores. What starting takes is measured and taken off. `npm run bench:timing [-- --json]`.
 */
import type { Timing, TimingCore } from '../boards/board.ts';
import { an385AsM0plus, an386, an500, an505, type Machine, measure } from '../test/timing/machine.ts';

/** Turns of the outer loop: of a second or so, and of next to nothing. */
const turns = { long: 300_000, short: 1 };
const repeats = 3;

const hex = (n: number): string => `0x${n.toString(16)}`;
const places = (m: Machine) =>
  ({
    flash: { name: 'flash', base: hex(m.code.base), bytes: m.code.bytes },
    rams: [
      { name: 'ram', base: hex(m.ram.base), bytes: m.ram.bytes },
      { name: 'shared', base: hex(m.shared.base), bytes: m.shared.bytes },
    ],
  }) as const;
const plain = (core: TimingCore, m: Machine): Timing => {
  const { flash, rams } = places(m);
  return { core, caches: [], regions: [flash, ...rams] };
};
const cached = (core: TimingCore, m: Machine): Timing => {
  const { flash, rams } = places(m);
  const part = { lineBytes: 32, sectorBytes: 8 } as const;
  const caches = [
    { name: 'i', lines: 32, ...part },
    { name: 'd', lines: 8, ...part },
  ];
  const slow = { ...flash, readWait: 5, unit: 8, banks: 2, prefetch: true, instructions: 'i', data: 'd' };
  return { core, caches, regions: [slow, ...rams] };
};

const dsp = `2: ldr r4, [r6], #4
ldr r5, [r7], #4
sxtb16 r8, r4
sxtb16 r4, r4, ror #8
ldr r0, [r6], #4
sxtb16 r12, r5
sxtb16 r5, r5, ror #8
smlad r1, r8, r12, r1
smlad r1, r4, r5, r1
smlad r3, r0, r12, r3
subs r2, #1
bne 2b`;
const thumb1 = `2: ldrb r4, [r6]
ldrb r5, [r7]
adds r6, #1
adds r7, #1
muls r4, r5
adds r0, r4
subs r2, #1
bne 2b`;
/** 16 turns of the inner loop each; r9, r10, r11 hold what a turn of the outer one begins with. */
const kernel = (inner: string, n: number): string => `mov r10, r0
mov r11, r1
ldr r4, =${n}
mov r9, r4
1: mov r6, r10
mov r7, r11
movs r2, #16
${inner}
mov r4, r9
subs r4, #1
mov r9, r4
bne 1b`;

interface Speed {
  readonly core: TimingCore;
  readonly caches: boolean;
  readonly instructionsPerSecond: number;
  readonly cyclesPerInstruction: number;
}
async function speedOf(core: TimingCore, m: Machine, inner: string, timing: Timing): Promise<Speed> {
  let best = 0;
  let cyclesPerInstruction = 0;
  for (let i = 0; i < repeats; i++) {
    const [long, short] = [
      await timed(m, timing, kernel(inner, turns.long)),
      await timed(m, timing, kernel(inner, turns.short)),
    ];
    best = Math.max(best, (long.instructions - short.instructions) / (long.seconds - short.seconds));
    cyclesPerInstruction = long.cycles / long.instructions;
  }
  return { core, caches: timing.caches.length > 0, instructionsPerSecond: best, cyclesPerInstruction };
}
async function timed(m: Machine, timing: Timing, text: string) {
  const begin = performance.now();
  const { cold, warm } = (await measure(m, timing, [{ name: 'kernel', text }]))('kernel');
  const seconds = (performance.now() - begin) / 1000;
  return { seconds, instructions: cold.instructions + warm.instructions, cycles: cold.cycles + warm.cycles };
}

const cores: readonly (readonly [TimingCore, Machine, string])[] = [
  ['cortex-m4', an386, dsp],
  ['cortex-m0plus', an385AsM0plus, thumb1],
  ['cortex-m7', an500, dsp],
  ['cortex-m33', an505, dsp],
];
const speeds: Speed[] = [];
for (const [core, machine, inner] of cores)
  for (const timing of [plain(core, machine), cached(core, machine)])
    speeds.push(await speedOf(core, machine, inner, timing));
if (process.argv.includes('--json')) console.log(JSON.stringify(speeds, null, 2));
else
  for (const s of speeds)
    console.log(
      `${s.core.padEnd(14)} ${s.caches ? 'flash and caches' : 'no caches       '} ` +
        `${(s.instructionsPerSecond / 1e6).toFixed(0).padStart(5)} million instructions/s ` +
        `(${s.cyclesPerInstruction.toFixed(2)} cycles each)`,
    );

/** rp2040js and QEMU, two emulators that share nothing, compute the same: random Armv6-M code, its flags, and what it stores. */
import { afterAll, expect, test } from 'vitest';
import type { BoardModule } from '../../boards/index.ts';
import { mps2An386 } from '../../boards/mps2-an386/index.ts';
import { pico } from '../../boards/pico/index.ts';
import type { Device } from '../../firmware-rpc/host/device.ts';
import { started } from '../emulated.ts';
import { samples } from '../samples.ts';
import { Random } from '../unit/random.ts';
import { candidate, firmwareIn, workFolder } from '../wire/host-board.ts';
import { assembly } from '../wire/misbehaviour.ts';

const folder = workFolder();
afterAll(() => folder.remove());

/** r0 to r5 are values; r6 is for addresses and flags; r7 points to memory. */
const value = (random: Random): string => `r${random.int(0, 5)}`;
const flagsInto = (register: string): string => `mrs r6, apsr; lsrs r6, r6, #28; eors ${register}, r6`;
const conditions = ['eq', 'ne', 'cs', 'cc', 'mi', 'pl', 'vs', 'vc', 'hi', 'ls', 'ge', 'lt', 'gt', 'le'];
const bytes = 256;

const forms: readonly ((random: Random) => string)[] = [
  (r) => `${r.pick(['adds', 'subs'])} ${value(r)}, ${value(r)}, ${value(r)}`,
  (r) => `${r.pick(['adds', 'subs', 'movs', 'cmp'])} ${value(r)}, #${r.int(0, 255)}`,
  (r) => `${r.pick(['adds', 'subs'])} ${value(r)}, ${value(r)}, #${r.int(0, 7)}`,
  (r) =>
    `${r.pick(['ands', 'eors', 'orrs', 'bics', 'mvns', 'tst', 'cmp', 'cmn', 'muls', 'adcs', 'sbcs'])} ${value(r)}, ${value(r)}`,
  (r) => `rsbs ${value(r)}, ${value(r)}, #0`,
  (r) => `${r.pick(['lsls', 'lsrs', 'asrs'])} ${value(r)}, ${value(r)}, #${r.int(1, 31)}`,
  (r) => `${r.pick(['lsrs', 'asrs'])} ${value(r)}, ${value(r)}, #32`,
  // By nothing, by all bits, by more, and what becomes of the flags.
  (r) => {
    const [d, s] = [value(r), value(r)];
    const by = r.pick([0, 1, 31, 32, 33, 64, 255, r.int(0, 255)]);
    return `movs ${s}, #${by}; ${r.pick(['lsls', 'lsrs', 'asrs', 'rors'])} ${d}, ${s}; ${flagsInto(value(r))}`;
  },
  // With the largest and smallest numbers.
  (r) => {
    const [d, s] = [value(r), value(r)];
    const extreme = r.pick([`movs ${s}, #0; mvns ${s}, ${s}`, `movs ${s}, #1; lsls ${s}, ${s}, #31; subs ${s}, #1`]);
    const carry = r.pick(['cmp r0, r0', 'cmn r0, r0', 'cmp r0, r1']);
    return `${extreme}; ${carry}; ${r.pick(['adcs', 'sbcs'])} ${d}, ${s}; ${flagsInto(value(r))}`;
  },
  (r) => `${r.pick(['uxtb', 'sxtb', 'uxth', 'sxth', 'rev', 'rev16', 'revsh'])} ${value(r)}, ${value(r)}`,
  (r) => `mov r8, ${value(r)}; add ${value(r)}, r8; cmp ${value(r)}, r8`,
  (r) => `${r.pick(['ldr', 'str'])} ${value(r)}, [r7, #${4 * r.int(0, 31)}]`,
  (r) => `${r.pick(['ldrh', 'strh'])} ${value(r)}, [r7, #${2 * r.int(0, 31)}]`,
  (r) => `${r.pick(['ldrb', 'strb'])} ${value(r)}, [r7, #${r.int(0, 31)}]`,
  (r) => `movs r6, #${4 * r.int(0, 60)}; ${r.pick(['ldrsb', 'ldrsh', 'ldr', 'str', 'strb'])} ${value(r)}, [r7, r6]`,
  (r) => `mov r6, r7; ${r.pick(['ldmia', 'stmia'])} r6!, {r${r.int(0, 2)}, r${r.int(3, 5)}}`,
  (r) => `push {r0, ${r.pick(['r2', 'r3'])}}; pop {r1, ${r.pick(['r4', 'r5'])}}`,
  (r) => `b${r.pick(conditions)} 1f; ${r.pick(['adds', 'eors'])} ${value(r)}, ${value(r)}; 1:`,
  (r) => flagsInto(value(r)),
];

/** A function of a memory's address: takes its values from there, returns one that all others are mixed into. */
function program(random: Random): string {
  const body = Array.from({ length: 150 }, () => random.pick(forms)(random)).join('; ');
  const mixed = [1, 2, 3, 4, 5].map((i) => `movs r6, #7; rors r0, r6; eors r0, r${i}`).join('; ');
  return `push {r4-r7, lr}; mov r4, r8; push {r4}; mov r7, r0; ldr r0, [r7]; ldr r1, [r7, #4]; ldr r2, [r7, #8]; ldr r3, [r7, #12]; ldr r4, [r7, #16]; ldr r5, [r7, #20]; cmp r0, r1; ${body}; ${mixed}; pop {r4}; mov r8, r4; pop {r4-r7, pc}`;
}

const opened = async (board: BoardModule): Promise<Device> =>
  started(board, await firmwareIn(folder.dir, board), 'uart');

test('random Armv6-M code gives the same on rp2040js and on QEMU', async () => {
  const devices = [await opened(pico), await opened(mps2An386)];
  try {
    for (let seed = 1; seed <= samples(12, 400); seed++) {
      const source = `__asm__(".syntax unified\\n.thumb\\n");\n${assembly(program(new Random(seed)))}`;
      const results: unknown[] = [];
      for (const device of devices) {
        const { load, data } = device.info;
        // For the smaller CPU on both.
        const { image, entry } = await candidate(pico, source, load.base, folder.dir);
        await device.load(load.base, image);
        await device.fill(data.base, bytes, seed, 0);
        const run = await device.call({ entry, args: [data.base], warmups: 0, repeats: 1, deadlineMs: 1000 });
        if (!run.ok) throw new Error(`seed ${seed} on ${device.info.board}: ${run.detail}`);
        results.push([run.returned, await device.crc(data.base, bytes)]);
      }
      expect(results[0], `seed ${seed}: ${source}`).toEqual(results[1]);
    }
  } finally {
    for (const device of devices) await device.close();
  }
});

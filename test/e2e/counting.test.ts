/** Deterministic kinds: equal calls are counted equally, whenever they come. */
import { afterAll, expect, test } from 'vitest';
import { mps2An386 } from '../../boards/mps2-an386/index.ts';
import { expectOk, firmwareIn, workFolder } from '../wire/host-board.ts';

const folder = workFolder();
afterAll(() => folder.remove());

/** movs r0, #n; then subs r0, #1 and bne until zero; bx lr. */
const countdown = (n: number): Uint8Array => Uint8Array.of(n, 0x20, 0x01, 0x38, 0xfd, 0xd1, 0x70, 0x47);

test('the emulated Cortex-M4 counts a loop the same each time, and one of more rounds never lower', async () => {
  const firmware = await firmwareIn(folder.dir, mps2An386);
  if (mps2An386.open === undefined) throw new Error('mps2-an386 is emulated');
  const device = expectOk(await mps2An386.open({ firmware, bulk: 'shared' }));
  const { base } = device.info.load;
  const counts: number[] = [];
  // More than one tick of 40 instructions, so that some ends lie right at its edge.
  for (let n = 190; n < 232; n++) {
    await device.load(base, countdown(n));
    const seen = new Set<number>();
    for (let i = 0; i < 8; i++) {
      const call = await device.call({ entry: base, args: [], warmups: 0, repeats: 1, deadlineMs: 1000 });
      seen.add(call.ok ? (call.cycles[0] ?? 0) : -1);
    }
    expect([...seen], `${n} rounds`).toHaveLength(1);
    counts.push(...seen);
  }
  await device.close();
  expect(counts).toEqual(counts.toSorted((a, b) => a - b));
  expect(new Set(counts).size).toBeGreaterThan(1);
});

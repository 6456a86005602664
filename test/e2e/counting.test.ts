/** Deterministic kinds: equal calls are counted equally, whenever they come. */
import { afterAll, expect, test } from 'vitest';
import type { BoardModule, BuiltFirmware } from '../../boards/index.ts';
import { mps2An386 } from '../../boards/mps2-an386/index.ts';
import { nucleoH743zi } from '../../boards/nucleo-h743zi/index.ts';
import { nucleoL4r5zi } from '../../boards/nucleo-l4r5zi/index.ts';
import { onDevice } from '../emulated.ts';
import { firmwareIn, loadCandidate, workFolder } from '../wire/host-board.ts';

const folder = workFolder();
afterAll(() => folder.remove());

/** movs r0, #n; then subs r0, #1 and bne until zero; bx lr. */
const countdown = (n: number): Uint8Array => Uint8Array.of(n, 0x20, 0x01, 0x38, 0xfd, 0xd1, 0x70, 0x47);

test('the emulated Cortex-M4 counts a loop the same each time, and one of more rounds never lower', async () => {
  const firmware = await firmwareIn(folder.dir, mps2An386);
  const counts: number[] = [];
  await onDevice(mps2An386, firmware, async (device) => {
    const { base } = device.info.load;
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
  });
  expect(counts).toEqual(counts.toSorted((a, b) => a - b));
  expect(new Set(counts).size).toBeGreaterThan(1);
});

/** Reads constants and writes its stack in an order that depends on what it reads: branches and caches have work. */
const busy = `#include <stdint.h>
uint32_t mt_entry(const uint32_t *at) {
  volatile uint32_t kept[256];
  uint32_t x = 1;
  for (uint32_t i = 0; i < 3000; i++) {
    x = x * 1664525u + 1013904223u + at[(x >> 8) & 1023u];
    if ((x >> 30) == 0u) kept[x & 255u] = i; else kept[i & 255u] += x;
  }
  return x;
}`;

/** Counts of a warm and a settled call in a fresh emulator, in the given order. */
async function countsOf(
  board: BoardModule,
  firmware: BuiltFirmware,
  bulk: 'shared' | 'uart',
  modes: readonly ('settled' | 'continued')[],
): Promise<Readonly<Record<string, number>>> {
  return onDevice(
    board,
    firmware,
    async (device) => {
      const { load } = device.info;
      const entry = await loadCandidate(device, board, busy, 0, folder.dir);
      await device.fill(load.base + 0x8000, 4096, 7, 0);
      const counts: Record<string, number> = {};
      for (const mode of modes) {
        // Each follows a settled run, so that "continued" has the same state to go on from.
        const args = [load.base + 0x8000];
        const before = await device.call({ entry, args, warmups: 0, repeats: 1, deadlineMs: 1000 });
        const call = await device.call({ entry, args, warmups: 0, repeats: 2, deadlineMs: 1000, mode });
        if (!call.ok || !before.ok) throw new Error('the call failed');
        counts[mode] = call.cycles[0] ?? 0;
        counts[`${mode}, then warm`] = call.cycles[1] ?? 0;
      }
      return counts;
    },
    bulk,
  );
}

for (const board of [nucleoL4r5zi, nucleoH743zi])
  test(`the twin ${board.id} counts the same in every emulator, whatever came before and however busy this machine is`, async () => {
    const firmware = await firmwareIn(folder.dir, board);
    const first = await countsOf(board, firmware, 'shared', ['settled', 'continued']);
    const [second, third] = await Promise.all([
      countsOf(board, firmware, 'uart', ['continued', 'settled']),
      countsOf(board, firmware, 'shared', ['continued', 'settled', 'continued']),
    ]);
    expect(second).toEqual(first);
    expect(third).toEqual(first);
    // Caches that hold something from the run before are of use.
    expect(first.continued).toBeLessThan(first.settled ?? 0);
    expect(first['settled, then warm']).toBe(first.continued);
  });

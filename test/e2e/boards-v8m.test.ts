/**
 * Boards with Armv8-M: Cortex-M33 and -M55 in the secure state. Candidates that misbehave, also in the ways of their own
 * architecture; vector code; the twin whose shared memory is 2 GiB.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { afterAll, expect, test } from 'vitest';
import { corstone300 } from '../../boards/corstone-300/index.ts';
import { boards as all, type BoardModule } from '../../boards/index.ts';
import type { Device } from '../../firmware-rpc/host/device.ts';
import { onDevice } from '../emulated.ts';
import { runGolden } from '../golden-run.ts';
import { goldenModel } from '../models.ts';
import { samples } from '../samples.ts';
import { firmwareIn, loadCandidate, workFolder } from '../wire/host-board.ts';
import {
  commit,
  everywhere,
  type Misdeed,
  onCortexM,
  peek,
  poke,
  serverVariable,
  Witness,
} from '../wire/misbehaviour.ts';
import { onArmv8M, onHelium } from '../wire/misbehaviour-v8m.ts';

const folder = workFolder();
afterAll(() => folder.remove());
const boards = all.filter((b) => b.target.isa.startsWith('armv8'));

async function withDevice(board: BoardModule, work: (device: Device, elf: string) => Promise<void>): Promise<void> {
  const firmware = await firmwareIn(folder.dir, board);
  await onDevice(board, firmware, (device) => work(device, firmware.elf));
}

function misdeeds(board: BoardModule, { info }: Device, elf: string): readonly Misdeed[] {
  const server = serverVariable(elf);
  return [
    ...everywhere({ load: info.load.base + 0x20000, data: info.data.base }),
    ...onCortexM(server, info.load.base),
    ...onArmv8M({ load: info.load.base, server }),
    ...(board === corstone300 ? onHelium : []),
  ];
}

boards.forEach((board, k) => {
  test(`misbehaving candidates on ${board.id}: each ends as it must, and the next call is right`, () =>
    withDevice(board, async (device, elf) => {
      expect(device.info.guarded).toBe(true);
      const witness = await Witness.on(device, board, folder.dir);
      await witness.check('before');
      // In a bounded run the boards share the list, and what is of its own architecture.
      const every = misdeeds(board, device, elf);
      const own = [...onArmv8M({ load: 0, server: 0 }), ...onHelium].map((m) => m.name);
      const taken = every.filter((m, i) => own.includes(m.name) || i % boards.length === k || samples(0, 1) === 1);
      expect(taken.length).toBeGreaterThan(15);
      for (const m of taken) await commit(m, device, board, witness, folder.dir);
      await device.reset();
      await (await Witness.on(device, board, folder.dir)).check('after a reset');
    }));

  test(`equal calls are counted equally on ${board.id}`, () =>
    withDevice(board, async (device) => {
      const source = `#include <stdint.h>
        uint32_t mt_entry(uint32_t n) { volatile uint32_t sum = 0; for (uint32_t i = 0; i < n; i++) sum += i; return sum; }`;
      const entry = await loadCandidate(device, board, source, 0, folder.dir);
      const counts: number[] = [];
      for (let i = 0; i < 3; i++) {
        const called = await device.call({ entry, args: [5000], warmups: 1, repeats: 5, deadlineMs: 1000 });
        if (!called.ok) throw new Error(called.detail);
        expect(called.returned).toBe(12497500);
        counts.push(...called.cycles);
      }
      expect(new Set(counts).size).toBe(1);
      expect(counts[0]).toBeGreaterThan(5000 * 3);
      expect(counts[0]).toBeLessThan(5000 * 20);
    }));

  const networks = ['ad', 'kws', 'ic', 'vww'] as const;
  const names = samples(1, 4) === 4 ? networks : networks.slice(k % 2, (k % 2) + 1);
  for (const name of names) {
    const model = goldenModel(name);
    if (model === undefined) console.log(`${name}: the golden model is not at hand (--models DIR)`);
    // Default schedules are networks.test.ts's; drawn ones have the instructions of Armv7E-M that these CPUs share.
    test.skipIf(model === undefined)(`${name} on ${board.id}, bit for bit with drawn schedules`, async () => {
      if (model === undefined) return;
      for (let seed = 1; seed <= samples(1, 4); seed++) {
        const { built, stackBytes } = await runGolden(model, board, { passes: 'all', schedules: { seed } });
        expect(stackBytes).toBeLessThanOrEqual(built.memory.stackBytes + 16);
      }
    });
  }

  test(`${board.id}: calls read all regions to their last word, write the data region alone, and nothing beyond`, () =>
    withDevice(board, async (device) => {
      const { load, data, ramCode, ramData } = device.info;
      expect([load.bytes, ramCode.bytes, ramData.bytes]).toEqual([
        board.loadBytes,
        board.placed?.codeBytes ?? 0,
        board.placed?.dataBytes ?? 0,
      ]);
      const ending = async (source: string, arg: number): Promise<string> => {
        const entry = await loadCandidate(device, board, source, 0, folder.dir);
        const called = await device.call({ entry, args: [arg], warmups: 0, repeats: 1, deadlineMs: 1000 });
        return called.ok ? 'OK' : called.code;
      };
      for (const region of [load, data, ramCode, ramData].filter((r) => r.bytes > 0)) {
        const last = region.base + region.bytes - 4;
        await device.load(last, new Uint8Array(4).fill(9));
        expect(await ending(peek, last)).toBe('OK');
        expect(await ending(poke, last)).toBe(region === data ? 'OK' : 'FAULT');
      }
      if (board.kind === 'model') expect(await ending(poke, data.base + data.bytes)).toBe('FAULT');
    }));
});

test('vector code runs on corstone-300, and its answer is that of scalar code', () =>
  withDevice(corstone300, async (device) => {
    const source = `#include <arm_mve.h>
      uint32_t mt_entry(const int8_t *x, const int8_t *y, uint32_t n) {
        int32_t sum = 0;
        for (int32_t left = (int32_t)n; left > 0; left -= 16, x += 16, y += 16) {
          const mve_pred16_t p = vctp8q((uint32_t)left);
          sum = vmladavaq_p_s8(sum, vldrbq_z_s8(x, p), vldrbq_z_s8(y, p), p);
        }
        return (uint32_t)sum;
      }`;
    const entry = await loadCandidate(device, corstone300, source, 0, folder.dir);
    const { base } = device.info.data;
    const [x, y] = [31, 57].map((k) => Int8Array.from({ length: 117 }, (_, i) => (i * k + (i >> 3)) % 256));
    if (x === undefined || y === undefined) throw new Error('two vectors');
    await device.load(base, new Uint8Array(x.buffer));
    await device.load(base + 1024, new Uint8Array(y.buffer));
    for (const n of [1, 15, 16, 17, 117]) {
      const called = await device.call({
        entry,
        args: [base, base + 1024, n],
        warmups: 0,
        repeats: 1,
        deadlineMs: 100,
      });
      const sum = x.subarray(0, n).reduce((s, v, i) => s + v * (y[i] ?? 0), 0);
      expect(called, `${n}`).toMatchObject({ ok: true, returned: sum >>> 0 });
    }
  }));

/** Paths of the memory that emulators of this firmware share. */
function memoriesOf(elf: string): readonly string[] {
  return readdirSync('/proc')
    .filter((p) => /^\d+$/.test(p))
    .flatMap((pid) => {
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
        return command.includes(elf) ? [/mem-path=([^,]+)/.exec(command)?.[1] ?? ''] : [];
      } catch {
        return []; // It ended while we looked.
      }
    });
}

test('the 2 GiB that corstone-300 shares take neither disk nor memory', () =>
  withDevice(corstone300, async (device, elf) => {
    await device.load(device.info.data.base, new Uint8Array(100_000).fill(3));
    const [memory] = memoriesOf(elf).filter((path) => path !== '');
    const { size, blocks } = statSync(memory ?? '');
    expect(size).toBe(2 ** 31);
    expect(blocks * 512).toBeLessThan(1 << 20);
  }));

test("deadlines of any length end a call on corstone-300, whose timer's ticks are no whole nanoseconds", () =>
  withDevice(corstone300, async (device) => {
    const entry = await loadCandidate(
      device,
      corstone300,
      'void mt_entry(void) { for (;;) __asm__(""); }',
      0,
      folder.dir,
    );
    for (const deadlineMs of [1, 2, 3, 5, 7, 11, 13, 17, 101]) {
      const called = await device.call({ entry, args: [], warmups: 0, repeats: 1, deadlineMs });
      expect(called, `${deadlineMs} ms`).toMatchObject({ ok: false, code: 'DEADLINE' });
    }
  }));

/**
 * Emulated Cortex-M boards with an Armv7-M guard, plain ones and twins: candidates that misbehave cost their own call, memory is
 * what board.json says of the product, and a twin runs what is loaded from where it will ship.
 */
import { afterAll, expect, test } from 'vitest';
import { type BoardModule, type BuiltFirmware, boards } from '../../boards/index.ts';
import type { Device, DeviceInfo } from '../../firmware-rpc/host/device.ts';
import { onDevice } from '../emulated.ts';
import { samples } from '../samples.ts';
import { twinOf } from '../twins.ts';
import { firmwareIn, loadCandidate, workFolder } from '../wire/host-board.ts';
import {
  c,
  commit,
  everywhere,
  type Misdeed,
  onCortexM,
  peek,
  poke,
  serverVariable,
  Witness,
} from '../wire/misbehaviour.ts';
import { everywhereOnV6m, onV6m } from '../wire/misbehaviour-v6m.ts';

const folder = workFolder();
afterAll(() => folder.remove());

/** Machines whose CPU has the guard of Armv7-M; test/e2e/boards-v8m.test.ts has the others. */
const machines = ['mps2-an385', 'mps2-an386', 'mps2-an500'];
const tested = boards.filter((b) => machines.includes(twinOf(b)?.machine ?? ''));
const twins = boards.filter((b) => b.kind === 'model' && tested.includes(b));

const built = new Map<string, Promise<BuiltFirmware>>();
function firmwareOf(board: BoardModule): Promise<BuiltFirmware> {
  const firmware = built.get(board.id) ?? firmwareIn(folder.dir, board);
  built.set(board.id, firmware);
  return firmware;
}

async function withDevice(board: BoardModule, work: (device: Device, elf: string) => Promise<void>): Promise<void> {
  const firmware = await firmwareOf(board);
  await onDevice(board, firmware, (device) => work(device, firmware.elf));
}

/** An M0+ twin runs on a larger CPU, which knows these instructions. */
const forLargerCpus = ['runs what only larger CPUs can', 'compares and branches as larger CPUs can'];
function misdeedsOf(board: BoardModule, { info }: Device, elf: string): readonly Misdeed[] {
  const server = serverVariable(elf);
  const at = { load: info.load.base + 0x20000, data: info.data.base };
  if (board.target.isa !== 'armv6-m') return [...everywhere(at), ...onCortexM(server, info.load.base)];
  const own = onV6m({ server, code: 0x1000, uart: 0x40004000, load: info.load.base });
  return [...everywhereOnV6m(at), ...own.filter((m) => !forLargerCpus.includes(m.name))];
}

test('there are such boards', () => expect(tested.length).toBeGreaterThan(7));

tested.forEach((board, k) => {
  test(`misbehaving candidates on ${board.id}: each ends as it must, and the next call is right`, () =>
    withDevice(board, async (device, elf) => {
      expect(device.info.guarded).toBe(true);
      const witness = await Witness.on(device, board, folder.dir);
      await witness.check('before');
      // In a bounded run every board takes its share, together all of them.
      const share = samples(3, 1);
      const taken = misdeedsOf(board, device, elf).filter((_, i) => i % share === k % share);
      for (const m of taken) await commit(m, device, board, witness, folder.dir);
      await device.reset();
      await (await Witness.on(device, board, folder.dir)).check('after a reset');
    }));
});

/** Bytes at the very ends of a region come back as they were written. */
async function expectMemory(device: Device, { base, bytes }: DeviceInfo['load']): Promise<void> {
  const piece = Uint8Array.from({ length: 600 }, (_, i) => (i * 7 + base) & 255);
  for (const at of [base, base + bytes - piece.length]) {
    await device.load(at, piece);
    expect(Buffer.from(await device.fetch(at, piece.length))).toEqual(Buffer.from(piece));
  }
  await expect(device.load(base + bytes - 4, new Uint8Array(8))).rejects.toThrow('BAD_ADDRESS');
}

for (const board of tested) {
  test(`${board.id} has the memory that its data says, and no more of it for calls`, () =>
    withDevice(board, async (device) => {
      const { load, data, ramCode, ramData } = device.info;
      expect([load.bytes, data.bytes]).toEqual([
        board.loadBytes,
        board.ramBytes - (board.placed?.codeBytes ?? 0) - (board.placed?.dataBytes ?? 0),
      ]);
      expect([ramCode.bytes, ramData.bytes]).toEqual([board.placed?.codeBytes ?? 0, board.placed?.dataBytes ?? 0]);
      const regions = [load, data, ramCode, ramData].filter((r) => r.bytes > 0);
      for (const region of regions) await expectMemory(device, region);
      const call = async (source: string, arg: number): Promise<string> => {
        const entry = await loadCandidate(device, board, source, 0, folder.dir);
        const done = await device.call({ entry, args: [arg], warmups: 0, repeats: 1, deadlineMs: 1000 });
        return done.ok ? 'OK' : done.code;
      };
      for (const { base, bytes } of regions) {
        const last = base + bytes - 4;
        expect(await call(peek, last)).toBe('OK');
        expect(await call(poke, last), `writes ${last.toString(16)}`).toBe(base === data.base ? 'OK' : 'FAULT');
      }
      if (board.kind === 'model') expect(await call(poke, data.base + data.bytes)).toBe('FAULT');
    }));
}

/** Adds up bytes that it reads a word at a time: code and constants may lie anywhere. */
const sum = c(
  'uint32_t s = 0; for (uint32_t i = 0; i < 64; i++) s += ((const volatile uint32_t *)(uintptr_t)a)[i]; return s;',
);

for (const board of twins) {
  test(`${board.id} counts equal calls equally, and says where the cycles went`, () =>
    withDevice(board, async (device) => {
      const { load, ramCode, ramData } = device.info;
      if (board.counters === undefined) throw new Error('a twin has counters');
      const words = Uint8Array.from({ length: 256 }, (_, i) => (i % 4 === 0 ? i / 4 : 0));
      await device.load(load.base + 0x8000, words);
      await device.load(ramData.base, words);
      const counts = new Map<string, number>();
      for (const [codeAt, constantsAt] of [
        [load.base, load.base + 0x8000],
        [ramCode.base, ramData.base],
      ] as const) {
        const entry = await loadCandidate(device, board, sum, codeAt - load.base, folder.dir);
        const seen = new Set<number>();
        for (let i = 0; i < 3; i++) {
          const before = await board.counters(device);
          const call = await device.call({ entry, args: [constantsAt], warmups: 0, repeats: 1, deadlineMs: 1000 });
          const after = await board.counters(device);
          if (!call.ok) throw new Error(call.detail);
          expect(call.returned).toBe((63 * 64) / 2);
          seen.add(call.cycles[0] ?? 0);
          expect(after.cycles - before.cycles).toBe(call.cycles[0]);
          const causes = Object.entries(after.causes).map(([name, n]) => n - (before.causes[name as 'issue'] ?? 0));
          expect(causes.reduce((a, b) => a + b)).toBe(call.cycles[0]);
          expect([after.unknown, after.unmapped]).toEqual([0, 0]);
        }
        expect(seen.size, 'the same every time').toBe(1);
        counts.set(codeAt === load.base ? 'flash' : 'ram', [...seen][0] ?? 0);
      }
      // Cold flash has to be read. RAM answers at once; only to fetch code from it over a system bus takes longer.
      expect(counts.get('flash')).not.toBe(counts.get('ram'));
      const twin = twinOf(board);
      if (twin?.timing?.regions.find((r) => r.name === twin.ramCode?.in)?.fetchWait === undefined)
        expect(counts.get('flash')).toBeGreaterThan(counts.get('ram') ?? Number.POSITIVE_INFINITY);
    }));
}

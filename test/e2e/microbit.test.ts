/**
 * The micro:bit: a Cortex-M0 without an MPU and with 16 KiB of RAM. Counts are exact, the example network fits and is right, and
 * what candidates do to the server is found by the server itself.
 */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { BuiltFirmware } from '../../boards/index.ts';
import { microbit as board } from '../../boards/microbit/index.ts';
import { importModel } from '../../compiler/import/index.ts';
import { runPasses } from '../../compiler/passes/index.ts';
import type { Device } from '../../firmware-rpc/host/device.ts';
import { build, verify } from '../../server/build.ts';
import { type Bulk, onDevice } from '../emulated.ts';
import { graphOf, unwrap } from '../golden-run.ts';
import { goldenModel } from '../models.ts';
import { schedulesFor } from '../schedules.ts';
import { firmwareIn, loadCandidate, workFolder } from '../wire/host-board.ts';
import {
  c,
  commit,
  countdown,
  everywhere,
  jump,
  type Misdeed,
  peek,
  poke,
  serverVariable,
  spoilRegisters,
  thumb,
  Witness,
} from '../wire/misbehaviour.ts';

const folder = workFolder();
let firmware: BuiltFirmware;
beforeAll(async () => {
  firmware = await firmwareIn(folder.dir, board);
});
afterAll(() => folder.remove());

const withDevice = (work: (device: Device) => Promise<void>, bulk?: Bulk): Promise<void> =>
  onDevice(board, firmware, work, bulk);

test('counts are exact to the instruction, though its timer ticks every 125th', () =>
  withDevice(async (device) => {
    const entry = await loadCandidate(device, board, countdown, 0, folder.dir);
    for (const turns of [1, 2, 3, 61, 62, 63, 64, 100_000]) {
      const called = await device.call({ entry, args: [turns], warmups: 0, repeats: 3, deadlineMs: 1000 });
      expect(called).toMatchObject({ ok: true, returned: 7, cycles: Array(3).fill(2 * turns + 1) });
    }
  }));

for (const bulk of ['shared', 'uart'] as const)
  test(`all of its memory can be written and read, bulk data by ${bulk === 'shared' ? "QEMU's GDB server" : 'UART'}`, () =>
    withDevice(async (device) => {
      const { load, data } = device.info;
      expect(load.bytes).toBe(board.loadBytes);
      expect(data.bytes).toBeGreaterThanOrEqual(board.dataBytes ?? 0);
      expect(data.base + data.bytes).toBe(0x20004000);
      const block = Uint8Array.from({ length: data.bytes }, (_, i) => (i * 7 + (i >> 8)) & 255);
      for (const range of [load, data]) {
        await device.load(range.base, block.subarray(0, range.bytes));
        const got = await device.fetch(range.base, range.bytes);
        expect(Buffer.from(got)).toEqual(Buffer.from(block.subarray(0, range.bytes)));
      }
    }, bulk));

const onMicrobit = (at: {
  readonly server: number;
  readonly load: number;
  readonly data: number;
}): readonly Misdeed[] => {
  // Here null is flash, memory is not guarded, and a division by zero is a function that returns.
  const harmless = ['reads through a null pointer', 'writes through a null pointer', 'divides by zero'];
  const unguarded = ['writes to the load region', 'runs its data'];
  const fatal = 'writes behind its stack';
  return [
    ...everywhere(at)
      .filter((m) => ![...unguarded, fatal].includes(m.name))
      .map((m): Misdeed => (harmless.includes(m.name) ? { ...m, ends: 'OK' } : m)),
    { name: "reads the server's memory", source: peek, arg: at.server, ends: 'OK' },
    { name: 'writes the code', source: poke, arg: 0x400, ends: 'OK' },
    { name: 'jumps to Arm code', source: jump, arg: at.load, ends: 'FAULT' },
    { name: 'a breakpoint', source: c('__asm__ volatile("bkpt #0"); return 0;'), arg: 0, ends: 'FAULT' },
    { name: 'reads unaligned', source: peek, arg: at.data + 1, ends: 'FAULT' },
    { name: 'sleeps for ever', source: c('for (;;) __asm__ volatile("wfi");'), arg: 0, ends: 'DEADLINE' },
    { name: 'calls the supervisor', source: c('__asm__ volatile("svc #7"); return 1;'), arg: 0, ends: 'OK' },
    { name: 'masks interrupts, and returns', source: thumb('cpsid i; movs r0, #0; bx lr'), arg: 0, ends: 'FAULT' },
    {
      name: 'changes every register it must keep',
      source: thumb(spoilRegisters),
      arg: 0,
      ends: 'OK',
    },
    {
      name: 'loses its stack pointer',
      source: thumb('movs r0, #0; mov sp, r0; push {r0, r1}; bx lr'),
      arg: 0,
      ends: 'FAULT',
    },
    {
      name: 'has its stack where nothing is',
      source: thumb('mov sp, r0; push {r0, r1}; bx lr'),
      arg: 0x60000000,
      ends: 'FAULT',
    },
    {
      name: 'returns with a broken stack pointer',
      source: thumb('movs r0, #4; mov sp, r0; bx lr'),
      arg: 0,
      ends: 'FAULT',
    },
    {
      name: 'loops with a broken stack pointer',
      source: thumb('movs r0, #4; mov sp, r0; b .'),
      arg: 0,
      ends: 'FAULT',
      waits: true,
    },
  ];
};

/** In 4864 bytes: a candidate of at most 1 KiB, the good one, the block. */
const places = { good: 0x400, block: 0x1100, blockBytes: 512 };

test('misbehaving candidates: each ends as it must, and the next call is right', () =>
  withDevice(async (device) => {
    const { load, data } = device.info;
    const witness = await Witness.on(device, board, folder.dir, places);
    await witness.check('before');
    const at = { server: serverVariable(firmware.elf), load: load.base, data: data.base };
    for (const m of onMicrobit(at)) await commit(m, device, board, witness, folder.dir);
  }));

const damages = (server: number): readonly (readonly [string, string, number])[] => [
  ["writes the server's memory", poke, server + 8],
  ["takes the server's memory for its stack", thumb('mov sp, r0; svc #0; bx lr'), server + 0x40],
  [
    'writes over everything above its stack',
    c(
      'volatile uint8_t here = 0; volatile uint8_t *p = &here; for (uint32_t i = 0; i < a; i++) p[i] = 0xff; return here;',
    ),
    1 << 20,
  ],
  ['resets the CPU', c('*(volatile uint32_t *)(uintptr_t)a = 0x05fa0004u; for (;;) {}'), 0xe000ed0c],
];

test('what nothing guards is found damaged: the firmware starts again, and the next call is right', () =>
  withDevice(async (device) => {
    for (const [name, source, arg] of damages(serverVariable(firmware.elf))) {
      const entry = await loadCandidate(device, board, source, 0, folder.dir);
      const called = await device.call({ entry, args: [arg], warmups: 0, repeats: 1, deadlineMs: 1000 });
      expect(called, name).toMatchObject({ ok: false, code: 'DAMAGED' });
      await (await Witness.on(device, board, folder.dir, places)).check(name);
    }
  }));

const example = resolve(import.meta.dirname, '../../examples/bearing-fault/bearing-fault.tflite');

test('the example network has just room, and is right', async () => {
  const model = unwrap(importModel(readFileSync(example), 'bearing_fault'));
  const graph = runPasses(model, { optional: 'all' });
  for (const schedules of ['default', { seed: 2 }] as const) {
    const selected = schedulesFor(graph, board.target.features, schedules);
    const where = { outDir: join(folder.dir, 'out'), cacheDir: join(folder.dir, 'cache') };
    const built = unwrap(await build({ graph, name: 'bearing_fault', board, selected, ...where }));
    const verified = unwrap(await verify(built, board, model, 3));
    expect(verified.inputs).toBe(3);
    expect(verified.cycles).toBeGreaterThan(1_000_000);
    expect(verified.stackBytes).toBeLessThanOrEqual(built.memory.stackBytes + 16);
  }
});

// Its activations have room because results lie partly over inputs that nobody reads later.
const kws = goldenModel('kws');
test.skipIf(kws === undefined)('kws has just room, and is right', async () => {
  if (kws === undefined) return;
  const graph = graphOf(kws, 'all');
  const selected = schedulesFor(graph, board.target.features, 'default');
  const where = { outDir: join(folder.dir, 'kws'), cacheDir: join(folder.dir, 'cache') };
  const built = unwrap(await build({ graph, name: 'kws', board, selected, ...where }));
  expect(unwrap(await verify(built, board, graphOf(kws, 'none'), 1)).inputs).toBe(1);
});

const tooLarge = { ad: /bytes of flash are missing/, ic: /bytes of RAM are missing/ } as const;
for (const [name, words] of Object.entries(tooLarge) as ['ad' | 'ic', RegExp][]) {
  const model = goldenModel(name);
  test.skipIf(model === undefined)(`${name} does not fit, and by how many bytes is said`, async () => {
    if (model === undefined) return;
    const graph = graphOf(model, 'all');
    const selected = schedulesFor(graph, board.target.features, 'default');
    const where = { outDir: join(folder.dir, name), cacheDir: join(folder.dir, 'cache') };
    const built = await build({ graph, name, board, selected, ...where });
    expect(built).toMatchObject({ ok: false, error: { code: 'MODEL_TOO_BIG' } });
    expect(built.ok ? '' : built.error.detail).toMatch(words);
  });
}

test('the firmware without a network is small', () => {
  // Server, port and start-up. Kept here so that growth is a decision.
  expect(firmware.sizes.text).toBeLessThanOrEqual(6000);
  expect(firmware.sizes.data).toBe(0);
});

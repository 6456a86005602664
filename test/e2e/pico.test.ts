/**
 * The Raspberry Pi Pico that rp2040js is, made strict: candidates that misbehave, cycles of single instructions and of the flash
 * cache against their sources, networks bit for bit, and the image for the real board, which starts the same way.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { crc32 } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type BuiltFirmware, type Cause, mapCauses } from '../../boards/index.ts';
import { bootChecksum, uf2 } from '../../boards/pico/image.ts';
import { pico as board } from '../../boards/pico/index.ts';
import type { Device } from '../../firmware-rpc/host/device.ts';
import { flash, planFlash } from '../../server/firmware.ts';
import { readElf } from '../../toolchain/index.ts';
import { type Bulk, onDevice } from '../emulated.ts';
import { runGolden } from '../golden-run.ts';
import { goldenModel } from '../models.ts';
import { samples } from '../samples.ts';
import { candidate, expectOk, firmwareIn, loadCandidate, workFolder } from '../wire/host-board.ts';
import { assembly, commit, serverVariable, Witness } from '../wire/misbehaviour.ts';
import { everywhereOnV6m, onV6m } from '../wire/misbehaviour-v6m.ts';

const root = resolve(import.meta.dirname, '../..');
const folder = workFolder();
let firmware: BuiltFirmware;
beforeAll(async () => {
  firmware = await firmwareIn(folder.dir, board);
});
afterAll(() => folder.remove());

const withDevice = (work: (device: Device) => Promise<void>, built = firmware, bulk?: Bulk): Promise<void> =>
  onDevice(board, built, work, bulk);

test('misbehaving candidates: each ends as it must, and the next call is right', () =>
  withDevice(async (device) => {
    const { load, data } = device.info;
    const witness = await Witness.on(device, board, folder.dir);
    await witness.check('before');
    const code = readElf(readFileSync(firmware.elf)).symbol('mt_frame_write') ?? -1;
    const misdeeds = [
      ...everywhereOnV6m({ load: load.base + 0x20000, data: data.base }),
      ...onV6m({ server: serverVariable(firmware.elf), code: code & ~3, uart: 0x40034000, load: load.base + 0x20000 }),
    ];
    for (const m of misdeeds) await commit(m, device, board, witness, folder.dir);
    await device.reset();
    const again = await Witness.on(device, board, folder.dir);
    await again.check('after a reset');
  }));

const thumb = (body: string): string => `__asm__(".syntax unified\\n.thumb\\n");\n${assembly(body)}`;
/** Loads assembly at an address and counts its runs: beyond what a function costs that only returns. */
async function count(device: Device, at: number, body: string, arg: number, runs = 1): Promise<readonly number[]> {
  const { image, entry } = await candidate(board, thumb(body), at, folder.dir);
  await device.load(at, image);
  const called = await device.call({ entry, args: [arg], warmups: 0, repeats: runs, deadlineMs: 1000 });
  if (!called.ok) throw new Error(`${body}: ${called.detail}`);
  return called.cycles;
}

/** Cortex-M0+ Technical Reference Manual (Arm DDI 0484C), table 3-1; r0 is an address in RAM. */
const instructions: readonly (readonly [string, number])[] = [
  ['bx lr', 0],
  ['nop; nop; nop; bx lr', 3],
  ['movs r1, #3; adds r1, #4; lsls r1, r1, #2; eors r1, r0; cmp r1, r0; uxtb r1, r1; rev r1, r1; bx lr', 7],
  ['adcs r1, r0; sbcs r1, r0; lsls r1, r0; asrs r1, r0; rors r1, r0; bx lr', 5],
  ['muls r1, r0; muls r1, r0; bx lr', 2],
  ['ldr r1, [r0]; ldrb r1, [r0]; ldrh r1, [r0]; bx lr', 6],
  ['str r1, [r0]; strb r1, [r0]; strh r1, [r0]; bx lr', 6],
  ['movs r1, #0; ldrsb r2, [r0, r1]; ldr r2, [r0, r1]; str r2, [r0, r1]; bx lr', 7],
  ['ldmia r0!, {r1}; bx lr', 2],
  ['ldmia r0!, {r1, r2, r3}; bx lr', 4],
  ['stmia r0!, {r1, r2, r3}; bx lr', 4],
  ['push {r4, r5}; pop {r4, r5}; bx lr', 6],
  // 1 + N and 3 + N with lr and pc in N; it returns without the 2 cycles of BX.
  ['push {r4, lr}; pop {r4, pc}', 3 + 5 - 2],
  ['push {lr}; pop {pc}', 2 + 4 - 2],
  ['cmp r0, r0; bne 1f; 1: bx lr', 2],
  ['cmp r0, r0; beq 1f; nop; 1: bx lr', 3],
  ['b 1f; nop; 1: bx lr', 2],
  ['mov r3, lr; bl 1f; bx r3; 1: bx lr', 1 + 3 + 2],
  ['mov r3, lr; adr r1, 1f; adds r1, #1; blx r1; bx r3; .balign 4; 1: bx lr', 3 + 2 + 2],
  ['mov r1, pc; adds r1, #2; mov pc, r1; bx lr', 4],
  ['mrs r1, apsr; msr apsr_nzcvq, r1; bx lr', 6],
  ['dmb; dsb; isb; bx lr', 9],
  ['ldr r1, =0x12345678; bx lr; .balign 4; .ltorg', 2],
  // Five rounds of 1 + 2, the last one's branch not taken.
  ['movs r1, #5; 1: subs r1, #1; bne 1b; bx lr', 1 + 5 * 3 - 1],
];

test('single instructions take the cycles of the manual, from RAM and to RAM', () =>
  withDevice(async (device) => {
    const { ramCode, data } = device.info;
    for (const [body, cycles] of instructions)
      expect(await count(device, ramCode.base, body, data.base + 256, 2), body).toEqual([cycles, cycles]);
    // As many as wrap SysTick's 24 bits: the microseconds tell how often.
    const rounds = 6_000_000;
    const [long] = await count(device, ramCode.base, '1: subs r0, #1; bne 1b; bx lr', rounds);
    expect(long).toBe(3 * rounds - 1);
  }));

/**
 * RP2040 datasheet §2.6.3 and §4.10: a miss fetches one word, by 8 clocks of SCK for address and mode bits, 4 of waiting, 8 for
 * 32 bits over four lines, each two cycles long as boot2.c sets them up.
 */
const miss = (8 + 4 + 8) * 2;

test('code and data in flash wait for the flash once, as long as the cache keeps them', () =>
  withDevice(async (device) => {
    const { load, ramCode } = device.info;
    const nops = (n: number): string => `${'nop; '.repeat(n)}bx lr`;
    // Two halfwords a word: seven NOPs and BX are four of them.
    expect(await count(device, load.base, nops(7), 0, 2)).toEqual([7 + 4 * miss, 7]);
    expect(await count(device, load.base, nops(1), 0, 2)).toEqual([1 + miss, 1]);
    // A word, the same word, the other half of its line.
    const read = (...offsets: readonly number[]): string =>
      `${offsets.map((o) => `ldr r1, [r0, #${o}]; `).join('')}bx lr`;
    const at = load.base + 0x8000;
    expect(await count(device, ramCode.base, read(0), at, 2)).toEqual([2 + miss, 2]);
    expect(await count(device, ramCode.base, read(0, 0), at, 1)).toEqual([4 + miss]);
    expect(await count(device, ramCode.base, read(0, 4), at, 1)).toEqual([4 + 2 * miss]);
    // 16 KiB in two ways: of three lines 8 KiB apart, read in turn, none is ever kept.
    const apart =
      'ldr r3, =8192; adds r2, r0, r3; adds r3, r2, r3; ldr r1, [r0]; ldr r1, [r2]; ldr r1, [r3]; bx lr; .balign 4; .ltorg';
    expect(await count(device, ramCode.base, apart, at, 3)).toEqual(Array(3).fill(2 + 2 + 6 + 3 * miss));
    const two = 'ldr r3, =8192; adds r2, r0, r3; ldr r1, [r0]; ldr r1, [r2]; bx lr; .balign 4; .ltorg';
    expect(await count(device, ramCode.base, two, at, 2)).toEqual([2 + 1 + 4 + 2 * miss, 2 + 1 + 4]);
  }));

test('a settled call finds the cache empty, one that goes on finds what the last one left', () =>
  withDevice(async (device) => {
    const entry = await loadCandidate(device, board, thumb('nop; nop; nop; bx lr'), 0, folder.dir);
    const cycles = async (mode: 'settled' | 'continued'): Promise<number> => {
      const called = await device.call({ entry, args: [], warmups: 0, repeats: 1, deadlineMs: 1000, mode });
      return called.ok ? (called.cycles[0] ?? -1) : -1;
    };
    const cold = 3 + 2 * miss;
    expect([await cycles('settled'), await cycles('continued'), await cycles('settled')]).toEqual([cold, 3, cold]);
  }));

test('what a call took is told by cause', () =>
  withDevice(async (device) => {
    if (board.counters === undefined) throw new Error('the emulator counts causes');
    const { load, ramCode } = device.info;
    const before = await board.counters(device);
    // A constant from flash; a loop of two branches taken; the last BX is the call's, but no part of its count.
    const [cycles] = await count(
      device,
      ramCode.base,
      'ldr r2, [r0]; movs r1, #3; 1: subs r1, #1; bne 1b; bx lr',
      load.base,
    );
    const after = await board.counters(device);
    const took = (cause: Cause): number => after.causes[cause] - before.causes[cause];
    expect(cycles).toBe(2 + miss + 1 + 3 * 2 + 2);
    expect(mapCauses(took)).toEqual({ issue: 2 + 1 + 3 * 2 + 1, pipeline: 0, branch: 2 + 1, fetch: 0, data: miss });
    expect(after.cycles - before.cycles).toBe((cycles ?? 0) + 2);
    expect(after.instructions - before.instructions).toBe(9);
    expect([after.unknown, after.unmapped]).toEqual([0, 0]);
  }));

test('all of its memory can be written and read, by either road, and is as large as board.json says', async () => {
  for (const bulk of ['shared', 'uart'] as const)
    await withDevice(
      async (device) => {
        const { load, data, ramCode, ramData } = device.info;
        expect([load.bytes, ramCode.bytes, ramData.bytes]).toEqual([
          board.loadBytes,
          board.placed?.codeBytes,
          board.placed?.dataBytes,
        ]);
        expect(data.bytes + ramCode.bytes + ramData.bytes).toBe(board.ramBytes);
        expect(load.base + load.bytes).toBe(0x10200000);
        // More than the memory that is shared, and the little that is left of all.
        const bytes = Uint8Array.from(
          { length: bulk === 'shared' ? 150_001 : 10_001 },
          (_, i) => (i * 7 + (i >> 8)) & 255,
        );
        for (const range of [load, data, ramCode, ramData]) {
          const end = bytes.subarray(0, range.bytes);
          const at = range.base + range.bytes - end.length;
          await device.load(at, end);
          expect(await device.crc(at, end.length)).toBe(crc32(end));
        }
        expect(device.info).toMatchObject({ board: 'pico', cpuHz: 125_000_000, guarded: true });
        expect(Buffer.from(device.info.uid, 'hex').toString()).toBe('rp2040: rp2040js');
      },
      firmware,
      bulk,
    );
});

for (const name of ['ad', 'kws', 'vww', 'ic'] as const) {
  const model = goldenModel(name);
  if (model === undefined) console.log(`${name}: the golden model is not at hand (--models DIR)`);
  const vectors = { ad: samples(1, 9), kws: samples(1, 9), vww: samples(0, 9), ic: samples(0, 3) }[name];

  if (vectors === 0) continue;
  test.skipIf(model === undefined)(`${name} with default schedules, bit for bit`, async () => {
    if (model === undefined) return;
    const some = { ...model, golden: { ...model.golden, vectors: model.golden.vectors.slice(0, vectors) } };
    const { built, cycles, stackBytes } = await runGolden(some, board, { passes: 'all', schedules: 'default' });
    expect(cycles).toBeGreaterThan(0);
    expect(stackBytes).toBeLessThanOrEqual(built.memory.stackBytes + 64);
  });
}

// Its constants fit into RAM, whichever are drawn to lie there.
const keywords = goldenModel('kws');
test.skipIf(keywords === undefined)('a network with code in RAM, drawn schedules, bit for bit', async () => {
  if (keywords === undefined) return;
  const { golden } = keywords;
  const some = { ...keywords, golden: { ...golden, vectors: golden.vectors.slice(0, 1) } };
  let inRam = 0;
  for (let seed = 1; seed <= samples(2, 8); seed++) {
    const { built } = await runGolden(some, board, { passes: 'all', schedules: { seed } });
    // RAM beyond the arena and the stack is code that a schedule placed there.
    inRam += built.memory.ramBytes - built.memory.arenaBytes - built.memory.stackBytes;
  }
  expect(inRam).toBeGreaterThan(500);
});

test('the image for the real board starts by the same second stage, and its trials run from RAM', async () => {
  const { product } = board;
  if (product === undefined) throw new Error('there is a real one');
  const dir = join(folder.dir, 'silicon');
  const silicon = expectOk(await product.build({ dir, name: 'server', objects: [] }));
  const image = readFileSync(silicon.bin);
  expect(image.readUInt32LE(252)).toBe(bootChecksum(image));
  // The boot loader's volume is a folder here.
  const volume = join(dir, 'RPI-RP2');
  mkdirSync(volume);
  writeFileSync(join(volume, 'INFO_UF2.TXT'), 'UF2 Bootloader v3.0\n');
  const plan = expectOk(planFlash({ board: board.id, product, firmware: silicon, where: volume }));
  expectOk(await flash(plan));
  expect(readFileSync(join(volume, 'server.uf2'))).toEqual(Buffer.from(uf2(image, 0x10000000)));
  await withDevice(async (device) => {
    const { load, data, ramCode } = device.info;
    expect([load, data, ramCode.bytes]).toEqual([
      { base: 0x20000000, bytes: 0x20000 },
      { base: 0x20020000, bytes: 0x20000 },
      0,
    ]);
    const places = { good: 0x4000, block: 0x8000, blockBytes: 4096 };
    const witness = await Witness.on(device, board, folder.dir, places);
    await witness.check('from RAM');
    expect(await count(device, load.base, 'nop; nop; bx lr', 0, 2)).toEqual([2, 2]);
    const misdeeds = everywhereOnV6m({ load: load.base + 0x10000, data: data.base });
    for (const m of misdeeds) await commit(m, device, board, witness, folder.dir);
  }, silicon);
});

/** Processes of the system whose command line has this word. */
const processesWith = (word: string): readonly string[] =>
  readdirSync('/proc').filter((p) => {
    if (!/^\d+$/.test(p) || !existsSync(`/proc/${p}/cmdline`)) return false;
    try {
      return readFileSync(`/proc/${p}/cmdline`, 'utf8').split('\0').includes(word) && !isZombie(p);
    } catch {
      return false; // It ended while we looked.
    }
  });
const isZombie = (pid: string): boolean => / Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));

/** A program that opens a device, sets it to work for ever, and says so. */
const openAndTell = (built: BuiltFirmware): string => `
  import { pico } from '${root}/boards/pico/index.ts';
  const opened = await pico.open({ firmware: ${JSON.stringify(built)}, bulk: 'uart' });
  if (!opened.ok) throw new Error(opened.error.detail);
  const { base } = opened.value.info.load;
  await opened.value.load(base, Uint8Array.of(0xfe, 0xe7)); // b .
  void opened.value.call({ entry: base, args: [], warmups: 0, repeats: 1, deadlineMs: 150_000 });
  setImmediate(() => console.log('open'));
`;
for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
  test(`an emulator at work does not outlive a program that ends by ${signal}`, async () => {
    const built = await firmwareIn(join(folder.dir, signal), board);
    const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', openAndTell(built)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await new Promise<void>((resolve, reject) => {
      child.stdout.once('data', () => resolve());
      child.once('close', () => reject(new Error('the program ended')));
    });
    expect(processesWith(built.bin)).toHaveLength(1);
    child.kill(signal);
    for (let tries = 0; tries < 100 && processesWith(built.bin).length > 0; tries++)
      await new Promise((resolve) => setTimeout(resolve, 50));
    expect(processesWith(built.bin)).toEqual([]);
  });
}

test('an image that the boot ROM would refuse is told', async () => {
  const built = await firmwareIn(join(folder.dir, 'refused'), board);
  const image = readFileSync(built.bin);
  image[10] = (image[10] ?? 0) ^ 1;
  writeFileSync(built.bin, image);
  const opened = await board.open?.({ firmware: built, bulk: 'uart' });
  expect(opened).toMatchObject({ ok: false, error: { code: 'DEVICE_UNREACHABLE' } });
  expect(opened?.ok === false && opened.error.detail).toMatch(/checksum/);
});

test('the firmware without a network is small', () => {
  // Server, port, start-up and the second stage of the boot. Kept here so that growth is a decision.
  expect(firmware.sizes.text).toBeLessThanOrEqual(6000);
  expect(firmware.sizes.data).toBe(0);
});

/** A network as large as the board allows, hand-written, linked into the firmware and run; and one that is a little larger. */
import { mkdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { Twin } from '../../boards/board.ts';
import { memoryOf, partOf, type Span, seenElsewhere } from '../../boards/common/layout.ts';
import { host } from '../../boards/host/index.ts';
import { type BoardModule, type BuiltFirmware, boards } from '../../boards/index.ts';
import { lm3s6965evb } from '../../boards/lm3s6965evb/index.ts';
import { mps2An386 } from '../../boards/mps2-an386/index.ts';
import { nucleoF446re } from '../../boards/nucleo-f446re/index.ts';
import { nucleoG0b1re } from '../../boards/nucleo-g0b1re/index.ts';
import { nucleoH743zi } from '../../boards/nucleo-h743zi/index.ts';
import { nucleoL4r5zi } from '../../boards/nucleo-l4r5zi/index.ts';
import { pico } from '../../boards/pico/index.ts';
import { riscv32Virt } from '../../boards/riscv32-virt/index.ts';
import type { Result } from '../../compiler/result.ts';
import { compileUnit } from '../../toolchain/index.ts';
import { twinOf } from '../twins.ts';
import { expectOk, workFolder } from '../wire/host-board.ts';

const header = readFileSync(resolve(import.meta.dirname, '../../firmware-rpc/include/microtune_network.h'), 'utf8');
const folder = workFolder();
afterAll(() => folder.remove());

/**
 * Bytes of the arena, of constants in flash, and of constants that a schedule has placed in RAM (one byte is left in flash);
 * where a function runs.
 */
interface Shape {
  readonly arena: number;
  readonly flash: number;
  readonly ram: number;
  readonly code: 'flash' | 'ram';
}

/** Reads the last byte of everything, by a function of its own. */
const source = ({ arena, flash, ram, code }: Shape): string => `#include "microtune_network.h"
#define NETWORK_MEMORY __attribute__((section(".microtune_network"), aligned(16)))
static uint8_t NETWORK_MEMORY arena[${arena}];
static uint8_t NETWORK_MEMORY input[16];
static uint8_t NETWORK_MEMORY output[16];
extern const uint8_t weights[${flash}];
__asm__(".section .rodata\\n.global weights\\nweights: .fill ${flash - 1}, 1, 7\\n.byte 9\\n.text\\n");
static uint8_t fast[${ram}] __attribute__((${ram > 1 ? 'section(".bss.microtune")' : 'section(".microtune_network")'}));
__attribute__((section("${code === 'ram' ? '.ramfunc' : '.text.last'}"), noinline)) static uint8_t last(const uint8_t *x, uint32_t n) { return x[n - 1]; }
static uint8_t (*volatile through)(const uint8_t *, uint32_t) NETWORK_MEMORY;
static int init(void) { through = last; arena[${arena - 1}] = input[15]; fast[${ram - 1}] = 10; return 0; }
static int run(void) {
  output[0] = through(arena, ${arena}u);
  output[1] = through(weights, ${flash}u);
  output[2] = through(fast, ${ram}u);
  output[15] = 99;
  return 41;
}
static int layer(uint32_t i) { return (int)i; }
const mt_network_table mt_network = { init, run, layer, 1, input, sizeof input, output, sizeof output };
`;

async function built(board: BoardModule, name: string, shape: Shape): Promise<Result<BuiltFirmware>> {
  const cache = join(folder.dir, 'cache');
  mkdirSync(cache, { recursive: true });
  const headers = { 'microtune_network.h': header };
  const object = expectOk(
    await compileUnit({ target: board.target, name, source: source(shape), flags: [], headers }, cache),
  );
  return board.build({ dir: join(folder.dir, name), name, objects: [object.path] });
}

/** Nothing placed, and for the arena all RAM that is in one piece with the data region. */
function wholeStretch(board: BoardModule, twin: Twin): Shape {
  const ram = board.memory.filter((m) => m.role === 'ram').map((m) => memoryOf(board, twin, m.name));
  const [server, data] = [partOf(board, twin, twin.server), partOf(board, twin, twin.data)];
  const withoutServer = ({ base, bytes }: Span): [number, number][] =>
    server.base < base || server.base >= base + bytes
      ? [[base, base + bytes]]
      : [
          [base, server.base],
          [server.base + server.bytes, base + bytes],
        ];
  const pieces: [number, number][] = [];
  for (const [from, to] of [...ram, ...seenElsewhere(board, twin)].flatMap(withoutServer).sort((a, b) => a[0] - b[0])) {
    const last = pieces.at(-1);
    if (last?.[1] === from) last[1] = to;
    else pieces.push([from, to]);
  }
  const [from, to] = pieces.find((p) => data.base >= p[0] && data.base < p[1]) ?? [0, 0];
  return { arena: to - from - 96, flash: board.flashBytes - 32_768, ram: 1, code: 'flash' };
}

const shapes: readonly (readonly [BoardModule, Shape])[] = [
  [host, { arena: 30_000_000, flash: 3_000_000, ram: 600_000, code: 'ram' }],
  [mps2An386, { arena: 16_640_000, flash: 3_500_000, ram: 600_000, code: 'ram' }],
  [riscv32Virt, { arena: 16_040_000, flash: 3_500_000, ram: 600_000, code: 'ram' }],
  // One SRAM for everything; SRAM2 with code in it, or part of one long arena; memories of their own.
  [nucleoF446re, { arena: 65_000, flash: 450_000, ram: 40_000, code: 'ram' }],
  [nucleoG0b1re, { arena: 90_000, flash: 450_000, ram: 40_000, code: 'ram' }],
  [nucleoL4r5zi, { arena: 458_000, flash: 1_900_000, ram: 130_000, code: 'ram' }],
  [nucleoL4r5zi, { arena: 163_000, flash: 1_500_000, ram: 458_000, code: 'ram' }],
  // Beside it there is nothing that its probe could be tried with but its input.
  [lm3s6965evb, { arena: 57_248, flash: 240_000, ram: 1, code: 'flash' }],
  [nucleoH743zi, { arena: 524_000, flash: 1_900_000, ram: 95_000, code: 'ram' }],
];
/** Every twin, whoever adds it. */
const whole = boards.flatMap((board): (readonly [BoardModule, Shape])[] => {
  const twin = twinOf(board);
  return twin?.timing === undefined ? [] : [[board, wholeStretch(board, twin)]];
});

test('there are such twins', () => expect(whole.length).toBeGreaterThan(5));

for (const [k, [board, shape]] of [...shapes, ...whole].entries()) {
  test(`${board.id} runs a network of ${shape.arena} bytes of arena and ${shape.flash + shape.ram} of constants`, async () => {
    const firmware = expectOk(await built(board, `${board.id}-large${k}`, shape));
    if (board.open === undefined) throw new Error('not emulated');
    const device = expectOk(await board.open({ firmware, bulk: 'shared' }));
    try {
      const { network, load } = device.info;
      if (network === undefined) throw new Error('no network announced');
      expect(device.info.buildId).toBe(firmware.buildId);
      const call = { args: [0, 0, 0, 0], warmups: 0, repeats: 1, deadlineMs: 5000 };
      await device.load(
        network.input,
        Uint8Array.from({ length: 16 }, (_, i) => i + 100),
      );
      expect(await device.call({ ...call, entry: network.init })).toMatchObject({ ok: true, returned: 0 });
      expect(await device.call({ ...call, entry: network.entry })).toMatchObject({ ok: true, returned: 41 });
      const output = await device.fetch(network.output, network.outputBytes);
      expect([...output.subarray(0, 3), output[15]]).toEqual([115, 9, 10, 99]);
      expect(await device.call({ ...call, entry: network.layer, args: [5] })).toMatchObject({ ok: true, returned: 5 });
      // What the network keeps in RAM is not the host's to overwrite.
      if (board.dataBytes === undefined) expect(load.bytes).toBeGreaterThan(4096);
      else expect(load.bytes, 'trials run from RAM, of which nothing is left').toBe(0);
      expect([device.info.ramCode.bytes, device.info.ramData.bytes], 'no trials beside a network').toEqual([0, 0]);
      await device.load(load.base, new Uint8Array(Math.min(load.bytes, 1 << 22)).fill(0xff));
      expect(await device.call({ ...call, entry: network.entry })).toMatchObject({ ok: true, returned: 41 });
      expect((await device.fetch(network.output, 3))[2]).toBe(10);
    } finally {
      await device.close();
    }
  });
}

test("a network that is too large for flash or RAM is MODEL_TOO_BIG, with the linker's words", async () => {
  const [, fits] = shapes[1] as (typeof shapes)[number];
  for (const [name, shape, words] of [
    ['flash', { ...fits, flash: fits.flash + 800_000 }, /region `?FLASH/],
    ['arena', { ...fits, arena: fits.arena + 20_000 }, /region `?DATA' overflowed by \d+ bytes/],
  ] as const) {
    const r = await built(mps2An386, `too-large-${name}`, shape);
    expect(r, name).toMatchObject({ ok: false, error: { stage: 'link', code: 'MODEL_TOO_BIG' } });
    expect(r.ok ? '' : r.error.detail).toMatch(words);
  }
});

test('so is one whose arena ends in the memory that follows, with the bytes that it is beyond', async () => {
  const r = await built(pico, 'into-the-next', { arena: 2600, flash: 1000, ram: 259_600, code: 'flash' });
  expect(r).toMatchObject({ ok: false, error: { stage: 'link', code: 'MODEL_TOO_BIG' } });
  expect(r.ok ? '' : r.error.detail).toMatch(/region `DATA' overflowed by \d{2,3} bytes/);
});

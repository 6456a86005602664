/**
 * An emulated Cortex-M board from its board.json: what a board's index.ts calls. With a timing model its counts are cycles of
 * the product, without one they are instructions.
 */
import { join } from 'node:path';
import type { Device } from '../../firmware-rpc/host/device.ts';
import type { Board, Timing, TwinData } from '../board.ts';
import type { BoardModule } from '../module.ts';
import { type BuildRecipe, buildServer } from './build.ts';
import { layoutOf, memoryOf, partOf, type Span, seenElsewhere } from './layout.ts';
import { readMailbox } from './mailbox.ts';
import { type Machine, machineOf, mailboxBytes } from './mps2/machines.ts';
import { startQemu } from './qemu.ts';
import { productOf } from './silicon.ts';

const here = import.meta.dirname;
const cortexM = (file: string): string => join(here, 'cortex-m', file);

export function emulated(data: TwinData): BoardModule {
  const { twin, silicon } = data;
  const board = boardOf(data);
  const machine = machineOf(twin.machine);
  const recipe = recipeOf(data, board, machine);
  const timing = timingOf(data);
  const { shared, staging, mailbox } = machine;
  return {
    ...board,
    build: (request) => buildServer(recipe, request),
    // One instruction is one nanosecond of virtual time, so that timers, and with them deadlines, count instructions.
    open: ({ firmware, bulk }) =>
      startQemu({
        program: 'qemu-system-arm',
        machine: machine.name,
        args: ['-icount', 'shift=0'],
        elf: firmware.elf,
        begins: machine.begins,
        shared: { bytes: shared.bytes, stagingOffset: staging.base - shared.base, stagingBytes: staging.bytes },
        ...(timing !== undefined && { timing: { model: timing, ramBase: shared.base, mailbox } }),
        bulk,
      }),
    ...(timing !== undefined && { counters: (device: Device) => readMailbox(device, mailbox) }),
    ...(silicon !== undefined && { product: productOf(board, silicon, join(here, '..', data.id)) }),
  };
}

/** What the plugin is told: the regions with their addresses in the machine. */
function timingOf(data: TwinData): Timing | undefined {
  const { timing } = data.twin;
  if (timing === undefined) return undefined;
  const at = (r: (typeof timing.regions)[number], { base, bytes }: Span) => ({
    ...r,
    base: `0x${base.toString(16)}`,
    bytes,
  });
  const regions = timing.regions.flatMap((r) => {
    const again = r.name === data.twin.ramCode?.in ? seenElsewhere(data, data.twin) : [];
    return [
      at(r, memoryOf(data, data.twin, r.name)),
      ...again.map((span) => at({ ...r, name: `${r.name}-data` }, span)),
    ];
  });
  return { ...timing, regions };
}

/** Bytes of a way of the largest cache whose sets are chosen by address; undefined where there is none. */
function wayBytesOf({ twin }: TwinData): number | undefined {
  const ways = (twin.timing?.caches ?? [])
    .filter((c) => c.ways !== undefined && c.ways < c.lines)
    .map((c) => (c.lines / (c.ways ?? 1)) * c.lineBytes);
  return ways.length === 0 ? undefined : Math.max(...ways);
}

/** What of a board follows from how its twin shares out the memories. */
function boardOf(data: TwinData): Board {
  const { twin, silicon: _, ...rest } = data;
  const bytes = (part: TwinData['twin']['data'] | undefined): number =>
    part === undefined ? 0 : partOf(data, twin, part).bytes;
  const placed = { codeBytes: bytes(twin.ramCode), dataBytes: bytes(twin.ramData) };
  const wayBytes = wayBytesOf(data);
  const flash = data.memory.find((m) => m.name === twin.flash)?.bytes ?? 0;
  return {
    ...rest,
    flashBytes: twin.load.in === twin.flash ? bytes(twin.load) : flash,
    ramBytes: bytes(twin.data) + placed.codeBytes + placed.dataBytes,
    loadBytes: bytes(twin.load),
    ...(twin.ramCode !== undefined && { placed }),
    ...(wayBytes !== undefined && { wayBytes }),
    deterministic: true,
  };
}

function recipeOf(data: TwinData, board: Board, machine: Machine): BuildRecipe {
  const modelled = data.twin.timing !== undefined;
  const thumb1 = data.target.isa === 'armv6-m';
  const counter = modelled ? 'counter-twin.c' : 'counter-instructions.c';
  const defines = {
    MT_BOARD: `"${data.id}"`,
    MT_CPU_HZ: `${data.clockHz}u`,
    // Of a modelled core at most two a cycle.
    MT_MOST_INSTRUCTIONS_PER_SECOND: `${modelled ? 2 * data.clockHz : data.clockHz}u`,
    MT_STAGING: `${machine.staging.base}u`,
    // With the mailbox behind it, which hosts may read.
    MT_STAGING_BYTES: `${machine.mailbox + mailboxBytes - machine.staging.base}u`,
    // The machine's CPU is an Armv7-M even where the code is for a smaller one.
    ...(thumb1 && { MT_FAULT_STATUS: '1' }),
    ...(modelled && { MT_TWIN: '1', MT_MAILBOX: `${machine.mailbox}u` }),
    ...machine.defines,
  };
  const layout = Object.entries(layoutOf(board, data.twin, machine.staging));
  const symbols = layout.map(([name, value]) => `-Wl,--defsym,${name}=${value}`);
  return {
    target: data.target,
    sources: [
      ...['board.c', 'call.c', 'start.c', enterOf(data.target.isa)].map(cortexM),
      machine.guard,
      ...machine.sources,
      join(here, 'mps2', counter),
    ],
    includeDirs: ['cortex-m', 'mps2', 'timing'].map((dir) => join(here, dir)),
    flags: ['-ffreestanding', ...Object.entries(defines).map(([name, value]) => `-D${name}=${value}`)],
    linkScript: cortexM('sections.ld'),
    linkFlags: [
      '-nostartfiles',
      '--specs=nano.specs',
      ...(machine.begins === 'entry' ? ['-Wl,-e,mt_entry_point'] : []),
      ...symbols,
    ],
  };
}

/** The way into a call, by the instructions that the code is compiled for. */
function enterOf(isa: string): string {
  if (isa === 'armv6-m') return 'enter-v6m.c';
  return isa.startsWith('armv8') ? 'enter-v8m.c' : 'enter-v7m.c';
}

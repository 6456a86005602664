/**
 * An emulated Cortex-M board from its board.json: what a board's index.ts calls. With a timing model its counts are cycles of
 * the product, without one they are instructions.
 */
import { join } from 'node:path';
import type { Device } from '../../firmware-rpc/host/device.ts';
import type { Board, Timing, TwinData } from '../board.ts';
import type { BoardModule } from '../module.ts';
import { type BuildRecipe, buildServer } from './build.ts';
import { cortexMRecipe } from './cortex-m/recipe.ts';
import { memoryOf, partOf, type Span, seenElsewhere } from './layout.ts';
import { readMailbox } from './mailbox.ts';
import { type Machine, machineOf, mailboxBytes } from './mps2/machines.ts';
import { profiledMemory, readProfile } from './profile.ts';
import { startQemu } from './qemu.ts';
import { productOf } from './silicon.ts';

const here = import.meta.dirname;

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
    open: ({ firmware, bulk, profileDir }) =>
      startQemu({
        program: 'qemu-system-arm',
        machine: machine.name,
        elf: firmware.elf,
        begins: machine.begins,
        shared: { bytes: shared.bytes, stagingOffset: staging.base - shared.base, stagingBytes: staging.bytes },
        ...(timing !== undefined && {
          timing: {
            model: timing,
            ramBase: shared.base,
            mailbox,
            ...(profileDir !== undefined && { profiled: profiledMemory(data, profileDir) }),
          },
        }),
        bulk,
      }),
    ...(timing !== undefined && {
      counters: (device: Device) => readMailbox(device, mailbox),
      profile: (dir: string, addresses: readonly number[]) => readProfile(data, dir, addresses),
    }),
    ...(silicon !== undefined && { product: productOf(board, silicon, join(here, '..', data.id)) }),
  };
}

/** What the plugin is told: the regions with their addresses in the machine. */
export function timingOf(data: TwinData): Timing | undefined {
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

/** Bytes of the load region in the first bank that it touches; undefined where its memory has one bank, or no model. */
function bankBytesOf(data: TwinData): number | undefined {
  const { timing, load } = data.twin;
  const banks = timing?.regions.find((r) => r.name === load.in)?.banks ?? 1;
  if (banks === 1) return undefined;
  const memory = memoryOf(data, data.twin, load.in);
  const { base, bytes } = partOf(data, data.twin, load);
  const bank = memory.bytes / banks;
  return Math.min(bytes, bank - ((base - memory.base) % bank));
}

/** What of a board follows from how its twin shares out the memories. */
function boardOf(data: TwinData): Board {
  const { twin, silicon: _, ...rest } = data;
  const bytes = (part: TwinData['twin']['data'] | undefined): number =>
    part === undefined ? 0 : partOf(data, twin, part).bytes;
  const placed = { codeBytes: bytes(twin.ramCode), dataBytes: bytes(twin.ramData) };
  const wayBytes = wayBytesOf(data);
  const bankBytes = bankBytesOf(data);
  const flash = data.memory.find((m) => m.name === twin.flash)?.bytes ?? 0;
  return {
    ...rest,
    flashBytes: twin.load.in === twin.flash ? bytes(twin.load) : flash,
    ramBytes: bytes(twin.data) + placed.codeBytes + placed.dataBytes,
    loadBytes: bytes(twin.load),
    ...(twin.ramCode !== undefined && { placed }),
    ...(wayBytes !== undefined && { wayBytes }),
    ...(bankBytes !== undefined && { bankBytes }),
    deterministic: true,
  };
}

function recipeOf(data: TwinData, board: Board, machine: Machine): BuildRecipe {
  const modelled = data.twin.timing !== undefined;
  const counter = modelled ? 'counter-twin.c' : 'counter-instructions.c';
  return cortexMRecipe({
    board,
    shares: data.twin,
    staging: machine.staging,
    sources: [...machine.sources, join(here, 'mps2', counter)],
    includeDirs: ['mps2', 'timing'].map((dir) => join(here, dir)),
    defines: {
      // Of a modelled core at most two a cycle.
      MT_MOST_INSTRUCTIONS_PER_SECOND: `${modelled ? 2 * data.clockHz : data.clockHz}u`,
      MT_STAGING: `${machine.staging.base}u`,
      // With the mailbox behind it, which hosts may read.
      MT_STAGING_BYTES: `${machine.mailbox + mailboxBytes - machine.staging.base}u`,
      // The machine's CPU is an Armv7-M even where the code is for a smaller one.
      ...(data.target.isa === 'armv6-m' && { MT_FAULT_STATUS: '1' }),
      ...(modelled && { MT_TWIN: '1', MT_MAILBOX: `${machine.mailbox}u` }),
      ...machine.defines,
    },
    linkFlags: machine.begins === 'entry' ? ['-Wl,-e,mt_entry_point'] : [],
  });
}

/**
 * Puts firmware on a real board, with the first of the board's tools that is installed.
 * Must stay true: what is run is exactly what is printed; nothing is flashed that was not asked for by name.
 */
import { copyFileSync, existsSync, readdirSync, realpathSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { FlashTool } from '../boards/board.ts';
import type { BoardModule, BuiltFirmware, Product } from '../boards/index.ts';
import { failed, ok, type Result } from '../compiler/result.ts';
import { findTool, run, toolHint } from '../toolchain/index.ts';
import type { Flasher } from './attached.ts';

export interface FlashRequest {
  readonly board: string;
  readonly product: Product;
  readonly firmware: BuiltFirmware;
  /** Which of several: a serial port, whose debug probe is taken, or the folder of a boot loader's volume. */
  readonly where?: string;
}
/** What flashing comes to. */
export interface FlashPlan {
  readonly tool: FlashTool['tool'];
  /** A program and its arguments, or `cp` and two paths. */
  readonly command: readonly string[];
}

/** A flash of a few megabytes over SWD takes well under a minute. */
const limits = { timeMs: 120_000, memoryMiB: 2048 };

/** The command for the first of the board's tools that is at hand. Failures: FLASH_TOOL_MISSING, BOOT_VOLUME_MISSING. */
export function planFlash(r: FlashRequest): Result<FlashPlan> {
  const tool = r.product.tools.find((t) => t.tool === 'uf2' || findTool(t.tool) !== undefined);
  if (tool !== undefined) return planWith(tool, r);
  const hints = r.product.tools.map((t) => toolHint(t.tool)).join('; or ');
  return failed('load', 'FLASH_TOOL_MISSING', `nothing that can flash ${r.board} is installed: ${hints}`);
}

/** The same with a tool that need not be installed: to be shown. */
export function planWith(tool: FlashTool, { board, firmware, where }: FlashRequest): Result<FlashPlan> {
  const probe = where === undefined ? undefined : probeOf(where);
  switch (tool.tool) {
    case 'openocd': {
      const files = tool.files.flatMap((f) => ['-f', f]);
      const serial = probe === undefined ? [] : ['-c', `adapter serial ${probe}`];
      const command = ['openocd', ...files, ...serial, '-c', `program {${firmware.elf}} verify reset exit`];
      return ok({ tool: tool.tool, command });
    }
    case 'pyocd': {
      const serial = probe === undefined ? [] : ['--uid', probe];
      return ok({
        tool: tool.tool,
        command: ['pyocd', 'flash', '--target', tool.target, ...serial, firmware.elf],
      });
    }
    case 'st-flash': {
      const serial = probe === undefined ? [] : ['--serial', probe];
      return ok({ tool: tool.tool, command: ['st-flash', ...serial, '--reset', 'write', firmware.bin, tool.address] });
    }
    case 'uf2': {
      const volume = where ?? mounted(tool.volume);
      if (volume === undefined || !existsSync(volume))
        return failed('load', 'BOOT_VOLUME_MISSING', `${board}: no volume ${where ?? tool.volume} is mounted`);
      // Every boot loader that takes UF2 files has this one on its volume.
      if (!existsSync(join(volume, 'INFO_UF2.TXT')))
        return failed(
          'load',
          'BOOT_VOLUME_MISSING',
          `${board}: ${volume} is no boot loader's volume, as it has no INFO_UF2.TXT`,
        );
      const image = firmware.bin.replace(/\.bin$/, '.uf2');
      return ok({ tool: tool.tool, command: ['cp', image, join(volume, basename(image))] });
    }
  }
}

/** Does what a plan says. Failures: FLASH_FAILED, with the tool's last words. */
export async function flash({ tool, command }: FlashPlan): Promise<Result<void>> {
  const [program = '', ...args] = command;
  if (tool === 'uf2') return copy(args[0] ?? '', args[1] ?? '');
  const ran = await run([program, ...args], { limits, as: 'owner' });
  if (ran.code === 0) return ok(undefined);
  const why =
    ran.stopped === 'time'
      ? `was stopped after ${limits.timeMs / 1000} s`
      : `${ran.stderr}\n${ran.stdout}`.trim().slice(-600) || `ended with ${ran.code ?? 'a signal'}`;
  return failed('load', 'FLASH_FAILED', `${program}: ${why}`);
}

function copy(from: string, to: string): Result<void> {
  try {
    copyFileSync(from, to);
    return ok(undefined);
  } catch (error) {
    return failed('load', 'FLASH_FAILED', error instanceof Error ? error.message : String(error));
  }
}

/** The serial number of the debug probe behind a serial port, where the system tells it (Linux: /dev/serial/by-id). */
export function probeOf(port: string, byId = '/dev/serial/by-id'): string | undefined {
  const device = targetOf(port);
  if (device === undefined) return undefined;
  const links = existsSync(byId) ? readdirSync(byId).sort() : [];
  const link = links.find((name) => targetOf(join(byId, name)) === device);
  return /_(?:ST-?Link|STLINK-V\d\w*)_([0-9A-F]+)-if/i.exec(link ?? basename(port))?.[1];
}

/** What a link leads to; undefined where that is not there: a board may be unplugged at any moment. */
function targetOf(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}

/** Where desktops mount what is plugged in. */
function mounted(volume: string): string | undefined {
  const roots = ['/media', '/run/media'].flatMap((root) =>
    existsSync(root) ? [root, ...readdirSync(root).map((user) => join(root, user))] : [],
  );
  return [...roots, '/mnt', '/Volumes'].map((root) => join(root, volume)).find((path) => existsSync(path));
}

/**
 * For the pool, which flashes devices by itself: only one whose own probe is known, so that no other board is written by mistake.
 * Undefined where a person must hold a button, or nothing can be flashed.
 */
export function flasherOf(board: BoardModule, dir: string): Flasher | undefined {
  const { product } = board;
  if (product === undefined || product.tools.every((t) => t.tool === 'uf2')) return undefined;
  return {
    build: () => product.build({ dir: join(dir, board.id), name: 'server', objects: [] }),
    flash: async (firmware, address) => {
      if (probeOf(address) === undefined)
        return failed('load', 'FLASH_FAILED', `${address}: no debug probe is known to belong to this device`);
      const plan = planFlash({ board: board.id, product, firmware, where: address });
      return plan.ok ? flash(plan.value) : plan;
    },
  };
}

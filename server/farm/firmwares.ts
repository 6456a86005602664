/** The server's firmware for each board, built once in the daemon's life; and emulated devices, which start from it. */
import { join } from 'node:path';
import type { BoardModule, BuiltFirmware } from '../../boards/index.ts';
import { ok, type Result } from '../../compiler/result.ts';
import type { DeviceSource } from '../../tuner/measure/pool.ts';

export class Firmwares {
  private readonly cacheDir: string;
  private readonly built = new Map<string, Promise<Result<BuiltFirmware>>>();
  private readonly rebuilding = new Map<string, Promise<Result<void>>>();

  constructor(cacheDir: string) {
    this.cacheDir = cacheDir;
  }

  /** A failure is tried again. */
  async of(board: BoardModule): Promise<Result<BuiltFirmware>> {
    const dir = join(this.cacheDir, 'firmware', board.id);
    const made = this.built.get(board.id) ?? board.build({ dir, name: 'server', objects: [] });
    this.built.set(board.id, made);
    let result: Result<BuiltFirmware> | undefined;
    try {
      result = await made;
      return result;
    } finally {
      if (result?.ok !== true) this.built.delete(board.id);
    }
  }

  /** Somebody may have touched the file that emulators start from. One build for all that ask for it meanwhile. */
  private rebuild(board: BoardModule): Promise<Result<void>> {
    const under = this.rebuilding.get(board.id);
    if (under !== undefined) return under;
    this.built.delete(board.id);
    const again = this.of(board)
      .then((firmware): Result<void> => (firmware.ok ? ok(undefined) : firmware))
      .finally(() => this.rebuilding.delete(board.id));
    this.rebuilding.set(board.id, again);
    return again;
  }

  /** An emulated device of this name. Nothing is built or started before it is opened. */
  emulated(board: BoardModule, name: string): DeviceSource {
    return {
      name,
      id: name,
      open: async () => {
        const firmware = await this.of(board);
        if (board.open === undefined) throw new Error(`${board.id} is not emulated`);
        return firmware.ok ? board.open({ firmware: firmware.value, bulk: 'shared' }) : firmware;
      },
      build: async () => {
        const firmware = await this.of(board);
        return firmware.ok ? firmware.value.buildId : undefined;
      },
      reflash: () => this.rebuild(board),
    };
  }
}

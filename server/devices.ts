/**
 * The farm: which devices each board has, attached and emulated. Devices are opened on demand by the pool of the job that
 * needs them and closed after it, so that an idle daemon holds no port and runs no emulator. Quarantine ends with the job.
 */
import { join } from 'node:path';
import type { BoardModule, BuiltFirmware } from '../boards/index.ts';
import { failed, ok, type Result } from '../compiler/result.ts';
import { attach } from '../firmware-rpc/host/attach.ts';
import type { Device } from '../firmware-rpc/host/device.ts';
import { DevicePool, type DeviceSource, type DeviceState } from '../tuner/measure/pool.ts';
import type { DeviceBody } from './schemas.ts';

/** A device that somebody attached. */
export interface AttachedDevice {
  readonly board: string;
  /** Path of a serial port, or HOST:PORT. */
  readonly address: string;
}
export interface FarmOptions {
  readonly boards: readonly BoardModule[];
  readonly attached: readonly AttachedDevice[];
  /** Emulated devices by board; `cores` where a board is not named. */
  readonly emulate: Readonly<Record<string, number>>;
  readonly cores: number;
  readonly cacheDir: string;
  readonly log: (message: string) => void;
}

interface Bay {
  readonly pool: DevicePool;
  readonly closed: boolean;
}

export class Farm {
  private readonly o: FarmOptions;
  /** By board: the pool of its job, or of its last one. */
  private readonly bays = new Map<string, Bay>();
  private readonly firmware = new Map<string, Promise<Result<BuiltFirmware>>>();

  constructor(options: FarmOptions) {
    this.o = options;
  }

  /** Whether a board has any device at all; none is started for the answer. */
  has(board: BoardModule): boolean {
    return this.namesOf(board).length > 0;
  }

  /** A fresh pool for a job. Failures: NO_DEVICE, and those of building the firmware of emulated devices. */
  async open(board: BoardModule): Promise<Result<DevicePool>> {
    const names = this.namesOf(board);
    if (names.length === 0)
      return failed('load', 'NO_DEVICE', `no device of ${board.id} is attached, and none is emulated`);
    const sources = await this.sourcesOf(board);
    if (!sources.ok) return sources;
    const pool = new DevicePool(board, sources.value, this.o.cacheDir, { log: this.o.log });
    this.bays.set(board.id, { pool, closed: false });
    return ok(pool);
  }

  async close(board: BoardModule): Promise<void> {
    const bay = this.bays.get(board.id);
    if (bay === undefined || bay.closed) return;
    this.bays.set(board.id, { ...bay, closed: true });
    await bay.pool.closeAll();
  }
  async closeAll(): Promise<void> {
    await Promise.all(this.o.boards.map((b) => this.close(b)));
  }

  /** Build id of the firmware on a device that answered with this uid. */
  firmwareOf(board: BoardModule, uid: string): string | null {
    return (
      this.bays
        .get(board.id)
        ?.pool.states()
        .find((s) => s.uid === uid)?.firmware ?? null
    );
  }

  /** Every device; counts are of the board's last job. */
  states(): readonly DeviceBody[] {
    return this.o.boards.flatMap((board) => {
      const bay = this.bays.get(board.id);
      const states = bay?.pool.states() ?? this.namesOf(board).map(untouched);
      return states.map((s) => ({ ...s, board: board.id, state: bay?.closed === true ? 'closed' : s.state }));
    });
  }

  private attachedOf(board: BoardModule): readonly string[] {
    return this.o.attached.filter((d) => d.board === board.id).map((d) => d.address);
  }
  private emulatedOf(board: BoardModule): readonly string[] {
    const count = board.open === undefined ? 0 : (this.o.emulate[board.id] ?? this.o.cores);
    return Array.from({ length: count }, (_, i) => `${board.id}#${i}`);
  }
  private namesOf(board: BoardModule): readonly string[] {
    return [...this.attachedOf(board), ...this.emulatedOf(board)];
  }

  private async sourcesOf(board: BoardModule): Promise<Result<readonly DeviceSource[]>> {
    const attached = this.attachedOf(board).map(
      (address): DeviceSource => ({
        name: address,
        open: () => attach(address),
      }),
    );
    const emulated = this.emulatedOf(board);
    if (emulated.length === 0) return ok(attached);
    const firmware = await this.firmwareFor(board);
    if (!firmware.ok) return firmware;
    return ok([
      ...attached,
      ...emulated.map((name): DeviceSource => ({ name, id: name, open: () => emulate(board, firmware.value) })),
    ]);
  }

  /** Built once in the daemon's life; a failure is tried again. */
  private async firmwareFor(board: BoardModule): Promise<Result<BuiltFirmware>> {
    const dir = join(this.o.cacheDir, 'firmware', board.id);
    const made = this.firmware.get(board.id) ?? board.build({ dir, name: 'server', objects: [] });
    this.firmware.set(board.id, made);
    let result: Result<BuiltFirmware> | undefined;
    try {
      result = await made;
      return result;
    } finally {
      if (result?.ok !== true) this.firmware.delete(board.id);
    }
  }
}

const untouched = (name: string): DeviceState => ({
  name,
  state: 'closed',
  uid: null,
  firmware: null,
  trials: 0,
  failures: 0,
  reason: null,
});

async function emulate(board: BoardModule, firmware: BuiltFirmware): Promise<Result<Device>> {
  if (board.open === undefined) throw new Error(`${board.id} is not emulated`);
  return board.open({ firmware, bulk: 'shared' });
}

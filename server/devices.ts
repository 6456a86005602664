/**
 * The farm: which devices each board has, attached and emulated. Jobs of a board share its pool: the first one makes it, the
 * last one closes it, so that an idle daemon holds no port and runs no emulator.
 */
import { join } from 'node:path';
import type { BoardModule, BuiltFirmware } from '../boards/index.ts';
import { failed, ok, type Result } from '../compiler/result.ts';
import { answering, askAll, serialPorts } from '../firmware-rpc/host/discover.ts';
import type { LinkOptions } from '../firmware-rpc/host/link.ts';
import { untouched } from '../tuner/measure/device-state.ts';
import { Baselines, healthCheck } from '../tuner/measure/health.ts';
import { DevicePool, type DeviceSource, type PoolOptions } from '../tuner/measure/pool.ts';
import { type AttachedDevice, AttachedSource, type Flasher } from './attached.ts';
import { isEmulated, mixed, productAt } from './product.ts';
import type { DeviceBody } from './schemas/index.ts';

export interface FarmOptions {
  readonly boards: readonly BoardModule[];
  readonly attached: readonly AttachedDevice[];
  /** Emulated devices by board; `cores` where a board is not named. */
  readonly emulate: Readonly<Record<string, number>>;
  /** Shell commands by board; see AttachedOptions. */
  readonly powerCycle?: Readonly<Record<string, string>>;
  /** GDB servers by board; see AttachedOptions. */
  readonly probes?: Readonly<Record<string, string>>;
  /** Of boards that can be flashed from here. */
  readonly flasherOf?: (board: BoardModule) => Flasher | undefined;
  /** Addresses where attached devices may be; the serial ports of this machine, unless given. */
  readonly ports?: () => Promise<readonly string[]>;
  /** Whether devices that somebody plugs in are looked for. */
  readonly discover?: 'never' | 'each-job';
  /** Patience with attached devices. */
  readonly link?: LinkOptions;
  /** How pools deal with their devices, beside what the farm says. */
  readonly pool?: Pick<PoolOptions, 'check' | 'checkEvery' | 'firmware' | 'restMs' | 'quarantineMs'>;
  readonly cores: number;
  readonly cacheDir: string;
  readonly log: (message: string) => void;
}

/** Hears of troubles with devices. */
type Tell = (message: string) => void;
interface Bay {
  readonly pool: DevicePool;
  /** One for each job that uses it. */
  readonly holds: Tell[];
  closed: boolean;
}

export class Farm {
  private readonly o: FarmOptions;
  /** By board: the pool of its jobs, or of its last ones. */
  private readonly bays = new Map<string, Bay>();
  /** By board: opening and closing under way, for one comes after the other. */
  private readonly doors = new Map<string, Promise<unknown>>();
  private readonly firmware = new Map<string, Promise<Result<BuiltFirmware>>>();
  /** One for each attached device, by the address that it was given with: they know where it is now. */
  private readonly attached = new Map<string, AttachedSource>();
  private readonly rebuilding = new Map<string, Promise<Result<void>>>();
  private readonly baselines = new Baselines();

  constructor(options: FarmOptions) {
    this.o = options;
    for (const device of options.attached) this.attach(device);
  }

  /** Asks all free ports and attaches the boards that answer; what is new. */
  async discover(): Promise<readonly AttachedDevice[]> {
    const taken = new Set([...this.attached.values()].map((s) => s.address));
    const ports = (await this.ports()).filter((p) => !taken.has(p));
    const added: AttachedDevice[] = [];
    for (const { board, address, uid } of answering(await askAll(ports))) {
      const known = this.o.boards.find((b) => b.id === board);
      if (known === undefined || (await this.hasMoved(uid))) continue;
      if (!suits(known)) {
        this.o.log(`found a ${board} at ${address}, not used: ${mixed(known)}`);
        continue;
      }
      added.push({ board, address });
      this.attach({ board, address });
      this.o.log(`found a ${board} at ${address}`);
    }
    return added;
  }

  /** Whether one that is known by this uid is not where it was: then that one will find itself. */
  private async hasMoved(uid: string): Promise<boolean> {
    const known = [...this.attached.values()].filter((s) => s.uid === uid);
    const answers = answering(await askAll(known.map((s) => s.address)));
    return answers.length < known.length;
  }

  /** Whether a board has any device at all; none is started for the answer. */
  has(board: BoardModule): boolean {
    return this.namesOf(board).length > 0;
  }

  /**
   * The board's pool, shared by all who opened it and did not close it again. `tell` hears of its troubles meanwhile. Failures:
   * NO_DEVICE, KINDS_MIXED, and those of building the firmware of emulated devices.
   */
  async open(board: BoardModule, tell: Tell = () => undefined): Promise<Result<DevicePool>> {
    if (this.o.discover === 'each-job') await this.discover();
    return this.inTurn(board, async () => {
      const bay = this.bays.get(board.id);
      const shared = bay === undefined || bay.closed ? await this.newBay(board) : ok(bay);
      if (!shared.ok) return shared;
      shared.value.holds.push(tell);
      return ok(shared.value.pool);
    });
  }
  private async newBay(board: BoardModule): Promise<Result<Bay>> {
    if (!this.has(board))
      return failed('load', 'NO_DEVICE', `no device of ${board.id} is attached, and none is emulated`);
    if (this.attachedOf(board).length > 0 && !suits(board)) return failed('load', 'KINDS_MIXED', mixed(board));
    const sources = await this.sourcesOf(board);
    if (!sources.ok) return sources;
    const holds: Tell[] = [];
    const pool = new DevicePool(board, sources.value, this.o.cacheDir, {
      check: healthCheck(board, this.o.cacheDir, this.baselines),
      ...this.o.pool,
      log: (message) => {
        this.o.log(message);
        for (const tell of holds) tell(message);
      },
    });
    const bay = { pool, holds, closed: false };
    this.bays.set(board.id, bay);
    return ok(bay);
  }

  /** Gives back what one open() took, the one with this `tell`; the last one closes the devices. */
  close(board: BoardModule, tell?: Tell): Promise<void> {
    return this.inTurn(board, async () => {
      const bay = this.bays.get(board.id);
      if (bay === undefined || bay.closed) return;
      const at = tell === undefined ? 0 : bay.holds.indexOf(tell);
      if (at >= 0) bay.holds.splice(at, 1);
      if (bay.holds.length === 0) await this.shut(bay);
    });
  }
  /** Closes all devices, whoever uses them. */
  async closeAll(): Promise<void> {
    await Promise.all([...this.bays.values()].map((bay) => this.shut(bay)));
  }
  private async shut(bay: Bay): Promise<void> {
    bay.closed = true;
    await bay.pool.closeAll();
  }
  private inTurn<T>({ id }: BoardModule, work: () => Promise<T>): Promise<T> {
    const turn = (this.doors.get(id) ?? Promise.resolve()).then(work, work);
    this.doors.set(id, turn);
    return turn;
  }

  /**
   * `work` with the board as a network is run on it. An emulated one is started for it; an attached product is had for itself,
   * without other jobs' trials, and is flashed. The board must be open. Failures: NO_DEVICE where it was closed or `signal` was
   * heard first; those of `work`.
   */
  async exclusively<T>(
    board: BoardModule,
    work: (form: BoardModule) => Promise<Result<T>>,
    signal: AbortSignal,
  ): Promise<Result<T>> {
    const flasher = isEmulated(board) ? undefined : this.o.flasherOf?.(board);
    if (flasher === undefined) return work(board);
    const done = await this.bays.get(board.id)?.pool.exclusively(({ name }) => {
      const address = this.attached.get(name)?.address ?? name;
      return work(productAt(board, address, flasher));
    }, signal);
    return done ?? failed('load', 'NO_DEVICE', `no device of ${board.id} was free`);
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
      const states = bay?.pool.states() ?? this.namesOf(board).map((n) => untouched(n, new Date(0).toISOString()));
      const { id, kind } = board;
      return states.map((s) => ({ ...s, board: id, kind, state: bay?.closed === true ? 'closed' : s.state }));
    });
  }

  private attachedOf(board: BoardModule): readonly AttachedSource[] {
    return [...this.attached.values()].filter((s) => s.board === board.id);
  }
  private emulatedOf(board: BoardModule): readonly string[] {
    const count = !isEmulated(board) ? 0 : (this.o.emulate[board.id] ?? this.o.cores);
    return Array.from({ length: count }, (_, i) => `${board.id}#${i}`);
  }
  private namesOf(board: BoardModule): readonly string[] {
    return [...this.attachedOf(board).map((s) => s.name), ...this.emulatedOf(board)];
  }

  private async sourcesOf(board: BoardModule): Promise<Result<readonly DeviceSource[]>> {
    const attached = this.attachedOf(board);
    const emulated = this.emulatedOf(board);
    if (emulated.length === 0) return ok(attached);
    const firmware = await this.firmwareFor(board);
    if (!firmware.ok) return firmware;
    return ok([...attached, ...emulated.map((name) => this.emulatedSource(board, name))]);
  }

  private attach(device: AttachedDevice): void {
    const board = this.o.boards.find((b) => b.id === device.board);
    if (board === undefined) throw new Error(`a device of ${device.board}, which is not a board`);
    const flasher = this.o.flasherOf?.(board);
    const source: AttachedSource = new AttachedSource(device, {
      ports: () => this.ports(),
      taken: () => [...this.attached.values()].flatMap((s) => (s === source ? [] : [s.address])),
      firmware: () => this.firmwareFor(board),
      flash: flasher?.flash,
      powerCycle: this.o.powerCycle?.[board.id],
      // It halts the one device that it reaches whenever somebody connects: the board's first.
      probeAt: this.attachedOf(board).length === 0 ? this.o.probes?.[board.id] : undefined,
      ...(this.o.link !== undefined && { link: this.o.link }),
      log: this.o.log,
    });
    this.attached.set(device.address, source);
  }
  private ports(): Promise<readonly string[]> {
    return (this.o.ports ?? serialPorts)();
  }

  private emulatedSource(board: BoardModule, name: string): DeviceSource {
    return {
      name,
      id: name,
      open: async () => {
        const firmware = await this.firmwareFor(board);
        return firmware.ok ? emulate(board, firmware.value) : firmware;
      },
      build: async () => {
        const firmware = await this.firmwareFor(board);
        return firmware.ok ? firmware.value.buildId : undefined;
      },
      reflash: () => this.rebuild(board),
    };
  }

  /** Somebody may have touched the file that emulators start from. One build for all that ask for it meanwhile. */
  private rebuild(board: BoardModule): Promise<Result<void>> {
    const under = this.rebuilding.get(board.id);
    if (under !== undefined) return under;
    this.firmware.delete(board.id);
    const built = this.firmwareFor(board)
      .then((firmware): Result<void> => (firmware.ok ? ok(undefined) : firmware))
      .finally(() => this.rebuilding.delete(board.id));
    this.rebuilding.set(board.id, built);
    return built;
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

/** Attached devices of a board that has a product are that product, and count what silicon counts. */
const suits = (board: BoardModule): boolean => board.product === undefined || board.kind === 'silicon';

async function emulate(board: BoardModule, firmware: BuiltFirmware): ReturnType<DeviceSource['open']> {
  if (board.open === undefined) throw new Error(`${board.id} is not emulated`);
  return board.open({ firmware, bulk: 'shared' });
}

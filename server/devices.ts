/**
 * The farm: which devices each board has, attached and emulated, and what somebody wants of them. Jobs of a board share its pool:
 * the first one makes it, the last one closes it, so that an idle daemon holds no port and runs no emulator. Must stay true: what
 * was added or held back is so again after a restart.
 */
import type { BoardModule } from '../boards/index.ts';
import { failed, ok, type Result } from '../compiler/result.ts';
import type { DeviceEventRow, DeviceTotals, Held } from '../db/devices.ts';
import type { Page } from '../db/types.ts';
import type { LinkOptions } from '../firmware-rpc/host/link.ts';
import { Baselines, healthCheck } from '../tuner/measure/health.ts';
import { DevicePool, type PoolOptions } from '../tuner/measure/pool.ts';
import type { AttachedDevice, Flasher } from './attached.ts';
import { type DeviceStore, forgetful, Ledger, stampOf } from './farm/ledger.ts';
import { bodyOf, type Place } from './farm/place.ts';
import { Plugs } from './farm/plugs.ts';
import { Roster } from './farm/roster.ts';
import { bucketsOf, type Spans } from './farm/spans.ts';
import { Workers, type WorkersOptions } from './farm/workers.ts';
import { isEmulated, mixed, productAt, suits } from './product.ts';
import type { DeviceBody, UtilisationBody } from './schemas/index.ts';

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
  /** Whether devices that somebody plugs in are looked for: when a job begins, and while the farm is watched. */
  readonly discover?: 'never' | 'each-job';
  /** Patience with attached devices. */
  readonly link?: LinkOptions;
  /** How pools deal with their devices, beside what the farm says. */
  readonly pool?: Pick<PoolOptions, 'check' | 'checkEvery' | 'firmware' | 'restMs' | 'quarantineMs'>;
  /** Where devices are remembered; nowhere, unless given. */
  readonly store?: DeviceStore;
  /** How workers offer devices; they cannot, unless given. */
  readonly workers?: WorkersOptions;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
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
  /** When it was closed; undefined while it is open. */
  closed: string | undefined;
}

/** Of one board, so that a request cannot start processes without end. */
export const mostEmulated = 64;

export class Farm {
  /** Undefined where there can be none. */
  readonly workers: Workers | undefined;
  private readonly o: FarmOptions;
  private readonly now: () => number;
  private readonly ledger: Ledger;
  private readonly roster: Roster;
  private readonly plugs: Plugs;
  private readonly baselines = new Baselines();
  /** By board: the pool of its jobs, or of its last ones. */
  private readonly bays = new Map<string, Bay>();
  /** By board: opening and closing under way, for one comes after the other. */
  private readonly doors = new Map<string, Promise<unknown>>();
  private readonly started: string;
  private over = false;

  constructor(options: FarmOptions) {
    this.o = options;
    this.now = options.now ?? Date.now;
    this.started = this.stamp();
    this.ledger = new Ledger({ store: options.store ?? forgetful, now: this.now, log: options.log });
    this.roster = new Roster(options, this.ledger);
    this.plugs = new Plugs({
      ...options,
      roster: this.roster,
      now: this.now,
      poolOf: (id) => this.poolUnderWay({ id }),
      found: (place) => this.arrived(place),
    });
    this.workers =
      options.workers &&
      new Workers({
        ...options,
        ...options.workers,
        roster: this.roster,
        poolOf: (id) => this.poolUnderWay({ id }),
        found: (place) => this.arrived(place),
      });
  }

  private stamp(): string {
    return stampOf(this.now());
  }

  /** Whether a board has the devices that a job needs; none is started for the answer. */
  has(board: BoardModule): boolean {
    const places = this.roster.of(board);
    return places.some(isHere) || (places.length > 0 && this.flasherFor(board) === undefined);
  }
  /** What flashes the device that a network of this board is run on; undefined where an emulated one is started for it. */
  private flasherFor(board: BoardModule): Flasher | undefined {
    return isEmulated(board) ? undefined : this.o.flasherOf?.(board);
  }

  /**
   * The board's pool, shared by all who opened it and did not close it again. `tell` hears of its troubles meanwhile. Failures:
   * NO_DEVICE, KINDS_MIXED, and those of building the firmware of emulated devices.
   */
  async open(board: BoardModule, tell: Tell = () => undefined): Promise<Result<DevicePool>> {
    if (this.o.discover === 'each-job') await this.plugs.look();
    return this.inTurn(board, async () => {
      const bay = this.bays.get(board.id);
      const shared = bay === undefined || bay.closed !== undefined ? await this.newBay(board) : ok(bay);
      if (!shared.ok) return shared;
      shared.value.holds.push(tell);
      return ok(shared.value.pool);
    });
  }
  private async newBay(board: BoardModule): Promise<Result<Bay>> {
    const places = this.roster.of(board);
    // A worker may come, or come back.
    if (places.length === 0 && this.workers === undefined)
      return failed('load', 'NO_DEVICE', `no device of ${board.id} is attached, and none is emulated`);
    const emulated = places.some((p) => isHere(p) && p.attached === undefined);
    if (!suits(board) && places.some((p) => p.attached !== undefined))
      return failed('load', 'KINDS_MIXED', mixed(board));
    // What keeps all of them from starting is told at once.
    const firmware = emulated ? await this.roster.firmwares.of(board) : ok(undefined);
    if (!firmware.ok) return firmware;
    // The farm may have been closed while it was built, or have got devices more.
    if (this.over) return failed('load', 'NO_DEVICE', 'the daemon is about to end');
    const bay: Bay = { pool: this.poolOf(board, () => bay.holds), holds: [], closed: undefined };
    for (const { name, held } of this.roster.of(board)) hold(bay.pool, name, held);
    this.bays.set(board.id, bay);
    return ok(bay);
  }
  private poolOf(board: BoardModule, holds: () => readonly Tell[]): DevicePool {
    const sources = this.roster.of(board).map((p) => p.source);
    return new DevicePool(board, sources, this.o.cacheDir, {
      check: healthCheck(board, this.o.cacheDir, this.baselines),
      ...this.o.pool,
      now: this.now,
      observe: this.ledger.observer(board.id),
      log: (message) => {
        this.o.log(message);
        for (const tell of holds()) tell(message);
      },
    });
  }

  /** Gives back what one open() took, the one with this `tell`; the last one closes the devices. */
  close(board: BoardModule, tell?: Tell): Promise<void> {
    return this.inTurn(board, async () => {
      const bay = this.bays.get(board.id);
      if (bay === undefined || bay.closed !== undefined) return;
      const at = tell === undefined ? 0 : bay.holds.indexOf(tell);
      if (at >= 0) bay.holds.splice(at, 1);
      if (bay.holds.length === 0) await this.shut(bay);
    });
  }
  /** Closes all devices, whoever uses them, for good. */
  async closeAll(): Promise<void> {
    this.over = true;
    this.plugs.stop();
    this.workers?.stop();
    await Promise.all([...this.bays.values()].map((bay) => this.shut(bay)));
    await this.workers?.close();
    this.ledger.flush();
  }
  /** Behind it the store is not asked any more. */
  dispose(): void {
    this.ledger.close();
  }
  private async shut(bay: Bay): Promise<void> {
    bay.closed ??= this.stamp();
    await bay.pool.closeAll();
  }
  private inTurn<T>({ id }: BoardModule, work: () => Promise<T>): Promise<T> {
    const turn = (this.doors.get(id) ?? Promise.resolve()).then(work, work);
    this.doors.set(id, turn);
    return turn;
  }

  /**
   * `work` with the board as a network is run on it. An emulated one is started for it; an attached product is had for itself,
   * without other jobs' trials, and is flashed: one of this host. The board must be open. Failures: NO_DEVICE where there is none here,
   * where the board was closed or `signal` was heard first; those of `work`.
   */
  async exclusively<T>(
    board: BoardModule,
    work: (form: BoardModule) => Promise<Result<T>>,
    signal: AbortSignal,
  ): Promise<Result<T>> {
    const flasher = this.flasherFor(board);
    if (flasher === undefined) return work(board);
    if (!this.roster.of(board).some(isHere))
      return failed(
        'load',
        'NO_DEVICE',
        `networks are run on devices of the farm's own host, and it has no ${board.id}`,
      );
    const done = await this.bays.get(board.id)?.pool.exclusively(({ name }) => {
      const address = this.roster.get(name)?.attached?.address ?? name;
      return work(productAt(board, address, flasher));
    }, signal);
    return done ?? failed('load', 'NO_DEVICE', `no device of ${board.id} was free`);
  }

  /** Build id of the firmware on a device that answered with this uid. */
  firmwareOf(board: BoardModule, uid: string): string | null {
    const states = this.bays.get(board.id)?.pool.states() ?? [];
    return states.find((s) => s.uid === uid)?.firmware ?? null;
  }

  /** Every device; counts are of the board's last jobs, `stats` of all time. */
  states(): readonly DeviceBody[] {
    const shares = this.ledger.shares();
    const totals = new Map(this.ledger.known().map((row) => [row.name, row]));
    const places = this.o.boards.flatMap((b) => this.roster.of(b));
    return places.map((p) => this.shown(p, shares.get(p.name), totals.get(p.name)));
  }
  /** Failure: DEVICE_NOT_FOUND. */
  state(name: string): Result<DeviceBody> {
    const place = this.roster.get(name);
    if (place === undefined) return noSuch(name);
    return ok(this.shown(place, this.ledger.shares().get(name), this.totalsOf(name)));
  }
  private totalsOf(name: string): DeviceTotals | undefined {
    return this.ledger.known().find((row) => row.name === name);
  }
  private shown(place: Place, share = 0, totals?: DeviceTotals): DeviceBody {
    const bay = this.bays.get(place.board.id);
    const session = {
      state: bay?.pool.state(place.name),
      open: bay !== undefined && bay.closed === undefined,
      since: bay?.closed ?? this.started,
    };
    return bodyOf(place, session, share, totals);
  }

  /**
   * Attaches a device at a serial port or HOST:PORT; a job under way may use it at once. It need not be there yet. Failures:
   * BOARD_UNKNOWN, KINDS_MIXED, DEVICE_TWICE.
   */
  addAttached(id: string, address: string): Result<readonly DeviceBody[]> {
    const board = this.o.boards.find((b) => b.id === id);
    if (board === undefined) return unknownBoard(id);
    if (!suits(board)) return failed('request', 'KINDS_MIXED', mixed(board));
    if (this.roster.taken().has(address) || this.roster.get(address) !== undefined)
      return failed('request', 'DEVICE_TWICE', `a device at ${address} is there already`);
    return ok([this.added(this.roster.attach(board, address, this.stamp()))]);
  }
  /** Emulates so many devices more. Failures: BOARD_UNKNOWN, KINDS_MIXED, DEVICE_STATE where that would be too many. */
  addEmulated(id: string, count: number): Result<readonly DeviceBody[]> {
    const board = this.o.boards.find((b) => b.id === id);
    if (board === undefined) return unknownBoard(id);
    if (!isEmulated(board))
      return board.product === undefined
        ? failed('request', 'DEVICE_STATE', `${id} cannot be emulated`)
        : failed('request', 'KINDS_MIXED', mixed(board));
    if (this.roster.of(board).length + count > mostEmulated)
      return failed('request', 'DEVICE_STATE', `a board has at most ${mostEmulated} devices`);
    const free = Array.from({ length: 2 * mostEmulated }, (_, i) => `${id}#${i}`).filter(
      (n) => this.roster.get(n) === undefined,
    );
    return ok(free.slice(0, count).map((name) => this.added(this.roster.emulate(board, name, this.stamp()))));
  }
  private added(place: Place): DeviceBody {
    this.roster.keep(place);
    this.roster.note(place, 'added', place.attached?.address ?? 'emulated');
    this.arrived(place);
    return this.shown(place);
  }

  /** Takes a device away that is not at work. Failures: DEVICE_NOT_FOUND, DEVICE_STATE. */
  async remove(name: string): Promise<Result<void>> {
    const place = this.roster.get(name);
    if (place === undefined) return noSuch(name);
    const pool = this.poolUnderWay(place.board);
    if (pool !== undefined && !(await pool.remove(name)))
      return failed('request', 'DEVICE_STATE', `${name} is at work: drain it first`);
    this.roster.drop(place);
    this.roster.note(place, 'removed', '');
    if (place.attached !== undefined) this.plugs.dismiss(place.attached.address);
    return ok(undefined);
  }
  /** Lets a device end what it is at and gives it nothing new. Failures: DEVICE_NOT_FOUND, DEVICE_STATE. */
  drain(name: string): Result<DeviceBody> {
    const place = this.roster.get(name);
    if (place?.held?.how === 'quarantined')
      return failed('request', 'DEVICE_STATE', `${name} is quarantined: release it first`);
    return this.holdBack(name, { how: 'drained', reason: '', at: this.stamp() });
  }
  /** The same, for a reason. Failure: DEVICE_NOT_FOUND. */
  quarantine(name: string, reason: string): Result<DeviceBody> {
    return this.holdBack(name, { how: 'quarantined', reason, at: this.stamp() });
  }
  private holdBack(name: string, held: Held): Result<DeviceBody> {
    const place = this.roster.get(name);
    if (place === undefined) return noSuch(name);
    if (place.held?.how === held.how && place.held.reason === held.reason) return this.state(name);
    this.roster.hold(place, held);
    this.roster.note(place, held.how, held.reason);
    const pool = this.poolUnderWay(place.board);
    if (pool !== undefined) hold(pool, name, held);
    return this.state(name);
  }
  /** Back to work, whoever kept it from that. Failures: DEVICE_NOT_FOUND, DEVICE_STATE where nobody did. */
  release(name: string): Result<DeviceBody> {
    const before = this.state(name);
    const place = this.roster.get(name);
    if (!before.ok || place === undefined) return noSuch(name);
    if (before.value.quarantine === null && !before.value.draining)
      return failed('request', 'DEVICE_STATE', `${name} is neither drained nor quarantined`);
    this.roster.hold(place, null);
    this.roster.note(place, 'released', '');
    this.poolUnderWay(place.board)?.release(name);
    return this.state(name);
  }

  /** Newest first. Failure: DEVICE_NOT_FOUND where there never was such a device. Throws BadCursor. */
  history(name: string, since: string | undefined, limit: number, cursor?: string): Result<Page<DeviceEventRow>> {
    const page = this.ledger.history(name, since, limit, cursor);
    return this.roster.get(name) !== undefined || this.totalsOf(name) !== undefined ? ok(page) : noSuch(name);
  }
  /** How much each device was at work, whether or not it is still there. */
  utilisation(spans: Spans): UtilisationBody['items'] {
    const use = this.ledger.usedBetween(stampOf(spans.since), stampOf(spans.until));
    const used = Map.groupBy(use, (u) => u.device);
    const boards = new Map(this.ledger.known().map((row) => [row.name, row.board]));
    for (const { name, board } of this.roster.all()) boards.set(name, board.id);
    return [...boards]
      .filter(([device]) => used.has(device) || this.roster.get(device) !== undefined)
      .map(([device, board]) => ({ device, board, buckets: bucketsOf(spans, used.get(device) ?? []) }));
  }

  /** Looks at the ports now; the boards that are new, where those are attached. */
  look(): Promise<readonly AttachedDevice[]> {
    return this.plugs.look();
  }
  /** Looks at the ports every few seconds until closeAll(). */
  watch(): void {
    this.plugs.watch();
  }

  private arrived({ board, name, source, held }: Place): void {
    const pool = this.poolUnderWay(board);
    pool?.add(source);
    if (pool !== undefined) hold(pool, name, held);
  }
  private poolUnderWay({ id }: Pick<BoardModule, 'id'>): DevicePool | undefined {
    const bay = this.bays.get(id);
    return bay?.closed === undefined ? bay?.pool : undefined;
  }
}

const isHere = (place: Place): boolean => place.far === undefined;

function hold(pool: DevicePool, name: string, held: Held | null): void {
  if (held?.how === 'drained') pool.drain(name);
  if (held?.how === 'quarantined') pool.quarantine(name, held.reason, held.at);
}

const noSuch = (name: string): Result<never> =>
  failed('request', 'DEVICE_NOT_FOUND', `no device is called "${name}"; see GET /v1/devices`);
const unknownBoard = (id: string): Result<never> =>
  failed('request', 'BOARD_UNKNOWN', `no board is called "${id}"; see GET /v1/boards`);

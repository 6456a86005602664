/**
 * Every device of the farm, by name: those of the daemon's options, those that somebody added, those that were found, those of
 * workers. Must stay true: what was added or held back is so again after a restart.
 */
import type { BoardModule } from '../../boards/index.ts';
import type { Held } from '../../db/devices.ts';
import { serialPorts } from '../../firmware-rpc/host/discover.ts';
import type { DeviceEvent } from '../../tuner/measure/pool.ts';
import { type AttachedDevice, AttachedSource } from '../attached.ts';
import type { FarmOptions } from '../devices.ts';
import { isEmulated, suits } from '../product.ts';
import type { FarSource } from './far-source.ts';
import { Firmwares } from './firmwares.ts';
import { type DeviceStore, forgetful, type Ledger } from './ledger.ts';
import type { Place } from './place.ts';

export class Roster {
  readonly firmwares: Firmwares;
  private readonly o: FarmOptions;
  private readonly ledger: Ledger;
  private readonly places = new Map<string, Place>();

  constructor(options: FarmOptions, ledger: Ledger) {
    this.o = options;
    this.ledger = ledger;
    this.firmwares = new Firmwares(options.cacheDir);
    for (const { board, address } of options.attached) this.attach(this.known(board), address, null);
    for (const board of options.boards)
      for (let i = 0; i < this.emulatedAtStart(board); i++) this.emulate(board, `${board.id}#${i}`, null);
    this.restore();
  }

  private get store(): DeviceStore {
    return this.o.store ?? forgetful;
  }
  private known(id: string): BoardModule {
    const board = this.o.boards.find((b) => b.id === id);
    if (board === undefined) throw new Error(`a device of ${id}, which is not a board`);
    return board;
  }
  private emulatedAtStart(board: BoardModule): number {
    return isEmulated(board) ? (this.o.emulate[board.id] ?? this.o.cores) : 0;
  }

  /** What somebody added or held back before a restart. */
  private restore(): void {
    for (const { name, board: id, address, addedAt, held } of this.store.all()) {
      const board = this.o.boards.find((b) => b.id === id);
      if (addedAt !== null && board !== undefined && !this.places.has(name)) {
        if (address !== null && suits(board)) this.attach(board, address, addedAt);
        if (address === null && isEmulated(board)) this.emulate(board, name, addedAt);
      }
      const place = this.places.get(name);
      if (place !== undefined) place.held = held;
    }
  }

  /** All, in the order in which they came. */
  all(): readonly Place[] {
    return [...this.places.values()];
  }
  of({ id }: { readonly id: string }): readonly Place[] {
    return this.all().filter((p) => p.board.id === id);
  }
  get(name: string): Place | undefined {
    return this.places.get(name);
  }
  attached(): readonly AttachedSource[] {
    return this.all().flatMap((p) => (p.attached === undefined ? [] : [p.attached]));
  }
  /** Where attached devices are now. */
  taken(): ReadonlySet<string> {
    return new Set(this.attached().map((s) => s.address));
  }
  ports(): Promise<readonly string[]> {
    return (this.o.ports ?? serialPorts)();
  }

  /** A device at a serial port or HOST:PORT. */
  attach(board: BoardModule, address: string, addedAt: string | null): Place {
    const flasher = this.o.flasherOf?.(board);
    const first = !this.of(board).some((p) => p.attached !== undefined);
    const source: AttachedSource = new AttachedSource(
      { board: board.id, address },
      {
        ports: () => this.ports(),
        taken: () => this.attached().flatMap((a) => (a === source ? [] : [a.address])),
        firmware: () => this.firmwares.of(board),
        flash: flasher?.flash,
        powerCycle: this.o.powerCycle?.[board.id],
        // It halts the one device that it reaches whenever somebody connects: the board's first.
        probeAt: first ? this.o.probes?.[board.id] : undefined,
        ...(this.o.link !== undefined && { link: this.o.link }),
        log: this.o.log,
        tell: (event, detail) => this.ledger.event(board.id, address, event, detail),
      },
    );
    return this.put({ name: address, board, source, attached: source, far: undefined, addedAt, held: null });
  }
  emulate(board: BoardModule, name: string, addedAt: string | null): Place {
    const source = this.firmwares.emulated(board, name);
    return this.put({ name, board, source, attached: undefined, far: undefined, addedAt, held: null });
  }
  /** A device that a worker offers, as somebody may have held it back the last time. */
  offer(board: BoardModule, source: FarSource): Place {
    const { name } = source;
    const held = this.store.all().find((row) => row.name === name)?.held ?? null;
    return this.put({ name, board, source, attached: undefined, far: source, addedAt: null, held });
  }
  private put(place: Place): Place {
    this.places.set(place.name, place);
    return place;
  }
  /** Writes down that somebody added it. Where that cannot be written it was not added. */
  keep(place: Place): void {
    try {
      this.remember(place);
    } catch (error) {
      this.places.delete(place.name);
      throw error;
    }
  }
  /** What somebody wants of it. */
  hold(place: Place, held: Held | null): void {
    this.remember({ ...place, held });
    place.held = held;
  }
  /** It is not there any more; what somebody wants of it is remembered for when it is. */
  forget({ name }: Place): void {
    this.places.delete(name);
  }
  /** It is forgotten, but for its history. */
  drop(place: Place): void {
    this.remember({ ...place, addedAt: null, held: null });
    this.places.delete(place.name);
  }
  private remember({ name, board, attached, addedAt, held }: Place): void {
    const address = addedAt === null ? null : (attached?.name ?? null);
    this.store.put({ name, board: board.id, address, addedAt, held });
  }
  note(place: Place, event: DeviceEvent, detail: string): void {
    this.ledger.event(place.board.id, place.name, event, detail);
  }
}

/** Attached devices that somebody added, as they would be named in the daemon's options. */
export const addedBefore = (store: DeviceStore): readonly AttachedDevice[] =>
  store
    .all()
    .flatMap(({ board, address, addedAt }) => (addedAt === null || address === null ? [] : [{ board, address }]));

/**
 * What is plugged in and unplugged while the farm runs. Must stay true: nothing but HELLO is sent to a stranger; a device that is
 * unplugged leaves its pool by itself, and comes back wherever it is plugged in; one look at a time.
 */
import { answering, askAll, type Found, realPort } from '../../firmware-rpc/host/discover.ts';
import type { DevicePool } from '../../tuner/measure/pool.ts';
import type { AttachedDevice, AttachedSource } from '../attached.ts';
import type { FarmOptions } from '../devices.ts';
import { mixed, suits } from '../product.ts';
import type { Place } from './place.ts';
import { PortDiary } from './ports.ts';
import type { Roster } from './roster.ts';

export interface PlugsOptions extends Pick<FarmOptions, 'boards' | 'discover' | 'log'> {
  readonly roster: Roster;
  /** The pool under way of a board. */
  readonly poolOf: (board: string) => DevicePool | undefined;
  /** A board that was found. */
  readonly found: (place: Place) => void;
  readonly now: () => number;
}

/** Between two looks at the ports. */
const watchMs = 3000;

export class Plugs {
  private readonly o: PlugsOptions;
  private readonly diary: PortDiary;
  private looking: Promise<readonly AttachedDevice[]> | undefined;
  private timer: NodeJS.Timeout | undefined;
  private stopped = false;

  constructor(options: PlugsOptions) {
    this.o = options;
    this.diary = new PortDiary(options.now);
  }

  /** Looks every few seconds until it is stopped. */
  watch(): void {
    if (this.stopped) return;
    this.timer = setTimeout(() => {
      this.look()
        .catch((error: unknown) => this.o.log(error instanceof Error ? error.message : String(error)))
        .finally(() => this.watch());
    }, watchMs);
    this.timer.unref();
  }
  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
  }

  /** Attached devices are found again; where that is wanted, boards that are new are attached: those are returned. */
  look(): Promise<readonly AttachedDevice[]> {
    this.looking ??= this.lookAtPorts().finally(() => {
      this.looking = undefined;
    });
    return this.looking;
  }
  /** Nobody wants what is at this port, until something else is there. */
  dismiss(port: string): void {
    this.diary.dismiss(port);
  }

  private async lookAtPorts(): Promise<readonly AttachedDevice[]> {
    const { roster, discover } = this.o;
    const attached = roster.attached();
    for (const source of attached) this.saw(source, await source.look());
    const lost = attached.some((s) => s.missing && s.uid !== undefined);
    if (discover !== 'each-job' && !lost) return [];
    const added: AttachedDevice[] = [];
    // A port may have several names.
    const taken = new Set([...roster.taken()].map(realPort));
    const ports = this.diary.due((await roster.ports()).filter((p) => !taken.has(realPort(p))));
    for (const { address, found } of await askAll(ports)) {
      if (!found.ok) this.diary.silent(address);
      else if (await this.foundAt(found.value)) added.push({ board: found.value.board, address });
    }
    return added;
  }
  private saw({ board, name }: AttachedSource, seen: Awaited<ReturnType<AttachedSource['look']>>): void {
    const pool = this.o.poolOf(board);
    if (seen === 'back') pool?.wake(name);
    if (seen === 'missing') pool?.unplugged(name);
  }

  /** Whether a board that answered is a device more; else it is one that moved, or nobody wants it. */
  private async foundAt({ board: id, address, uid }: Found): Promise<boolean> {
    const moved = await this.awayFromHome(uid);
    if (moved !== undefined) {
      moved.moveTo(address);
      this.o.poolOf(moved.board)?.wake(moved.name);
      return false;
    }
    const { roster, boards, discover, log } = this.o;
    const board = boards.find((b) => b.id === id);
    if (discover !== 'each-job' || board === undefined || !suits(board) || roster.get(address) !== undefined) {
      this.diary.dismiss(address);
      if (board !== undefined && !suits(board)) log(`found a ${id} at ${address}, not used: ${mixed(board)}`);
      return false;
    }
    log(`found a ${id} at ${address}`);
    const place = roster.attach(board, address, null);
    place.attached?.answered(uid);
    roster.note(place, 'plugged', address);
    this.o.found(place);
    return true;
  }

  /** One that is known by this uid and is not where it was. */
  private async awayFromHome(uid: string): Promise<AttachedSource | undefined> {
    for (const source of this.o.roster.attached()) {
      if (source.uid !== uid || this.isOpen(source)) continue;
      if (source.missing) return source;
      if (answering(await askAll([source.address])).every((f) => f.uid !== uid)) return source;
    }
    return undefined;
  }
  private isOpen({ board, name }: AttachedSource): boolean {
    const state = this.o.poolOf(board)?.state(name)?.state;
    return state === 'busy' || state === 'idle';
  }
}

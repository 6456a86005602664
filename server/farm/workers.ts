/**
 * Other hosts that offer devices to this farm. Must stay true: a device of a worker is a place of the farm like any other; one
 * worker has a name at a time; what a worker's devices count can be compared with what the farm's own do, or it is refused; a worker
 * that is not heard any more has no leases, and its devices are unplugged until it is back.
 */
import { randomUUID } from 'node:crypto';
import type { BoardModule } from '../../boards/index.ts';
import { failed, ok, type Result } from '../../compiler/result.ts';
import { toolchainVersion } from '../../toolchain/index.ts';
import type { DevicePool } from '../../tuner/measure/pool.ts';
import { errors } from '../errors.ts';
import type { Clock } from '../jobs/clock.ts';
import type { AnswerBody, LeaseBody, Offer, WorkerBody, WorkerRequest, WorkerTerms } from '../schemas/index.ts';
import { type FarHost, FarSource } from './far-source.ts';
import { type LeaseLimits, type LeaseQueue, Leases } from './leases.ts';
import { stampOf } from './ledger.ts';
import type { Place } from './place.ts';
import type { Roster } from './roster.ts';

export interface WorkersOptions {
  readonly queue: LeaseQueue;
  readonly version: string;
  readonly clock: Clock;
}
interface Parts extends WorkersOptions {
  readonly boards: readonly BoardModule[];
  readonly roster: Roster;
  /** The pool under way of a board. */
  readonly poolOf: (board: string) => DevicePool | undefined;
  /** A device that was not there before. */
  readonly found: (place: Place) => void;
  readonly log: (message: string) => void;
}

const heartbeatMs = 2000;
/** So that names that somebody makes up do not fill the memory. */
const mostWorkers = 64;
/** Not heard for so long, a worker is gone: some heartbeats of a busy machine. */
const patienceMs = 10_000;

/** A worker by its name, over all of its registrations. */
class Host implements FarHost {
  readonly name: string;
  /** Whose token it came with. */
  owner = '';
  id = '';
  /** Of the registrations before. */
  former: readonly string[] = [];
  state: 'here' | 'leaving' | 'away' = 'away';
  /** By the clock that only goes forward. */
  heard = 0;
  heardAt = '';
  private readonly leases: Leases;
  private readonly queue: LeaseQueue;

  constructor(name: string, leases: Leases, queue: LeaseQueue) {
    this.name = name;
    this.leases = leases;
    this.queue = queue;
  }

  get here(): boolean {
    return this.state === 'here' && this.queue.ready;
  }
  async errand(content: LeaseBody, limits: LeaseLimits): Promise<Result<AnswerBody>> {
    if (this.state !== 'here') return failed('load', 'LINK', `worker ${this.name} is away`);
    return this.leases.grant({ id: this.id, queue: this.name }, content, limits);
  }
}

export class Workers {
  private readonly o: Parts;
  private readonly leases: Leases;
  private readonly hosts = new Map<string, Host>();
  private callOff: () => void = () => undefined;

  constructor(parts: Parts) {
    this.o = parts;
    this.leases = new Leases(parts.queue, parts.clock);
    parts.queue.onReady(() => {
      for (const host of this.hosts.values()) if (host.here) this.wake(this.placesOf(host));
    });
    this.watch();
  }

  all(): readonly WorkerBody[] {
    return [...this.hosts.values()].map((host) => ({
      name: host.name,
      state: host.state === 'here' ? 'here' : 'away',
      heardAt: host.heardAt,
      devices: this.placesOf(host).map((p) => p.name),
    }));
  }

  /**
   * A worker with its devices; one of this token that had its name before is over. `owner`: whose token it has. Failures:
   * QUEUE_UNREACHABLE, BAD_REQUEST, BOARD_UNKNOWN, WORKER_MISMATCH, WORKER_REPLACED where it is another token's, DEVICE_STATE
   * where there would be too many, TOOL_MISSING.
   */
  async register(owner: string, request: WorkerRequest): Promise<Result<WorkerTerms>> {
    const { queue } = this.o;
    if (!queue.ready) return failed('request', 'QUEUE_UNREACHABLE', 'Redis does not answer the daemon');
    const fits = await this.comparable(request);
    if (!fits.ok) return fits;
    const named = this.hostNamed(request.name, owner);
    if (!named.ok) return named;
    const host = named.value;
    this.leases.endOf(host.id, 'it was started anew', 'all');
    host.former = [...host.former, host.id].slice(-10);
    host.id = randomUUID();
    host.owner = owner;
    this.heardOf(host);
    host.state = 'here';
    this.offered(host, request.devices);
    this.o.log(`worker ${host.name} offers ${request.devices.map((d) => d.name).join(', ')}`);
    return ok({ id: host.id, heartbeatMs, ...queue.address, queue: host.name });
  }

  /** Failures: WORKER_NOT_FOUND, WORKER_REPLACED. */
  heartbeat(owner: string, id: string): Result<void> {
    const host = this.hostOf(owner, id);
    if (!host.ok) return host;
    this.heardOf(host.value);
    if (host.value.state !== 'away') return ok(undefined);
    host.value.state = 'here';
    this.o.log(`worker ${host.value.name} is back`);
    this.returned(host.value, this.placesOf(host.value));
    return ok(undefined);
  }
  /** It ends what it has fetched, and gets nothing new. Failures: WORKER_NOT_FOUND, WORKER_REPLACED. */
  leave(owner: string, id: string): Result<void> {
    const host = this.hostOf(owner, id);
    if (host.ok) this.lost(host.value, 'leaving', 'has left');
    return host.ok ? ok(undefined) : host;
  }
  /** Failures: WORKER_NOT_FOUND, WORKER_REPLACED, LEASE_VOID. */
  lease(owner: string, id: string, lease: string): Result<LeaseBody> {
    const host = this.hostOf(owner, id);
    return host.ok ? this.leases.fetch(id, lease) : host;
  }
  /** Failures: WORKER_NOT_FOUND, WORKER_REPLACED, LEASE_VOID, BAD_REQUEST. */
  answer(owner: string, id: string, lease: string, answer: AnswerBody): Result<void> {
    const host = this.hostOf(owner, id);
    if (!host.ok) return host;
    const code =
      answer.is === 'failed' ? answer.code : answer.is === 'trial' && 'code' in answer.trial && answer.trial.code;
    if (typeof code === 'string' && !Object.hasOwn(errors, code))
      return failed('request', 'BAD_REQUEST', `there is no code ${code}`);
    return this.leases.answer(id, lease, answer);
  }

  /** Nobody is waited for any more who is at a trial; devices may still be told to close. */
  stop(): void {
    for (const host of this.hosts.values()) this.leases.endOf(host.id, 'the farm ends', 'all');
  }
  async close(): Promise<void> {
    this.callOff();
    await this.o.queue.close();
  }

  /** The one that has this name, or a new one in place of one that went away. */
  private hostNamed(name: string, owner: string): Result<Host> {
    const known = this.hosts.get(name);
    if (known?.state === 'here' && known.owner !== owner)
      return failed('request', 'WORKER_REPLACED', `a worker of another token is called ${name}`);
    if (known !== undefined) return ok(known);
    if (this.hosts.size >= mostWorkers) {
      const gone = [...this.hosts.values()].find((h) => h.state !== 'here');
      if (gone === undefined) return failed('request', 'DEVICE_STATE', `a farm has at most ${mostWorkers} workers`);
      for (const place of this.placesOf(gone)) this.dropped(place);
      this.hosts.delete(gone.name);
    }
    const host = new Host(name, this.leases, this.o.queue);
    this.hosts.set(name, host);
    return ok(host);
  }
  private hostOf(owner: string, id: string): Result<Host> {
    for (const host of this.hosts.values()) {
      if (host.owner !== owner) continue;
      if (host.id === id) return ok(host);
      if (host.former.includes(id))
        return failed('request', 'WORKER_REPLACED', `another worker registered as ${host.name} after this one`);
    }
    return failed('request', 'WORKER_NOT_FOUND', 'no worker of this token has this id: it must register again');
  }

  private heardOf(host: Host): void {
    host.heard = this.o.clock.now();
    host.heardAt = stampOf(this.o.clock.wall());
  }
  /** Looks every second who was not heard. */
  private watch(): void {
    this.callOff = this.o.clock.after(1000, () => {
      const since = this.o.clock.now() - patienceMs;
      for (const host of this.hosts.values()) {
        if (host.heard >= since) continue;
        this.leases.endOf(host.id, 'it is not heard any more', 'all');
        if (host.state === 'here') this.lost(host, 'away', `was not heard for ${patienceMs / 1000} s`);
      }
      this.watch();
    });
  }

  /** Whether what its devices count can stand beside what the farm's own count. */
  private async comparable({ version, devices }: WorkerRequest): Promise<Result<void>> {
    const mismatch = (what: string, theirs: string, ours: string): Result<never> =>
      failed('request', 'WORKER_MISMATCH', `${what} is ${theirs} at the worker and ${ours} at the farm`);
    if (version !== this.o.version) return mismatch('microtune', version, this.o.version);
    if (new Set(devices.map((d) => d.name)).size < devices.length)
      return failed('request', 'BAD_REQUEST', 'two devices have one name');
    const versions = new Map<string, string>();
    for (const { board: id, kind, toolchain } of devices) {
      const board = this.o.boards.find((b) => b.id === id);
      if (board === undefined) return failed('request', 'BOARD_UNKNOWN', `no board is called "${id}"`);
      if (kind !== board.kind) return mismatch(`what ${id} counts`, kind, board.kind);
      const here = versions.has(id) ? ok(versions.get(id) ?? '') : await toolchainVersion(board.target);
      if (!here.ok) return here;
      versions.set(id, here.value);
      if (toolchain !== here.value) return mismatch(`the compiler of ${id}`, `"${toolchain}"`, `"${here.value}"`);
    }
    return ok(undefined);
  }

  /** The devices that it has now: known ones wake up, others come and go. */
  private offered(host: Host, offers: readonly Offer[]): void {
    const { roster } = this.o;
    const before = this.placesOf(host);
    const same = (p: Place, o: Offer): boolean => p.name === `${host.name}/${o.name}` && p.board.id === o.board;
    for (const place of before) if (!offers.some((o) => same(place, o))) this.dropped(place);
    for (const offer of offers) {
      const board = this.o.boards.find((b) => b.id === offer.board);
      if (board === undefined || before.some((p) => same(p, offer))) continue;
      const place = roster.offer(board, new FarSource(host, offer, () => roster.firmwares.of(board)));
      roster.note(place, 'plugged', `worker ${host.name}`);
      this.o.found(place);
    }
    this.returned(
      host,
      this.placesOf(host).filter((p) => before.includes(p)),
    );
  }
  private dropped(place: Place): void {
    this.o.roster.forget(place);
    this.o.roster.note(place, 'unplugged', 'its worker does not offer it any more');
    void this.o.poolOf(place.board.id)?.remove(place.name);
  }
  private returned(host: Host, places: readonly Place[]): void {
    for (const place of places) {
      this.o.roster.note(place, 'plugged', `worker ${host.name}`);
      // What was open there is not any more.
      this.o.poolOf(place.board.id)?.unplugged(place.name);
    }
    this.wake(places);
  }
  private wake(places: readonly Place[]): void {
    for (const { board, name } of places) this.o.poolOf(board.id)?.wake(name);
  }
  private lost(host: Host, state: 'leaving' | 'away', how: string): void {
    if (host.state !== 'here') return;
    host.state = state;
    this.leases.endOf(host.id, how, state === 'away' ? 'all' : 'unfetched');
    this.o.log(`worker ${host.name} ${how}`);
    for (const place of this.placesOf(host)) {
      this.o.roster.note(place, 'unplugged', `worker ${host.name} ${how}`);
      this.o.poolOf(place.board.id)?.unplugged(place.name);
    }
  }
  private placesOf(host: Host): readonly Place[] {
    return this.o.roster.all().filter((p) => p.far?.host === host);
  }
}

/** What a pool is given of a device, what it shows of it, and what it tells of its life. */
import type { Failure, Result } from '../../compiler/result.ts';
import type { Remedies, Rung } from './escalation.ts';
import type { AnyDevice } from './far.ts';
import type { Health } from './health.ts';

export interface DeviceSource extends Remedies {
  readonly name: string;
  /** What stands for it in records, where its uid does not: emulated devices of a kind answer the same, far ones have a host. */
  readonly id?: string;
  /** It is at another host: nobody can have it for what is not a trial. */
  readonly far?: true;
  open(): Promise<Result<AnyDevice>>;
  /** Build id of the firmware that it would be given today; undefined where that cannot be known. */
  build?(): Promise<string | undefined>;
  /** Whether nothing is plugged in where it was: no fault of the device then. */
  absent?(): Promise<boolean>;
}
/** Why, as it stands in records and answers. */
export type Reason = Pick<Failure, 'code' | 'detail'>;

/** Why a device is kept from work. */
export interface Quarantine {
  readonly reason: string;
  /** ISO 8601, UTC. */
  readonly at: string;
  /** Whoever said so: the farm looks at its own again, somebody else's waits for a release. */
  readonly by: 'farm' | 'user';
  /** When it is looked at next; null where somebody must release it. */
  readonly until: string | null;
}

export interface DeviceState {
  readonly name: string;
  readonly state: 'closed' | 'idle' | 'busy' | 'quarantined' | 'unplugged';
  /** When it came into this state: ISO 8601, UTC. */
  readonly since: string;
  /** Takes nothing new; what it is at is its last. */
  readonly draining: boolean;
  readonly quarantine: Quarantine | null;
  /** What stands for it in records. */
  readonly uid: string | null;
  readonly firmware: string | null;
  readonly trials: number;
  readonly failures: number;
  /** Of the last failure. */
  readonly code: string | null;
  readonly reason: string | null;
  /** What is not as it should be, although it works. */
  readonly warning: string | null;
  /** How often each rung was tried. */
  readonly recoveries: Readonly<Record<Rung, number>>;
  /** Of the last health check that passed. */
  readonly health: Health | null;
  /** Results that were withdrawn because the device failed its next check. */
  readonly suspects: number;
}
export const untouched = (name: string, since: string): DeviceState => ({
  name,
  state: 'closed',
  since,
  draining: false,
  quarantine: null,
  uid: null,
  firmware: null,
  trials: 0,
  failures: 0,
  code: null,
  reason: null,
  warning: null,
  recoveries: { retry: 0, reset: 0, reflash: 0, 'power-cycle': 0 },
  health: null,
  suspects: 0,
});

/**
 * What happens to a device. `checked`: a health check passed, told when it is the first or counts another number than before;
 * `unwell`: one failed; `failed`: anything else went wrong; `recovered`: it works after that, by what the detail says.
 */
export type DeviceEvent =
  | 'added'
  | 'removed'
  | 'opened'
  | 'closed'
  | 'checked'
  | 'unwell'
  | 'failed'
  | 'recovered'
  | 'quarantined'
  | 'released'
  | 'drained'
  | 'unplugged'
  | 'plugged'
  | 'moved';

/** Hears of what happens to the devices of a pool. It must not throw, and is called while devices are at work: it may only note. */
export interface Observer {
  /** `client`: for whom the device was at work; null for nobody. */
  event(device: string, event: DeviceEvent, detail: string, client: string | null): void;
  /** A trial held a device from one time to another (ms since the epoch). */
  used(device: string, from: number, to: number, outcome: 'ok' | 'failed'): void;
}

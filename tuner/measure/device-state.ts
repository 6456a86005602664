/** What a pool is given of a device, and what it shows of it. */
import type { Failure, Result } from '../../compiler/result.ts';
import type { Device } from '../../firmware-rpc/host/device.ts';
import type { Remedies, Rung } from './escalation.ts';
import type { Health } from './health.ts';

export interface DeviceSource extends Remedies {
  readonly name: string;
  /** What stands for it in records, where all devices of a kind answer the same uid: emulated ones. */
  readonly id?: string;
  open(): Promise<Result<Device>>;
  /** Build id of the firmware that it would be given today; undefined where that cannot be known. */
  build?(): Promise<string | undefined>;
}
/** Why, as it stands in records and answers. */
export type Reason = Pick<Failure, 'code' | 'detail'>;

export interface DeviceState {
  readonly name: string;
  readonly state: 'closed' | 'idle' | 'busy' | 'quarantined';
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
export const untouched = (name: string): DeviceState => ({
  name,
  state: 'closed',
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

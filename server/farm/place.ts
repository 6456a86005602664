/** A device of the farm, whether or not a pool has it now, and how it is shown. */
import type { BoardModule } from '../../boards/index.ts';
import type { DeviceTotals, Held } from '../../db/devices.ts';
import { hostAndPort } from '../../firmware-rpc/host/socket.ts';
import { type DeviceState, untouched } from '../../tuner/measure/device-state.ts';
import type { DeviceSource } from '../../tuner/measure/pool.ts';
import type { AttachedSource } from '../attached.ts';
import type { DeviceBody } from '../schemas/index.ts';
import type { FarSource } from './far-source.ts';

export interface Place {
  readonly name: string;
  readonly board: BoardModule;
  readonly source: DeviceSource;
  /** The same, where somebody attached it here. */
  readonly attached: AttachedSource | undefined;
  /** The same, where it hangs on a worker. */
  readonly far: FarSource | undefined;
  /** When somebody added it; null: nobody did. */
  readonly addedAt: string | null;
  /** What somebody wants of it. */
  held: Held | null;
}
/** Its board's pool: the one under way, or the last. */
export interface Session {
  /** What that one says of the device; undefined where it did not have it. */
  readonly state: DeviceState | undefined;
  readonly open: boolean;
  /** When it was closed, or the farm began. */
  readonly since: string;
}

/** `share` of the last hour at work. */
export function bodyOf(place: Place, session: Session, share: number, totals?: DeviceTotals): DeviceBody {
  const { name, board, attached, far } = place;
  const state = session.open && session.state !== undefined ? session.state : atRest(place, session);
  const { trials = 0, failures = 0, recoveries = 0 } = totals ?? {};
  return {
    ...state,
    name,
    board: board.id,
    kind: board.kind,
    transport: transportOf(place),
    address: attached?.address ?? far?.host.name ?? null,
    utilisation: share,
    stats: { trials, failures, recoveries },
  };
}

function transportOf({ attached, far }: Place): DeviceBody['transport'] {
  if (far !== undefined) return 'worker';
  if (attached === undefined) return 'emulated';
  return hostAndPort(attached.address) === undefined ? 'serial' : 'socket';
}

/** While no pool has it only somebody's wish and its port say how it is. */
function atRest({ name, held, attached, far }: Place, { state, since }: Session): DeviceState {
  const rest = { ...(state ?? untouched(name, since)), since, draining: held?.how === 'drained', quarantine: null };
  if (held?.how === 'quarantined')
    return {
      ...rest,
      state: 'quarantined',
      since: held.at,
      quarantine: { reason: held.reason, at: held.at, by: 'user', until: null },
    };
  const missing = attached?.missing === true || far?.host.here === false;
  return { ...rest, state: missing ? 'unplugged' : 'closed' };
}

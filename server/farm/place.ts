/** A device of the farm, whether or not a pool has it now, and how it is shown. */
import type { BoardModule } from '../../boards/index.ts';
import type { DeviceTotals, Held } from '../../db/devices.ts';
import { hostAndPort } from '../../firmware-rpc/host/socket.ts';
import { type DeviceState, untouched } from '../../tuner/measure/device-state.ts';
import type { DeviceSource } from '../../tuner/measure/pool.ts';
import type { AttachedSource } from '../attached.ts';
import type { DeviceBody } from '../schemas/index.ts';

export interface Place {
  readonly name: string;
  readonly board: BoardModule;
  readonly source: DeviceSource;
  /** The same, where it is no emulated one. */
  readonly attached: AttachedSource | undefined;
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
  const { name, board, attached } = place;
  const state = session.open && session.state !== undefined ? session.state : atRest(place, session);
  const { trials = 0, failures = 0, recoveries = 0 } = totals ?? {};
  return {
    ...state,
    name,
    board: board.id,
    kind: board.kind,
    transport: attached === undefined ? 'emulated' : hostAndPort(attached.address) === undefined ? 'serial' : 'socket',
    address: attached?.address ?? null,
    utilisation: share,
    stats: { trials, failures, recoveries },
  };
}

/** While no pool has it only somebody's wish and its port say how it is. */
function atRest({ name, held, attached }: Place, { state, since }: Session): DeviceState {
  const rest = { ...(state ?? untouched(name, since)), since, draining: held?.how === 'drained', quarantine: null };
  if (held?.how === 'quarantined')
    return {
      ...rest,
      state: 'quarantined',
      since: held.at,
      quarantine: { reason: held.reason, at: held.at, by: 'user', until: null },
    };
  return { ...rest, state: attached?.missing === true ? 'unplugged' : 'closed' };
}

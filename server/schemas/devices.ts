/** Devices over HTTP. */
import { type Static, Type } from 'typebox';
import { Nullable } from './nullable.ts';

const Tries = Type.Integer({ minimum: 0 });
export const DeviceBody = Type.Object({
  name: Type.String(),
  board: Type.String(),
  kind: Type.String(),
  state: Type.String({ description: 'closed, idle, busy or quarantined' }),
  uid: Nullable(Type.String({ description: 'what stands for it in records' })),
  firmware: Nullable(Type.String()),
  trials: Type.Integer(),
  failures: Type.Integer(),
  code: Nullable(Type.String({ description: 'of its last failure' })),
  reason: Nullable(Type.String({ description: 'of its last failure' })),
  warning: Nullable(Type.String({ description: 'what is not as it should be, although it works' })),
  recoveries: Type.Object(
    { retry: Tries, reset: Tries, reflash: Tries, 'power-cycle': Tries },
    { description: 'how often each was tried' },
  ),
  health: Nullable(
    Type.Object(
      { count: Type.Number(), baseline: Type.Number() },
      { description: 'of the last check that passed: what the known kernel counted, and what it counted first' },
    ),
  ),
  suspects: Type.Integer({ description: 'results that were withdrawn because the device failed its next check' }),
});
export type DeviceBody = Static<typeof DeviceBody>;
export const DeviceList = Type.Object({ items: Type.Array(DeviceBody) });
export type DeviceList = Static<typeof DeviceList>;

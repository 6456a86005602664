/** Devices over HTTP. */
import { type Static, Type } from 'typebox';
import { OneOf } from './filters.ts';
import { Nullable } from './nullable.ts';

const Tries = Type.Integer({ minimum: 0 });
const Time = Type.String({ description: 'ISO 8601, UTC' });

export const DeviceBody = Type.Object({
  name: Type.String(),
  board: Type.String(),
  kind: Type.String(),
  transport: OneOf(['serial', 'socket', 'emulated', 'worker']),
  address: Nullable(
    Type.String({ description: 'where it is now, or the name of its worker; null where it is emulated' }),
  ),
  state: Type.String({ description: 'closed, idle, busy, quarantined or unplugged' }),
  since: Type.String({ description: 'when it came into this state' }),
  draining: Type.Boolean({ description: 'it gets no new trials' }),
  quarantine: Nullable(
    Type.Object({
      reason: Type.String(),
      at: Time,
      by: Type.Union([Type.Literal('farm'), Type.Literal('user')]),
      until: Nullable(Type.String({ description: 'when the farm looks at it again; null: it waits for a release' })),
    }),
  ),
  utilisation: Type.Number({ description: 'share of the last hour that trials had it' }),
  stats: Type.Object(
    { trials: Type.Integer(), failures: Type.Integer(), recoveries: Type.Integer() },
    { description: 'of all time; failures are its own, not those of candidates' },
  ),
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

const Board = Type.String({ minLength: 1, maxLength: 100 });
/** A serial port of this machine, or a board that listens on a socket. Nothing else is ever opened. */
const Address = Type.String({
  pattern: '^(/dev/(?!.*\\.\\.)[A-Za-z0-9_./:+@-]{1,200}|COM[0-9]{1,3}|[A-Za-z0-9.\\-\\[\\]:]{1,255}:[0-9]{1,5})$',
  description: 'a serial port like /dev/ttyACM0 or COM3, or HOST:PORT',
});
export const DeviceRequest = Type.Union([
  Type.Object({ board: Board, address: Address }, { additionalProperties: false }),
  Type.Object({ board: Board, emulate: Type.Integer({ minimum: 1, maximum: 64 }) }, { additionalProperties: false }),
]);
export type DeviceRequest = Static<typeof DeviceRequest>;
export const QuarantineRequest = Type.Object(
  { reason: Type.String({ minLength: 1, maxLength: 300, description: 'shown to whoever wonders why' }) },
  { additionalProperties: false },
);
export const DeviceParams = Type.Object({
  name: Type.String({ minLength: 1, maxLength: 300, description: 'percent-encoded' }),
});

export const DeviceEventBody = Type.Object({
  at: Time,
  event: Type.String({
    description:
      'added, removed, opened, closed, checked, unwell, failed, recovered, quarantined, released, drained, unplugged, plugged or moved',
  }),
  detail: Type.String(),
  job: Nullable(Type.String({ description: 'for which it was at work' })),
});
export type DeviceEventBody = Static<typeof DeviceEventBody>;
export const DeviceHistory = Type.Object({ items: Type.Array(DeviceEventBody), next: Nullable(Type.String()) });
export type DeviceHistory = Static<typeof DeviceHistory>;

const Instant = Type.String({
  pattern: '^\\d{4}-\\d{2}-\\d{2}(T\\d{2}:\\d{2}(:\\d{2}(\\.\\d{1,9})?)?(Z|[+-]\\d{2}:\\d{2}))?$',
  description: 'ISO 8601',
});
export const HistoryQuery = Type.Object(
  {
    since: Type.Optional(Instant),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: 100 })),
    cursor: Type.Optional(Type.String({ maxLength: 200 })),
  },
  { additionalProperties: false },
);
export const UtilisationQuery = Type.Object(
  {
    since: Type.Optional(Instant),
    until: Type.Optional(Instant),
    buckets: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: 60 })),
  },
  { additionalProperties: false },
);
export const UtilisationBody = Type.Object({
  since: Time,
  until: Time,
  items: Type.Array(
    Type.Object({
      device: Type.String(),
      board: Type.String(),
      buckets: Type.Array(
        Type.Object({ at: Time, busyMs: Type.Number(), trials: Type.Integer(), failed: Type.Integer() }),
        { description: 'one after another, each as long as the others and no shorter than a minute' },
      ),
    }),
  ),
});
export type UtilisationBody = Static<typeof UtilisationBody>;

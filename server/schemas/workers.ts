/**
 * What a farm and its workers tell each other: who offers which devices, what is to be done with one, what came of it. Bytes are
 * base64.
 */
import { type Static, Type } from 'typebox';
import { KindBody, OneOf } from './filters.ts';

const strict = { additionalProperties: false } as const;
const Count = Type.Number({ minimum: 0 });
const Name = Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$', description: 'of the worker' });
/** Stands in names of devices behind that of the worker. */
const DeviceName = Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9_.:/#@+\\[\\]-]{0,199}$' });
const Bytes = Type.String({ contentEncoding: 'base64' });

/** What a source of devices can do for one in trouble, where it can. */
export const remedies = ['reflash', 'power-cycle'] as const;
export const Offer = Type.Object(
  {
    name: DeviceName,
    board: Type.String({ minLength: 1, maxLength: 100 }),
    kind: KindBody,
    toolchain: Type.String({ maxLength: 300, description: 'what the compiler there says of its version' }),
    remedies: Type.Array(OneOf(remedies), { maxItems: remedies.length }),
  },
  strict,
);
export type Offer = Static<typeof Offer>;
export const WorkerRequest = Type.Object(
  {
    name: Name,
    version: Type.String({ maxLength: 100 }),
    devices: Type.Array(Offer, { minItems: 1, maxItems: 64 }),
  },
  strict,
);
export type WorkerRequest = Static<typeof WorkerRequest>;

export const WorkerTerms = Type.Object({
  id: Type.String({ description: 'of this registration' }),
  heartbeatMs: Type.Integer({ description: 'how often to say that it is there' }),
  redis: Type.String({ description: 'where the queue of leases is, as the daemon reaches it' }),
  prefix: Type.String({ description: 'of keys in Redis' }),
  queue: Type.String({ description: 'name of its queue' }),
});
export type WorkerTerms = Static<typeof WorkerTerms>;

export const WorkerBody = Type.Object({
  name: Type.String(),
  state: OneOf(['here', 'away']),
  heardAt: Type.String({ description: 'ISO 8601, UTC' }),
  devices: Type.Array(Type.String({ description: 'as GET /v1/devices has them' })),
});
export type WorkerBody = Static<typeof WorkerBody>;
export const WorkerList = Type.Object({ items: Type.Array(WorkerBody) });
export type WorkerList = Static<typeof WorkerList>;

const Id = Type.String({ maxLength: 64 });
export const WorkerParams = Type.Object({ id: Id });
export const LeaseParams = Type.Object({ id: Id, lease: Id });

const AttemptBody = Type.Object(
  {
    unit: Type.Object({
      name: Type.String(),
      source: Type.String(),
      flags: Type.Array(Type.String()),
    }),
    object: Bytes,
    binary: Type.String(),
    functions: Type.Record(Type.String(), Count),
    constants: Type.Array(Type.Object({ symbol: Type.String(), place: OneOf(['flash', 'ram']), bytes: Bytes })),
    scratchBytes: Count,
    macs: Count,
    inputs: Type.Array(Type.Object({ bytes: Count, seed: Count, data: Type.Optional(Bytes) })),
    outputs: Type.Array(Bytes),
  },
  { description: 'a candidate, compiled, with its test' },
);
export type AttemptBody = Static<typeof AttemptBody>;

export const errands = ['open', 'measure', 'count', 'reset', 'close', ...remedies] as const;
export type ErrandName = (typeof errands)[number];
export const LeaseBody = Type.Object({
  device: Type.String({ description: 'as the worker named it' }),
  errand: OneOf(errands),
  session: Type.Optional(
    Type.String({
      description: 'begun by `open`, under which alone the device is used; what is of another one comes too late',
    }),
  ),
  attempt: Type.Optional(AttemptBody),
});
export type LeaseBody = Static<typeof LeaseBody>;

const Code = Type.String({ pattern: '^[A-Z][A-Z0-9_]{0,39}$', description: 'of docs/errors.md' });
const Detail = Type.String({ maxLength: 8000 });
const times = Object.fromEntries(
  (['compile', 'link', 'load', 'run', 'verify'] as const).map((stage) => [stage, Type.Optional(Count)]),
);
const TrialTold = Type.Union([
  Type.Object(
    {
      status: Type.Literal('ok'),
      cycles: Count,
      repeats: Type.Array(Count, { minItems: 1, maxItems: 1000 }),
      sizes: Type.Object(
        {
          codeBytes: Count,
          constBytes: Count,
          scratchBytes: Count,
          stackBytes: Count,
          functions: Type.Optional(Type.Record(Type.String({ maxLength: 200 }), Count)),
        },
        strict,
      ),
      times: Type.Object(times, strict),
      bytes: Type.Object({ code: Count, constants: Count, rest: Count }, strict),
    },
    strict,
  ),
  Type.Object(
    {
      status: Type.Literal('failed'),
      stage: OneOf(['link', 'run', 'verify']),
      code: Code,
      detail: Detail,
      times: Type.Object(times, strict),
    },
    strict,
  ),
]);

/** What came of an errand. */
export const AnswerBody = Type.Union([
  Type.Object({ is: Type.Literal('done') }, strict),
  Type.Object(
    {
      is: Type.Literal('open'),
      info: Type.Object(
        {
          board: Type.String({ maxLength: 100 }),
          uid: Type.String({ maxLength: 200 }),
          buildId: Type.String({ maxLength: 200 }),
        },
        strict,
      ),
    },
    strict,
  ),
  Type.Object({ is: Type.Literal('count'), count: Count }, strict),
  Type.Object({ is: Type.Literal('trial'), trial: TrialTold }, strict),
  Type.Object(
    {
      is: Type.Literal('failed'),
      stage: OneOf(['compile', 'link', 'load', 'run', 'health']),
      code: Code,
      detail: Detail,
    },
    strict,
  ),
]);
export type AnswerBody = Static<typeof AnswerBody>;

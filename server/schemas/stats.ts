/** What the log says of many trials at once, over HTTP. */
import { type Static, Type } from 'typebox';
import { KindBody } from './filters.ts';
import { Nullable } from './nullable.ts';

const Text = Type.String();
const Count = Type.Integer({ minimum: 0 });
const Cycles = Nullable(Type.Number());
/** Trials that stand; those that took a measurement over are not counted. */
const counted = { trials: Count, failed: Count };

export const BestList = Type.Object({
  items: Type.Array(
    Type.Object({
      task: Text,
      op: Nullable(Text),
      shape: Nullable(Text),
      board: Text,
      kind: KindBody,
      ...counted,
      default: Nullable(Type.Number({ description: 'of the default schedule' })),
      best: Cycles,
      record: Nullable(Type.String({ description: 'id of the record that has it' })),
    }),
  ),
});
export type BestList = Static<typeof BestList>;
export const FailureList = Type.Object({
  items: Type.Array(
    Type.Object({
      key: Nullable(Type.String({ description: 'null: reached no device, or belongs to no job' })),
      ...counted,
      codes: Type.Record(Text, Count),
    }),
  ),
});
export type FailureList = Static<typeof FailureList>;
export const KnobList = Type.Object({
  items: Type.Array(
    Type.Object({
      template: Text,
      knob: Text,
      value: Type.Union([Text, Type.Number()]),
      ...counted,
      best: Cycles,
      median: Cycles,
    }),
  ),
});
export type KnobList = Static<typeof KnobList>;
export const CurveBody = Type.Object({
  job: Nullable(Text),
  kind: Nullable(KindBody),
  default: Nullable(Type.Number({ description: 'with default schedules' })),
  points: Type.Array(Type.Object({ n: Count, at: Text, cycles: Type.Number() }), {
    description: 'the best known after n trials: where it changes, and at the end; at most 500',
  }),
});
export type CurveBody = Static<typeof CurveBody>;
export const ScatterList = Type.Object({
  items: Type.Array(
    Type.Object({
      record: Text,
      n: Type.Integer({ minimum: 1, description: 'its place among all that were asked for' }),
      at: Text,
      cycles: Cycles,
      template: Text,
      status: Text,
      job: Nullable(Text),
    }),
  ),
});
export type ScatterList = Static<typeof ScatterList>;

const FastestBody = Type.Object({ record: Text, cycles: Type.Number(), kind: KindBody, board: Text });
export const LogTaskBody = Type.Object({
  id: Text,
  op: Nullable(Text),
  shape: Nullable(Text),
  macs: Nullable(Count),
  records: Count,
  failed: Count,
  /** null also where records of several boards or kinds are asked for. */
  best: Nullable(FastestBody),
  networks: Type.Array(Type.Object({ id: Text, name: Text })),
});
export type LogTaskBody = Static<typeof LogTaskBody>;
export const LogTaskList = Type.Object({ items: Type.Array(LogTaskBody), next: Nullable(Text) });
export type LogTaskList = Static<typeof LogTaskList>;
export const LogTaskWhole = Type.Object({
  ...LogTaskBody.properties,
  bests: Type.Array(FastestBody, { description: 'of each board and kind' }),
});
export type LogTaskWhole = Static<typeof LogTaskWhole>;

const Files = Type.Object({ files: Count, bytes: Count });
export const StorageBody = Type.Object({
  bytes: Type.Integer({ description: 'of the database' }),
  trials: Count,
  bytesPerTrial: Nullable(Type.Number()),
  artifacts: Type.Object({ jobs: Count, ...Files.properties }),
  cache: Files,
  log: Files,
  backups: Files,
});
export type StorageBody = Static<typeof StorageBody>;
export const BackupBody = Type.Object({
  file: Type.String({ description: 'in the data directory' }),
  bytes: Count,
  ms: Type.Number(),
});
export type BackupBody = Static<typeof BackupBody>;
export const MergedBody = Type.Object({
  added: Count,
  duplicates: Type.Integer({ description: 'known already' }),
  conflicts: Type.Integer({ description: 'left out: the id is known with another content' }),
});
export type MergedBody = Static<typeof MergedBody>;

/** One trial over HTTP: all that is known of it, and all that can be made again; what came of measuring it again. */
import { type Static, Type } from 'typebox';
import { Nullable } from './nullable.ts';
import { RecordBody } from './records.ts';

const CodeLine = Type.Object({
  address: Type.Integer({ description: 'where it lay when it ran; within its section where it did not run here' }),
  text: Type.String(),
  symbol: Nullable(Type.String({ description: 'the function that begins here' })),
  count: Nullable(Type.Integer({ description: 'how often it was executed' })),
  cycles: Nullable(Type.Number({ description: 'that it took in all' })),
  causes: Nullable(Type.Record(Type.String(), Type.Number(), { description: 'the same by cause' })),
});

export const TrialBody = Type.Object({
  record: RecordBody,
  task: Type.Object({
    id: Type.String(),
    op: Nullable(Type.String()),
    shape: Nullable(Type.String()),
    layers: Type.Array(Type.Object({ model: Type.String(), modelName: Type.String(), name: Type.String() }), {
      description: 'of the networks that are here',
    }),
  }),
  words: Type.String({ description: 'the schedule' }),
  device: Nullable(Type.Object({ id: Type.String(), firmware: Nullable(Type.String()) })),
  stages: Type.Array(Type.Object({ stage: Type.String(), ms: Type.Number() })),
  source: Nullable(Type.String({ description: 'the C, made again from the record' })),
  compiler: Nullable(
    Type.Object({
      version: Type.String({ description: 'of today; the one of then is in the record' }),
      command: Type.String(),
      flags: Type.Array(Type.String(), { description: 'those that the schedule chose' }),
      output: Type.String(),
    }),
  ),
  disassembly: Nullable(
    Type.Object({
      lines: Type.Array(CodeLine),
      cycles: Nullable(Type.Literal('model', { description: 'counts are of one run on the timing model' })),
    }),
  ),
  sameBinary: Nullable(
    Type.Boolean({ description: 'what was made again is what was measured; null where that is not known' }),
  ),
  missing: Nullable(Type.String({ description: 'why something could not be made again' })),
});
export type TrialBody = Static<typeof TrialBody>;

export const ReplayBody = Type.Object({
  record: RecordBody,
  was: Nullable(Type.Number()),
  now: Nullable(Type.Number()),
  same: Type.Boolean({ description: 'the outcome and the count are what they were' }),
  sameBinary: Nullable(Type.Boolean()),
});
export type ReplayBody = Static<typeof ReplayBody>;

const Share = Type.Number({ description: 'of 1' });
export const TaskModelBody = Type.Object({
  trained: Type.Integer({ description: 'trials that it was trained on' }),
  rank: Nullable(
    Type.Number({ description: "Spearman's correlation of predicted and measured; null with few trials" }),
  ),
  points: Type.Array(Type.Object({ record: Type.String(), predicted: Type.Number(), measured: Type.Number() }), {
    description: 'each predicted by trees that had not seen it',
  }),
  importance: Type.Array(Type.Object({ feature: Type.String(), share: Share }), {
    description: 'by permutation: how much larger the error is when the feature tells nothing',
  }),
  knobs: Type.Array(Type.Object({ template: Type.String(), knob: Type.String(), share: Share }), {
    description: 'the same for the knobs of each template',
  }),
});
export type TaskModelBody = Static<typeof TaskModelBody>;

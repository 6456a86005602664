/**
 * The form of a record in JSON Lines, checked at import: a file from elsewhere is not believed. Must stay true: what passes
 * here can be appended, and is the same record when it is read back.
 */
import { type Static, type TSchema, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import type { Schedule } from '../kernels/template.ts';
import type { Config, Stage } from '../tuner/types.ts';
import type { recordKeys } from './record-keys.ts';
import type { TuningRecord } from './types.ts';

const strict = { additionalProperties: false } as const;
const Nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
const OneOf = <const T extends readonly string[]>(values: T) =>
  Type.Unsafe<T[number]>(Type.Union(values.map((v) => Type.Literal(v))));
const text = Type.String();

const stages = [
  'propose',
  'lower',
  'emit',
  'compile',
  'link',
  'load',
  'run',
  'verify',
  'record',
] as const satisfies readonly Stage[];
/** Steps stay open here: replaying a schedule checks each of them anyway. */
const ScheduleForm = Type.Object({ algorithm: text, steps: Type.Array(Type.Object({ primitive: text })) }, strict);
const ConfigForm = Type.Union([
  Type.Object(
    { template: text, version: Type.Number(), knobs: Type.Record(text, Type.Union([Type.Number(), text])) },
    strict,
  ),
  Type.Object({ template: OneOf(['default', 'literal']), version: Type.Number(), schedule: ScheduleForm }, strict),
]);
const SizesForm = Type.Object(
  {
    codeBytes: Type.Number(),
    constBytes: Type.Number(),
    scratchBytes: Type.Number(),
    stackBytes: Type.Number(),
    functions: Type.Optional(Type.Record(text, Type.Number())),
  },
  strict,
);
const BytesForm = Type.Object({ code: Type.Number(), constants: Type.Number(), rest: Type.Number() }, strict);
/** As Date.toISOString() writes it: times are compared as text. */
const Time = Type.String({ pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z$' });

const forms = {
  id: Type.String({ minLength: 1 }),
  at: Time,
  job: Nullable(text),
  task: text,
  workload: text,
  board: text,
  kind: OneOf(['silicon', 'model', 'instructions', 'host']),
  device: Nullable(text),
  toolchain: text,
  flags: text,
  firmware: Nullable(text),
  policy: text,
  template: text,
  config: Type.Unsafe<Config>(ConfigForm),
  schedule: Type.Unsafe<Schedule>(ScheduleForm),
  status: OneOf(['ok', 'failed']),
  stage: Nullable(OneOf(stages)),
  code: Nullable(text),
  detail: Nullable(text),
  cycles: Nullable(Type.Number()),
  repeats: Nullable(Type.Array(Type.Number())),
  sizes: Nullable(SizesForm),
  binary: Nullable(text),
  reusedFrom: Nullable(text),
  times: Type.Object(Object.fromEntries(stages.map((s) => [s, Type.Optional(Type.Number())])), strict),
  bytes: Nullable(BytesForm),
  doubt: Nullable(text),
} as const satisfies Record<(typeof recordKeys)[number], TSchema>;

const Form = Type.Object(forms, strict);
const checker = Compile(Form);

/** Exports of before doubts had no word of them. */
const withDoubt = (value: unknown): unknown =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !('doubt' in value)
    ? { ...value, doubt: null }
    : value;

/** A record, or what is wrong with the value. */
export function checkRecord(line: unknown): { readonly record: TuningRecord } | { readonly wrong: string } {
  const value = withDoubt(line);
  if (!checker.Check(value)) {
    const first = checker.Errors(value)[0];
    return {
      wrong: `${first?.instancePath.slice(1).replaceAll('/', '.') || 'the record'} ${first?.message ?? 'is wrong'}`,
    };
  }
  const record: TuningRecord = value as Static<typeof Form>;
  const whole =
    record.status === 'ok'
      ? record.cycles !== null && record.stage === null && record.code === null && record.detail === null
      : record.cycles === null && record.stage !== null && record.code !== null && record.detail !== null;
  if (!whole) return { wrong: 'a record has cycles, or else the stage, code and detail of its failure' };
  return { record };
}

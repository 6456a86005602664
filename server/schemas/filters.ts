/** Filters of trials, as records and stats take them in a query. */
import { Type } from 'typebox';
import { kinds } from '../../boards/index.ts';
import type { RecordFilter } from '../../db/types.ts';

/** A name, an id, a code. */
export const Word = Type.String({ minLength: 1, maxLength: 200 });
/** One of a few words. */
export const OneOf = <const T extends readonly string[]>(values: T) =>
  Type.Unsafe<T[number]>(Type.Union(values.map((v: T[number]) => Type.Literal(v))));
export const KindBody = OneOf(kinds);

const word = (description: string) => Type.Optional(Type.String({ minLength: 1, maxLength: 200, description }));
const count = (description: string) => Type.Optional(Type.Number({ minimum: 0, description }));
const time = (description: string) => Type.Optional(Type.String({ maxLength: 40, description }));

/** Fields of a query that are filters; beside them any number of knob.NAME=VALUE. */
export const filterFields = {
  job: word('id of the job that made it'),
  network: word('id of a model: tasks that occur in it'),
  layer: word('name of a layer of `network`'),
  task: word('id of the task'),
  op: word('operator'),
  shape: Type.Optional(
    Type.String({ minLength: 1, maxLength: 2000, description: 'operands in words, as a task shows them' }),
  ),
  board: word('on which it was measured'),
  kind: Type.Optional(KindBody),
  policy: word('that proposed it'),
  template: word('that made it'),
  status: Type.Optional(OneOf(['ok', 'failed'])),
  stage: word('where it failed'),
  code: word('why it failed'),
  device: word('that measured it'),
  binary: word('hash of machine code and constants'),
  toolchain: Type.Optional(
    Type.String({ minLength: 1, maxLength: 500, description: "first line of the compiler's version" }),
  ),
  cyclesMin: count('counted at least'),
  cyclesMax: count('counted at most'),
  since: time('ISO 8601: at or after'),
  until: time('ISO 8601: before'),
};

/** A query of filters and some more fields. Nothing else is taken. */
export const FilterQuery = <T extends Parameters<typeof Type.Object>[0]>(more: T) =>
  Type.Object(
    { ...filterFields, ...more },
    {
      additionalProperties: false,
      patternProperties: { '^knob\\.[A-Za-z0-9_-]{1,64}$': Type.String({ maxLength: 200 }) },
    },
  );

/** What of a query is a filter. */
export function filterOf(query: Readonly<Record<string, unknown>>): RecordFilter {
  const entries = Object.entries(query);
  const plain = entries.filter(([k]) => k in filterFields);
  const knobs = entries.filter(([k]) => k.startsWith('knob.')).map(([k, v]) => [k.slice('knob.'.length), v]);
  return { ...Object.fromEntries(plain), ...(knobs.length > 0 && { knobs: Object.fromEntries(knobs) }) };
}

/** What comes in an address becomes what TypeBox's own conversion makes of it, whichever fields came. */
import { Type } from 'typebox';
import { Value } from 'typebox/value';
import { expect, test } from 'vitest';
import { FilterQuery, OneOf } from '../../server/schemas/index.ts';
import { convertedTo, validatorOf } from '../../server/service/validation.ts';
import { samples } from '../samples.ts';
import { Random } from './random.ts';

const Flag = Type.Optional(Type.Boolean());
const Query = FilterQuery({
  sort: Type.Optional(OneOf(['at', '-at'])),
  limit: Type.Optional(Type.Integer({ minimum: 1 })),
  flag: Flag,
  many: Type.Optional(Type.Array(Type.Number())),
});
const schemas = [Query, Type.Object({ a: Type.Number() }, { additionalProperties: Type.Number() }), Type.Number()];
const keys = [
  'job',
  'status',
  'cyclesMin',
  'sort',
  'limit',
  'flag',
  'many',
  'knob.a',
  'none',
  '__proto__',
  'toString',
  'a',
];
const texts = [
  '',
  '1',
  '-2.5',
  '1e3',
  ' 7',
  'true',
  'FALSE',
  'null',
  'at',
  'ok',
  '9007199254740993',
  '0x10',
  'x',
  'undefined',
];

function randomQuery(r: Random): unknown {
  const query: Record<string, unknown> = Object.create(null);
  for (let i = r.int(0, 5); i > 0; i--) {
    const value = r.int(0, 5) === 0 ? [r.pick(texts), r.pick(texts)] : r.pick(texts);
    query[r.pick(keys)] = r.int(0, 20) === 0 ? undefined : value;
  }
  return r.int(0, 20) === 0 ? r.pick([null, '3', [1, '2'], undefined]) : query;
}

test('fields are converted as TypeBox converts them, and refused as it refuses them', () => {
  const r = new Random(95);
  const validators = schemas.map((schema) => validatorOf({ schema, httpPart: 'querystring', method: 'GET', url: '/' }));
  for (let i = 0; i < samples(3000, 100_000); i++) {
    const query = randomQuery(r);
    const which = r.int(0, schemas.length - 1);
    const schema = schemas[which]!;
    const wanted = Value.Convert(schema, structuredClone(query));
    const what = JSON.stringify({ i, which, query });
    expect(convertedTo(schema, structuredClone(query)), what).toEqual(wanted);
    const taken = !('error' in (validators[which]!(structuredClone(query)) as object));
    expect(taken, what).toBe(Value.Check(schema, wanted));
  }
});

test('a body is taken as it is: "10" is not 10', () => {
  const schema = Type.Object({ n: Type.Number() });
  const valid = validatorOf({ schema, httpPart: 'body', method: 'POST', url: '/' });
  expect(valid({ n: '10' })).toHaveProperty('error');
  expect(valid({ n: 10 })).toEqual({ value: { n: 10 } });
});

/**
 * Requests against their schemas. What comes in an address is text: it becomes what its field is; in bodies "10" is not 10. Must stay
 * true: converted is what TypeBox would convert, field by field of those that came: it goes through all that might have come, which for
 * the filters of records takes longer than to find them.
 */
import type { TypeBoxValidatorCompiler } from '@fastify/type-provider-typebox';
import type { TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import { Value } from 'typebox/value';

type Fields = Readonly<Record<string, unknown>>;

/** For app.setValidatorCompiler. */
export const validatorOf: typeof TypeBoxValidatorCompiler = ({ schema, httpPart }) => {
  const check = Compile(schema);
  return (value: unknown) => {
    const converted = httpPart === 'body' ? value : convertedTo(schema, value);
    return check.Check(converted) ? { value: converted } : { error: check.Errors(converted) };
  };
};

/** The fields of a query, of an address or of headers as those of a schema; what it does not name stays as it is. */
export function convertedTo(schema: TSchema, value: unknown): unknown {
  const { properties, additionalProperties = false } = schema as TSchema & {
    readonly properties?: Readonly<Record<string, TSchema>>;
    readonly additionalProperties?: unknown;
  };
  if (properties === undefined || typeof additionalProperties !== 'boolean' || !isFields(value))
    return Value.Convert(schema, value);
  for (const [key, text] of Object.entries(value)) {
    const field = text !== undefined && Object.hasOwn(properties, key) ? properties[key] : undefined;
    if (field !== undefined && !isText(field, text))
      (value as Record<string, unknown>)[key] = Value.Convert(field, text);
  }
  return value;
}

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
/** Text where text is wanted. */
const isText = (field: TSchema, value: unknown): boolean =>
  typeof value === 'string' && 'type' in field && field.type === 'string';

/**
 * Requests against their schemas. What comes in an address is text and becomes what its field is; in bodies "10" is not 10. Must stay
 * true: what is converted becomes what TypeBox would make of it. Only fields that came are looked at: TypeBox looks for each field that
 * might have come, and records have many filters.
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
    if (field !== undefined && !suits(field, text))
      (value as Record<string, unknown>)[key] = Value.Convert(field, text);
  }
  return value;
}

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
/** Text where text is wanted, or one of the words that are. */
function suits(field: TSchema, value: unknown): boolean {
  const { type, anyOf = [] } = field as TSchema & {
    readonly type?: unknown;
    readonly anyOf?: readonly { readonly const?: unknown }[];
  };
  return typeof value === 'string' && (type === 'string' || anyOf.some((word) => word.const === value));
}

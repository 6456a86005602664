/** Steps come from templates, but also from databases and files: their fields are checked before a primitive sees them. */
import { refuse } from '../build.ts';
import type { Step } from './steps.ts';

type Check = (v: unknown) => boolean;
const identifier: Check = (v) => typeof v === 'string' && /^[a-z_][a-zA-Z0-9_]*$/.test(v);
const text: Check = (v) => typeof v === 'string';
const count: Check = (v) => Number.isInteger(v) && (v as number) >= 0 && (v as number) < 2 ** 31;
const positive: Check = (v) => count(v) && (v as number) > 0;
const listOf =
  (check: Check, n?: number): Check =>
  (v) =>
    Array.isArray(v) && v.every(check) && (n === undefined || v.length === n);
const recordOf =
  (check: Check): Check =>
  (v) =>
    typeof v === 'object' && v !== null && !Array.isArray(v) && Object.values(v).every(check);
const oneOf =
  (...values: readonly string[]): Check =>
  (v) =>
    values.includes(v as string);
const maybe =
  (check: Check): Check =>
  (v) =>
    v === undefined || check(v);
const any: Check = () => true;
const dtype = oneOf('i8', 'u8', 'i16', 'i32', 'f32');
/** '' is the whole program. */
const scope: Check = (v) => v === '' || identifier(v);

const fields: { readonly [P in Step['primitive']]: Readonly<Record<string, Check>> } = {
  split: { loop: identifier, factor: positive, into: listOf(identifier, 2), tail: oneOf('exact', 'overlap', 'peel') },
  reorder: { loops: listOf(identifier) },
  fuse: { loops: listOf(identifier, 2), into: identifier },
  fission: { loops: listOf(identifier) },
  unroll: { loop: identifier },
  peel: { loop: identifier, first: count, last: count },
  expand: { buf: identifier, loops: listOf(identifier) },
  stage: {
    buf: identifier,
    at: scope,
    as: identifier,
    loops: listOf(identifier),
    dtype,
    space: maybe(oneOf('scratch', 'register')),
    layout: any,
    border: maybe(oneOf('apart', 'inline')),
    order: maybe(listOf(count)),
    whole: maybe(listOf(count)),
    pitch: maybe(positive),
    take: maybe(oneOf('window', 'read')),
    pitchOf: maybe(count),
  },
  layOut: {
    buf: identifier,
    as: oneOf('wide', 'planes'),
    left: maybe(count),
    outside: maybe((v) => Number.isInteger(v) && Math.abs(v as number) <= 128),
  },
  computeAt: { producer: identifier, buf: identifier, at: identifier },
  pad: { buf: identifier, as: identifier, loops: listOf(identifier), dtype, layout: any },
  foldOffset: { acc: identifier, as: identifier },
  requantizeAffine: { acc: identifier, mul: identifier, add: identifier, fix: maybe(identifier) },
  requantizeTop: { acc: identifier, mul: identifier, add: identifier },
  requantizeParts: {
    acc: identifier,
    table: identifier,
    start: maybe(identifier),
    parts: (v) => v === 2 || v === 3,
    form: oneOf('plain', 'signed'),
  },
  winogradWords: { loop: identifier, acc: identifier, tile: positive, down: positive, across: positive },
  rebase: { buf: identifier, offset: (v) => Number.isInteger(v) && Math.abs(v as number) < 2 ** 16, dtype },
  winograd: {
    acc: identifier,
    tile: positive,
    down: positive,
    across: positive,
    form: oneOf('affine', 'signed', 'general'),
  },
  requantizeHalf: { acc: identifier },
  linearSum: { form: maybe(oneOf('word', 'half')) },
  scaleProduct: {},
  tabulate: { table: identifier },
  widenConst: { buf: identifier, dtype },
  pack: { buf: identifier, layout: any },
  replace: {
    loop: identifier,
    instr: text,
    params: maybe(recordOf((v) => Number.isInteger(v))),
    operands: recordOf(identifier),
  },
  place: { what: identifier, where: oneOf('ram', 'flash') },
  flags: { flags: listOf(text) },
};

/** Every primitive. */
export const primitives: readonly string[] = Object.keys(fields);

/** Refuses a step of an unknown primitive, or with a missing, unknown or ill-typed field. */
export function wellFormed(s: Step): void {
  if (typeof s !== 'object' || s === null || !Object.hasOwn(fields, s.primitive))
    refuse(`no primitive ${String((s as { primitive?: unknown } | null)?.primitive)}`);
  const known: Readonly<Record<string, Check>> = fields[s.primitive];
  for (const [name, check] of Object.entries(known)) {
    const value = (s as unknown as Record<string, unknown>)[name];
    if (!check(value)) refuse(`field ${name} is ${JSON.stringify(value)}`);
  }
  const extra = Object.keys(s).find((k) => k !== 'primitive' && !Object.hasOwn(known, k));
  if (extra !== undefined) refuse(`unknown field ${extra}`);
}

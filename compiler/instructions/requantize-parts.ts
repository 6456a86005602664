/**
 * The requantise of short multiplications (rewrites/requantize-parts.ts proves it) for block kernels: how it reads off a nest, its
 * meaning, its lines in Thumb-1, its plain C. Must stay true: all of them wrap modulo 2^32 alike, whatever the constants are.
 */
import { add, bin, clamp, load, num, refuse, sub } from '../program/build.ts';
import type { Expr, Stmt } from '../program/program.ts';
import type { Params } from './instruction.ts';

/** Bytes are computed as 0..255, which the cheapest clamp yields. */
export const byteZero = 128;

export interface PartsForm {
  /** Multiplications: the number of parts that the multiplier is cut into. */
  readonly parts: number;
  /** Bits of each part but the highest. */
  readonly bits: number;
  /** The final right shift. */
  readonly right: number;
  /** Is a constant added where the accumulator is below zero? */
  readonly signed: boolean;
  /** Are products shifted as unsigned words? */
  readonly unsigned: boolean;
  readonly min: number;
  readonly max: number;
}
/** Words of a channel: [u where the accumulator is 0, what is added below,] parts of the multiplier from the lowest, constant. */
export const rowWords = ({ parts, signed }: Pick<PartsForm, 'parts' | 'signed'>): number =>
  parts + 1 + (signed ? 2 : 0);

/** The byte that is stored of the sum u, its constants in row `at` of `table`. */
export function partsMeaning(q: PartsForm, u: Expr, table: string, at: readonly Expr[]): Expr {
  const word = (i: number): Expr => load(table, ...at, num(i));
  const product = (i: number): Expr => bin('*', u, word((q.signed ? 2 : 0) + i));
  const total = Array.from({ length: q.parts - 1 }, (_, i) => i).reduce<Expr | undefined>(
    (low, i) => shifted(q, low === undefined ? product(i) : add(product(i), low)),
    undefined,
  );
  const high = product(q.parts - 1);
  const rounded = add(total === undefined ? high : add(high, total), word(rowWords(q) - 1));
  const t = q.signed ? add(rounded, bin('&', bin('>>', sub(u, word(0)), num(31)), word(1))) : rounded;
  return sub(clamp(bin('>>', t, num(q.right)), q.min + byteZero, q.max + byteZero), num(byteZero));
}
function shifted({ bits, unsigned }: PartsForm, e: Expr): Expr {
  const down = bin('>>', e, num(bits));
  return unsigned ? bin('&', down, num(2 ** (32 - bits) - 1)) : down;
}

/** The parameters parts, bits, right, signed, unsigned, min, max of the last store of a nest. */
export function inferParts(store: Stmt | undefined): Params {
  const not = (): never => refuse('what is stored is not requantised in parts');
  const side = (e: Expr, op: string): readonly [Expr, number] =>
    e.kind === 'binary' && e.op === op && e.b.kind === 'const' ? [e.a, e.b.value] : not();
  const terms = (e: Expr): readonly Expr[] =>
    e.kind === 'binary' && e.op === '+' ? [...terms(e.a), ...terms(e.b)] : [e];
  if (store?.kind !== 'store') return not();
  const [byte] = side(store.value, '-');
  const [limited, min] = side(byte, 'max');
  const [down, max] = side(limited, 'min');
  const [sum, right] = side(down, '>>');
  const parts = terms(sum);
  const signed = parts.some((e) => e.kind === 'binary' && e.op === '&' && e.b.kind === 'load');
  const low = parts.find((e) => e.kind === 'binary' && e.b.kind === 'const') ?? not();
  const unsigned = low.kind === 'binary' && low.op === '&';
  const [product, bits] = side(unsigned ? side(low, '&')[0] : low, '>>');
  return {
    parts: terms(product).length === 1 ? 2 : 3,
    bits,
    right,
    signed: signed ? 1 : 0,
    unsigned: unsigned ? 1 : 0,
    min: min - byteZero,
    max: max - byteZero,
  };
}
export function partsFormOf(q: Params): PartsForm {
  const { parts = 2, bits = 10, right = 16, signed = 0, unsigned = 1, min = -128, max = 127 } = q;
  if (parts < 2 || parts > 3 || bits < 2 || bits > 31 || right < 1 || right > 31) refuse('no such requantise in parts');
  if (min < -byteZero || max > 127 || min > max) refuse('what is stored is not a byte');
  return { parts, bits, right, signed: signed === 1, unsigned: unsigned === 1, min, max };
}
/** For names of functions: differs where the assembly does. */
export const partsTag = (q: PartsForm): string =>
  `q${q.parts}b${q.bits}${q.unsigned ? 'u' : 's'}${q.right}${q.signed ? 'n' : ''}${
    q.min === -128 && q.max === 127 ? '' : `_${q.min + byteZero}_${q.max + byteZero}`
  }`;

/**
 * Thumb-1: the register u becomes the byte to store; its constants are read at `from`, which moves on to the next row. Low
 * registers all; `temps` are three others. Flags are lost.
 */
export function partsLines(
  q: PartsForm,
  u: string,
  from: string,
  [a, b, c]: readonly [string, string, string],
): readonly string[] {
  const down = `${q.unsigned ? 'lsrs' : 'asrs'}`;
  const shift = (r: string): string => `${down} ${r}, ${r}, #${q.bits}`;
  const out: string[] = [];
  // What is added below zero waits in a; without it, a takes the first product.
  if (q.signed)
    out.push(`ldmia ${from}!, {${a}, ${b}}`, `subs ${a}, ${u}, ${a}`, `asrs ${a}, ${a}, #31`, `ands ${a}, ${a}, ${b}`);
  const low = q.signed ? b : a;
  const next = q.signed ? c : b;
  if (q.parts === 2 && !q.signed) {
    out.push(`ldmia ${from}!, {${a}, ${b}, ${c}}`, `muls ${a}, ${u}, ${a}`, shift(a), `muls ${u}, ${b}, ${u}`);
    out.push(`adds ${u}, ${u}, ${a}`, `adds ${u}, ${u}, ${c}`);
    return [...out, ...clampLines(q, u, a)];
  }
  out.push(`ldmia ${from}!, {${low}, ${next}}`, `muls ${low}, ${u}, ${low}`, shift(low));
  if (q.parts === 3) {
    out.push(`muls ${next}, ${u}, ${next}`, `adds ${low}, ${low}, ${next}`, shift(low), `ldmia ${from}!, {${next}}`);
  }
  out.push(`muls ${u}, ${next}, ${u}`, `adds ${u}, ${u}, ${low}`);
  if (q.signed) out.push(`adds ${u}, ${u}, ${a}`);
  out.push(`ldmia ${from}!, {${low}}`, `adds ${u}, ${u}, ${low}`);
  return [...out, ...clampLines(q, u, low)];
}

/** Limits u >> right to the byte's ends, moved by 128; the whole range costs one test, because only its ends wrap right. */
function clampLines({ right, min, max }: PartsForm, u: string, temp: string): readonly string[] {
  const down = `asrs ${u}, ${u}, #${right}`;
  const [lo, hi] = [min + byteZero, max + byteZero];
  if (lo === 0 && hi === 255)
    return [
      down,
      `lsrs ${temp}, ${u}, #8`,
      'beq 9f',
      `asrs ${u}, ${u}, #31`,
      `mvns ${u}, ${u}`,
      '9:',
      `subs ${u}, #128`,
    ];
  const limit = (at: number, unless: string): readonly string[] => [
    `cmp ${u}, #${at}`,
    `${unless} 9f`,
    `movs ${u}, #${at}`,
    '9:',
  ];
  return [down, ...limit(lo, 'bge'), ...limit(hi, 'ble'), `subs ${u}, #128`];
}
/** Cycles of the lines on a Cortex-M0+ when nothing is limited. */
export const partsCycles = (q: PartsForm): number =>
  (q.parts === 2 ? 9 : 15) + (q.signed ? 8 : 0) + (q.min === -128 && q.max === 127 ? 5 : 8);

/** The same in C: statements that make the byte `to` of the uint32_t `u`, reading and moving the pointer `from`. */
export function partsPlain(q: PartsForm, u: string, from: string, to: string): string {
  const word = (i: number): string => `(uint32_t)${from}[${i}]`;
  const shift = (e: string): string =>
    q.unsigned ? `((${e}) >> ${q.bits})` : `(uint32_t)((int32_t)(${e}) >> ${q.bits})`;
  const first = q.signed ? 2 : 0;
  let low = shift(`${u} * ${word(first)}`);
  if (q.parts === 3) low = shift(`${u} * ${word(first + 1)} + ${low}`);
  const sign = q.signed ? ` + ((uint32_t)((int32_t)(${u} - ${word(0)}) >> 31) & ${word(1)})` : '';
  const total = `${u} * ${word(first + q.parts - 1)} + ${low} + ${word(rowWords(q) - 1)}${sign}`;
  const [lo, hi] = [q.min + byteZero, q.max + byteZero];
  return `${to} = (int8_t)(mt_clamp((int32_t)(${total}) >> ${q.right}, ${lo}, ${hi}) - ${byteZero}); ${from} += ${rowWords(q)};`;
}

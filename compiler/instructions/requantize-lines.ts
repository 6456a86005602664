/**
 * How block kernels make a byte of a sum: each requantise form once, as meaning, assembly and plain C. The form is read off the
 * nest by `inferRequantize` and travels in an instruction's parameters. Must stay true: the three compute the same for every
 * sum, given that constants lie in the spans of `requantizeOperands` and, for 'general', that |sum| < 2^23.
 */
import { add, bin, clamp, load, num, refuse } from '../program/build.ts';
import type { Expr } from '../program/program.ts';
import type { Operand, Params } from './instruction.ts';

/**
 * 'affine': SMMLA and SSAT; 'signed': the same with a correction below zero (rewrites/requantize-affine.ts proves both);
 * 'general': TFLite's own two roundings, for any multiplier and right shift; 'top': SMMUL and SSAT of a sum that began with the
 * rounding in it (rewrites/requantize-top.ts).
 */
export type Form = 'affine' | 'signed' | 'general' | 'top';
const forms: readonly Form[] = ['affine', 'signed', 'general', 'top'];

export interface Requantize {
  readonly form: Form;
  /** Right shift of all but 'general'. */
  readonly right: number;
  /** Zero point of 'general'; the other forms have it in their constants. */
  readonly zero: number;
  readonly min: number;
  readonly max: number;
}

/** The parameters `form`, `right`, `zero`, `min`, `max` of the value that a nest stores. */
export function inferRequantize(value: Expr): Params {
  if (value.kind === 'requantize') {
    if (value.rounding !== 'double') refuse('block kernels round twice');
    return { form: forms.indexOf('general'), zero: value.zero, min: value.min, max: value.max };
  }
  const [limited, min] = constantSide(value, 'max');
  const [shifted, max] = constantSide(limited, 'min');
  const [sum, right] = constantSide(shifted, '>>');
  if (sum.kind === 'binary' && sum.op === 'mulhi') return { form: forms.indexOf('top'), right, min, max };
  if (sum.kind !== 'binary' || sum.op !== '+') return refuse('what is stored is not requantised');
  return { form: forms.indexOf(sum.b.kind === 'load' ? 'affine' : 'signed'), right, min, max };
}
function constantSide(e: Expr, op: 'min' | 'max' | '>>'): readonly [Expr, number] {
  if (e.kind !== 'binary' || e.op !== op || e.b.kind !== 'const') return refuse('what is stored is not requantised');
  return [e.a, e.b.value];
}

/** `sums`: does the kernel begin its sums with the offset of 'top'? */
export function requantizeOf(
  { form = 0, right = 0, zero = 0, min = -128, max = 127 }: Params,
  sums: 'with offset' | 'of bias' = 'of bias',
): Requantize {
  const name = forms[form] ?? refuse(`no requantise form ${form}`);
  if (name === 'top' && sums === 'of bias') refuse('its sums begin with the bias alone');
  if (right < 0 || right > 31) refuse(`a shift of ${right}`);
  if (min < -128 || max > 127 || min > max || Math.abs(zero) > 128) refuse('what is stored is not a byte');
  return { form: name, right, zero, min, max };
}
/** For names of functions: differs where the assembly does. */
export const requantizeTag = ({ form, right, zero, min, max }: Requantize): string =>
  [form === 'general' ? `g${zero}` : `${form[0]}${right}`, min, max].join('_').replaceAll('-', 'm');

/** Do its lines start from 256 * sum? The others start from the sum. */
export const takesScaled = ({ form }: Requantize): boolean => form !== 'general';
/** Do its lines start from 256 * sum + add, the constant of that role? The kernel begins its sums so. */
export const takesOffset = ({ form }: Requantize): boolean => form === 'top';

/** The constants it reads, one value a channel, by role; in the order of its constant registers. */
export function requantizeOperands({ form }: Requantize): Readonly<Record<string, Operand>> {
  const word: Operand = { dtype: 'i32' };
  switch (form) {
    case 'affine':
    case 'top':
      return { mul: word, add: word };
    case 'signed':
      return { mul: word, add: word, fix: word };
    case 'general':
      // Left shifts wrap, and 2^30 is the largest half that can be added.
      return { mult: { ...word, span: [0, 2 ** 31 - 1] }, shift: { ...word, span: [-30, 0] } };
  }
}

/** What is stored of `sum`, with the constants at index `o`. */
export function requantizeMeaning(q: Requantize, sum: Expr, o: Expr): Expr {
  const scaled = bin('mulhi', bin('<<', sum, num(8)), load('mul', o));
  const limited = (base: Expr): Expr => clamp(bin('>>', add(scaled, base), num(q.right)), q.min, q.max);
  switch (q.form) {
    case 'affine':
      return limited(load('add', o));
    case 'signed':
      return limited(add(bin('&', bin('>>', sum, num(31)), load('fix', o)), load('add', o)));
    case 'top': {
      const begun = add(bin('<<', sum, num(8)), load('add', o));
      return clamp(bin('>>', bin('mulhi', begun, load('mul', o)), num(q.right)), q.min, q.max);
    }
    case 'general':
      return {
        kind: 'requantize',
        acc: sum,
        mult: load('mult', o),
        shift: load('shift', o),
        zero: q.zero,
        min: q.min,
        max: q.max,
        rounding: 'double',
      };
  }
}

/** Registers of the lines: those that keep a channel's constants, and a temporary. */
export interface RequantizeRegisters {
  /** As many as `constantRegisters` says; the first ones hold the constants in the order of their roles. */
  readonly constants: readonly string[];
  readonly temp: string;
}
export function constantRegisters({ form }: Requantize): number {
  switch (form) {
    case 'top':
      return 1;
    case 'affine':
      return 2;
    case 'signed':
    case 'general':
      return 3;
  }
}
/** Is the temporary used at all? */
export const usesTemp = ({ form }: Requantize): boolean => form === 'signed' || form === 'general';

/** Once a channel, after its constants were loaded: 'general' makes shift + 1 and half of what that divides by of the shift. */
export function prepareLines(q: Requantize, { constants }: RequantizeRegisters): readonly string[] {
  const [, shift, half] = constants;
  if (q.form !== 'general') return [];
  return [
    `rsb ${shift}, ${shift}, #1`,
    `mov ${half}, #1`,
    `lsl ${half}, ${half}, ${shift}`,
    `lsr ${half}, ${half}, #1`,
  ];
}

/** The register `sum` becomes the byte to store. Flags are lost. */
export function requantizeLines(q: Requantize, sum: string, registers: RequantizeRegisters): readonly string[] {
  const { temp } = registers;
  const [a = '', b = '', c = ''] = registers.constants;
  const saturate = q.right > 0 ? `ssat ${sum}, #8, ${sum}, asr #${q.right}` : `ssat ${sum}, #8, ${sum}`;
  switch (q.form) {
    case 'top':
      return [`smmul ${sum}, ${sum}, ${a}`, saturate, ...clampLines(q, sum)];
    case 'affine':
      return [`smmla ${sum}, ${sum}, ${a}, ${b}`, saturate, ...clampLines(q, sum)];
    case 'signed':
      return [
        `and ${temp}, ${c}, ${sum}, asr #31`,
        `add ${temp}, ${temp}, ${b}`,
        `smmla ${sum}, ${sum}, ${a}, ${temp}`,
        saturate,
        ...clampLines(q, sum),
      ];
    case 'general':
      return [
        // round(sum * mult / 2^31), halves up.
        `smull ${temp}, ${sum}, ${sum}, ${a}`,
        `adds ${temp}, ${temp}, #0x40000000`,
        `adc ${sum}, ${sum}, #0`,
        `adds ${temp}, ${temp}, ${temp}`,
        `adc ${sum}, ${sum}, ${sum}`,
        // round(that / 2^n), halves away from zero: (2*that - (that < 0) + 2^n) >> (n + 1), right for n = 0 as well.
        `add ${temp}, ${c}, ${sum}, asr #31`,
        `add ${sum}, ${temp}, ${sum}, lsl #1`,
        `asr ${sum}, ${sum}, ${b}`,
        ...(q.zero === 0 ? [] : [`${q.zero > 0 ? 'add' : 'sub'} ${sum}, ${sum}, #${Math.abs(q.zero)}`]),
        `ssat ${sum}, #8, ${sum}`,
        ...clampLines(q, sum),
      ];
  }
}
/** What saturation to a byte leaves to do. */
export function clampLines({ min, max }: Pick<Requantize, 'min' | 'max'>, sum: string): readonly string[] {
  const limit = (at: number, when: string): readonly string[] => [
    `cmp ${sum}, #${at}`,
    `it ${when}`,
    `mov${when} ${sum}, #${at}`,
  ];
  return [...(min > -128 ? limit(min, 'lt') : []), ...(max < 127 ? limit(max, 'gt') : [])];
}

/** The same in C: the byte that becomes of the C expression `sum`, with constants at index `o` of parameters named by role. */
export function requantizePlain({ form, right, zero, min, max }: Requantize, sum: string, o: string): string {
  const at = (role: string): string => `${role}[${o}]`;
  const limited = (base: string): string =>
    `mt_clamp(mt_mulhi_add(mt_shl(${sum}, 8), ${at('mul')}, ${base}) >> ${right}, ${min}, ${max})`;
  switch (form) {
    case 'top':
      return `mt_clamp(mt_mulhi_add(mt_add(mt_shl(${sum}, 8), ${at('add')}), ${at('mul')}, 0) >> ${right}, ${min}, ${max})`;
    case 'affine':
      return limited(at('add'));
    case 'signed':
      return limited(`mt_add((${sum} >> 31) & ${at('fix')}, ${at('add')})`);
    case 'general':
      return `mt_requantize(${sum}, ${at('mult')}, ${at('shift')}, ${zero}, ${min}, ${max})`;
  }
}

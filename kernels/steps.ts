/** Short constructors for steps, so that a template reads as the plan it is; and what several templates ask about a workload. */
import type { Layout, Step } from '../compiler/program/index.ts';
import type { Workload } from '../compiler/workload.ts';
import type { Features, KnobValue, TensorKnob } from './template.ts';

/** For words about a setting: "1 row", "2 rows". */
export const many = (n: KnobValue | undefined, one: string): string => `${n} ${Number(n) === 1 ? one : `${one}s`}`;

export const split = (
  loop: string,
  factor: number,
  into: readonly [string, string],
  tail: 'exact' | 'overlap' | 'peel',
): Step => ({
  primitive: 'split',
  loop,
  factor,
  into,
  tail,
});
export const reorder = (...loops: readonly string[]): Step => ({ primitive: 'reorder', loops });
export const unroll = (...loops: readonly string[]): readonly Step[] =>
  loops.map((loop): Step => ({ primitive: 'unroll', loop }));
export const expand = (buf: string, ...loops: readonly string[]): Step => ({ primitive: 'expand', buf, loops });
export const fission = (...loops: readonly string[]): Step => ({ primitive: 'fission', loops });
export const replace = (
  loop: string,
  instr: string,
  operands: Readonly<Record<string, string>>,
  params: Readonly<Record<string, number>> = {},
): Step => ({
  primitive: 'replace',
  loop,
  instr,
  params,
  operands,
});

/** The order in which SXTB16 leaves four bytes: cheapest to widen into. */
export const quads: Layout = { kind: 'quad', order: [0, 2, 1, 3] };

/** Requantise forms: 'affine', two instructions; 'signed', with a correction of the sign; 'general', TFLite's own steps; 'top', two for block kernels. */
export function requantize(form: KnobValue | undefined): readonly Step[] {
  switch (form) {
    case 'affine':
      return [{ primitive: 'requantizeAffine', acc: 'acc', mul: 'mul', add: 'add' }];
    case 'signed':
      return [{ primitive: 'requantizeAffine', acc: 'acc', mul: 'mul', add: 'add', fix: 'fix' }];
    case 'top':
      return [{ primitive: 'requantizeTop', acc: 'acc', mul: 'mul', add: 'add' }];
    default:
      return [];
  }
}
/** The constants that block kernels read for a form, by role: the names that `requantize` and the operators give them. */
export function requantizeConstants(form: KnobValue | undefined): Readonly<Record<string, string>> {
  switch (form) {
    case 'affine':
    case 'top':
      return { mul: 'mul', add: 'add' };
    case 'signed':
      return { mul: 'mul', add: 'add', fix: 'fix' };
    default:
      return { mult: 'mult', shift: 'shift' };
  }
}
/** The forms in the order to try: the cheap one is exact only where one sign of the result is visible (fused ReLU). */
export const requantKnob = (w: Workload): readonly string[] =>
  w.attrs.rounding === 'single'
    ? ['general']
    : w.attrs.min === w.attrs.yZero
      ? ['affine', 'signed', 'general']
      : ['signed', 'general', 'affine'];

/** The value of the knob x or y as a step; it comes before all others. */
export function layOut(w: Workload, buf: 'x' | 'y', knob: KnobValue | undefined): readonly Step[] {
  const outside = number(w.attrs[`${buf}Zero`] as number | undefined);
  switch (knob as TensorKnob | undefined) {
    case undefined:
      return [];
    case 'wide':
      return [{ primitive: 'layOut', buf, as: 'wide' }];
    case 'planes0':
      return [{ primitive: 'layOut', buf, as: 'planes', left: 0, outside }];
    case 'planes1':
      return [{ primitive: 'layOut', buf, as: 'planes', left: 1, outside }];
  }
}
/** What a producer of pixels can leave its output in for a depthwise layer; it takes one image. */
export const planesForDepthwise = (w: Workload): readonly TensorKnob[] =>
  shapeOut(w).length === 4 && shapeOut(w)[0] === 1 ? ['planes0', 'planes1'] : [];

/** Compiler flags worth trying, as the text of one knob. */
export const flagSets: readonly string[] = [
  '-O2',
  '-O2 -fno-schedule-insns',
  '-O3',
  '-O2 -fno-tree-pre',
  '-O2 -fno-ivopts',
  '-O2 -fno-store-merging',
  '-O2 -fno-store-merging -fno-schedule-insns',
  '-Os',
];
export const flags = (text: KnobValue | undefined): readonly Step[] =>
  text === undefined || text === '-O2' ? [] : [{ primitive: 'flags', flags: String(text).split(' ') }];

/** Where code and constants may lie: a choice only on boards that run faster from one memory than from another. */
export const placesFor = (features: Features): readonly string[] =>
  has(features, 'places') ? ['flash', 'ram'] : ['flash'];
export const place = (what: string, where: KnobValue | undefined): readonly Step[] =>
  where === 'ram' ? [{ primitive: 'place', what, where }] : [];

export const shapeIn = (w: Workload): readonly number[] => w.inputs[0]?.shape ?? [];
export const shapeOut = (w: Workload): readonly number[] => w.outputs[0]?.shape ?? [];
/** An attribute that is a list of numbers. */
export function list(w: Workload, name: string): readonly number[] {
  const v = w.attrs[name];
  return Array.isArray(v) ? (v as readonly number[]) : [];
}
export const has = (features: Features, feature: string): boolean => features.includes(feature);
export const product = (values: readonly number[]): number => values.reduce((n, d) => n * d, 1);
/** Values that are at most `limit`, without repetition, in the order given. */
export const upTo = (limit: number, values: readonly number[]): readonly number[] => [
  ...new Set(values.filter((v) => v <= limit)),
];
export const number = (v: KnobValue | undefined): number => Number(v ?? 0);

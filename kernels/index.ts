/** Every template. To add one: copy elementwise.ts, list it here (docs/adding.md). */
import type { Workload } from '../compiler/workload.ts';
import { add } from './add.ts';
import { columns } from './columns.ts';
import { conv } from './conv.ts';
import { depthwise } from './depthwise.ts';
import { elementwise } from './elementwise.ts';
import { first } from './first.ts';
import { lanes } from './lanes.ts';
import { loops } from './loops.ts';
import { matrix } from './matrix.ts';
import { packed } from './packed.ts';
import { pool } from './pool.ts';
import { pooling } from './pooling.ts';
import { softmax } from './softmax.ts';
import { many } from './steps.ts';
import { stream } from './stream.ts';
import type { Features, Knob, Knobs, KnobValue, Schedule, Template } from './template.ts';
import { winograd } from './winograd.ts';
import { winogradWords } from './winograd-words.ts';

export { defaultSchedule } from './default.ts';
export type * from './template.ts';

export const templates: readonly Template[] = [
  first,
  lanes,
  columns,
  winograd,
  winogradWords,
  packed,
  stream,
  matrix,
  conv,
  depthwise,
  loops,
  pool,
  pooling,
  add,
  softmax,
  elementwise,
];

/** The templates that apply to a workload, with their knobs there. */
export function templatesFor(
  w: Workload,
  features: Features,
): readonly { readonly template: Template; readonly knobs: readonly Knob[] }[] {
  return templates.flatMap((template) => {
    const knobs = template.knobs(w, features);
    return knobs === undefined ? [] : [{ template, knobs }];
  });
}

/** Where a schedule came from: a template's setting, or steps that stand for themselves. */
export type Origin = { readonly template: string; readonly knobs: Knobs } | { readonly schedule: Schedule };

/** One line in words for tables and the comments of generated C. */
export function describeSchedule(origin: Origin): string {
  if ('schedule' in origin) return describeSteps(origin.schedule);
  const template = templates.find((t) => t.name === origin.template);
  if (template === undefined) return `template ${origin.template}`;
  const inRam = ['code', 'constants'].filter((what) => origin.knobs[what] === 'ram');
  return `${template.name}: ${template.describe(origin.knobs)}${layoutsOf(origin.knobs)}${placedIn(inRam)}`;
}
function layoutsOf({ x, y }: Knobs): string {
  const words = (knob: KnobValue): string => (knob === 'wide' ? 'int16' : 'rows of planes');
  return `${x === undefined ? '' : `, takes ${words(x)}`}${y === undefined ? '' : `, leaves ${words(y)}`}`;
}
const placedIn = (what: readonly string[]): string => (what.length === 0 ? '' : `, ${what.join(' and ')} in RAM`);

/** A schedule without a template, by what its steps do. */
function describeSteps(schedule: Schedule): string {
  const names = schedule.steps.map((s) => (s.primitive === 'replace' ? s.instr : s.primitive));
  const instructions = [...new Set(schedule.steps.flatMap((s) => (s.primitive === 'replace' ? [s.instr] : [])))];
  const using = instructions.length > 0 ? `, using ${instructions.join(' and ')}` : '';
  const does = names.length === 0 ? 'plain loops' : `${schedule.algorithm}, ${many(names.length, 'step')}${using}`;
  return `${does}${placedIn(placedInRam(schedule))}`;
}

/** What a schedule places in RAM: 'code', and names of constants. */
export const placedInRam = ({ steps }: Schedule): readonly string[] =>
  steps.flatMap((s) => (s.primitive === 'place' && s.where === 'ram' ? [s.what] : []));

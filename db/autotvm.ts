/**
 * Records as lines that tools for AutoTVM's logs read: one JSON object a trial, of version 0.2 of that format. It goes out only: what
 * that format has no place for (stages, sizes, forms of schedules) is left out. docs/log.md says what becomes of what.
 */
import { createHash } from 'node:crypto';
import type { Config, Stage } from '../tuner/types.ts';
import type { TuningRecord } from './types.ts';

/** Cycles a second of a board; undefined where the board is not known here. */
export type Clocks = (board: string) => number | undefined;

/** Numbers of AutoTVM's errors. */
const noError = 0;
const instantiation = 1;
const compileHost = 2;
const runtimeDevice = 4;
const wrongAnswer = 5;
const buildTimeout = 6;
const runTimeout = 7;
const unknown = 8;
/** Costs of what was not measured. */
const noCost: readonly number[] = [1e9];

/** The lines of records, in their order. */
export const recordsToAutoTvm = (records: Iterable<TuningRecord>, clocks: Clocks): string =>
  Array.from(records, (r) => `${JSON.stringify(lineOf(r, clocks(r.board)))}\n`).join('');

function lineOf(r: TuningRecord, clockHz: number | undefined) {
  const workload = workloadOf(r.workload);
  return {
    input: [
      targetOf(r),
      `microtune.${workload.op}`,
      workload.inputs.map(({ dtype, shape }) => ['TENSOR', shape, dtype]),
      { attrs: workload.attrs, task: r.task, kind: r.kind, unit: clockHz === undefined ? 'counts' : 'seconds' },
    ],
    config: { index: indexOf(r.config), code_hash: r.binary, entity: entityOf(r.config) },
    result: [costsOf(r, clockHz ?? 1), errorOf(r), secondsOf(r), Date.parse(r.at) / 1000],
    version: 0.2,
    tvm_version: 'microtune',
  };
}

/** A target as TVM writes one for C: the CPU, and the board as its model. */
function targetOf({ flags, board }: TuningRecord): string {
  const cpu = /-m(?:cpu|arch)=(\S+)/.exec(flags)?.[1];
  return ['c', '-keys=cpu', ...(cpu === undefined ? [] : [`-mcpu=${cpu}`]), `-model=${board}`].join(' ');
}

interface WorkloadWords {
  readonly op: string;
  readonly attrs: unknown;
  readonly inputs: readonly { readonly dtype: unknown; readonly shape: unknown }[];
}
/** A workload from elsewhere may be any text. */
function workloadOf(text: string): WorkloadWords {
  const { op, attrs, inputs } = parsed(text);
  return {
    op: typeof op === 'string' ? op : 'unknown',
    attrs: attrs ?? {},
    inputs: Array.isArray(inputs) ? inputs.map((i: unknown) => ({ dtype: null, shape: null, ...Object(i) })) : [],
  };
}
function parsed(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}

/** There, a place in a space that may change; here, a number that stands for the config itself. */
const indexOf = (config: Config): number =>
  Number.parseInt(createHash('sha256').update(JSON.stringify(config)).digest('hex').slice(0, 12), 16);

/** Settings as AutoTVM's "other option" knobs. */
function entityOf(config: Config): readonly (readonly [string, 'ot', unknown])[] {
  const settings = 'knobs' in config ? config.knobs : { schedule: JSON.stringify(config.schedule) };
  const all = { template: config.template, version: config.version, ...settings };
  return Object.entries(all).map(([name, value]) => [name, 'ot', value]);
}

/** Seconds of each repeat. */
function costsOf(r: TuningRecord, clockHz: number): readonly number[] {
  if (r.cycles === null || r.doubt !== null) return noCost;
  return (r.repeats ?? [r.cycles]).map((count) => count / clockHz);
}

function errorOf({ status, stage, code, doubt }: TuningRecord): number {
  if (doubt !== null) return unknown;
  if (status === 'ok' || stage === null) return noError;
  if (code === 'COMPILE_TIMEOUT') return buildTimeout;
  return code === 'DEADLINE' ? runTimeout : errorsOfStages[stage];
}
const errorsOfStages: Readonly<Record<Stage, number>> = {
  propose: instantiation,
  lower: instantiation,
  emit: instantiation,
  compile: compileHost,
  link: compileHost,
  load: runtimeDevice,
  run: runtimeDevice,
  verify: wrongAnswer,
  record: unknown,
};

const secondsOf = (r: TuningRecord): number => Object.values(r.times).reduce((sum, ms) => sum + ms, 0) / 1000;

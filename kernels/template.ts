/**
 * A template is a human's plan for one kind of layer: it looks at a workload, says which knobs there are, and turns a
 * setting of them into a schedule (data: a list of steps on the workload's naive program). Templates never emit C.
 */
import type { Step } from '../compiler/program/index.ts';
import type { Workload } from '../compiler/workload.ts';

export type KnobValue = number | string;
/** A knob and every value that it may take here, in a sensible order; the first is the template's default. */
export interface Knob {
  readonly name: string;
  readonly values: readonly KnobValue[];
}
export type Knobs = Readonly<Record<string, KnobValue>>;

/** A schedule: the algorithm (which naive program of the operator) and the steps that rewrite it. Stored and replayed as it is. */
export interface Schedule {
  readonly algorithm: string;
  readonly steps: readonly Step[];
}

/** CPU features a target has, e.g. 'dsp', 'fpu', 'unaligned'. */
export type Features = readonly string[];

export interface Layouts {
  readonly x?: readonly TensorKnob[];
  readonly y?: readonly TensorKnob[];
}
/** 'wide': int16. 'planes0', 'planes1': rows of channel planes, with no column of border before a row or one. */
export type TensorKnob = 'wide' | 'planes0' | 'planes1';

export interface Template {
  readonly name: string;
  /** Raised when the meaning of its knobs changes: records of other versions stay valid as literal schedules. */
  readonly version: number;
  /** The knobs for this workload on a CPU with these features; undefined where the template does not apply. */
  knobs(workload: Workload, features: Features): readonly Knob[] | undefined;
  /**
   * Layouts, other than bytes in order, that it can take its first input from (x) or leave its output in (y): values of two more
   * knobs of these names. No search turns them, for they must suit the layers beside: they are chosen for a network as a whole.
   */
  layouts?(workload: Workload): Layouts;
  /** The schedule of one setting. May come out illegal for the actual constants: replay says so. */
  schedule(workload: Workload, knobs: Knobs): Schedule;
  /** One short line in words: "4 px x 2 ch, packed int16 lanes, chunks of 32 pixels". */
  describe(knobs: Knobs): string;
}

/**
 * How a job goes on, told to a person: on a terminal one line a task that is kept up to date; elsewhere a plain line now and
 * then for each task that moved, without control characters.
 */
import type { ProgressBody, TaskBody } from '../schemas/index.ts';
import type { Screen } from './io.ts';
import { count, counted, span, speedUp, unit } from './table.ts';

export interface Progress {
  /** The job as it stands now. */
  show(state: ProgressBody): void;
  /** A remark between the lines. */
  say(text: string): void;
  /** Shows the last state, for good. */
  end(): void;
}
/** Milliseconds between plain lines. */
const plainEveryMs = 5000;

export const progressOn = (screen: Screen, kind: string, now: () => number): Progress =>
  screen.isTTY === true ? live(screen, unit(kind)) : plain(screen, unit(kind), now);

/** A state, and trials a second of it: those of the search alone, without what is built before and after. */
export interface Moment {
  readonly state: ProgressBody;
  rate(trials: number): string;
}

/** Makes moments of states as they come. The clock runs from the first state to the last one that had a new trial. */
function pace(): (state: ProgressBody) => Moment {
  let first: ProgressBody | undefined;
  let moved: ProgressBody | undefined;
  return (state) => {
    first ??= state;
    if (state.trials.done !== moved?.trials.done) moved = state;
    const seconds = ((moved ?? state).spentMs - first.spentMs) / 1000;
    return { state, rate: (trials) => (seconds > 0 ? `${(trials / seconds).toFixed(1)}/s` : '-/s') };
  };
}

/** "conv2d 1x25x5x64 -> 1x25x5x64 x4: 23 trials, 2.1/s, best 12,345 instructions (2.31x), 32s left". */
export function taskLine(t: TaskBody, { state, rate }: Moment, unitText: string): string {
  const times = t.occurrences > 1 ? ` x${t.occurrences}` : '';
  const best =
    t.best === null ? 'not measured yet' : `best ${count(t.best)} ${unitText} (${speedUp(t.default, t.best)})`;
  const left = t.exhausted ? 'all tried' : leftText(state);
  return `${t.op} ${t.shape}${times}: ${counted(t.trials, 'trial')}, ${rate(t.trials)}, ${best}, ${left}`;
}

export function totalLine({ state, rate }: Moment, unitText: string): string {
  const { trials, cycles } = state;
  const endless = trials.budget >= 1_000_000;
  const done = endless ? counted(trials.done, 'trial') : `${count(trials.done)}/${counted(trials.budget, 'trial')}`;
  const best =
    cycles.best === null ? '' : `, best ${count(cycles.best)} ${unitText} (${speedUp(cycles.default, cycles.best)})`;
  return `whole network: ${done}, ${rate(trials.done)}, ${trials.failed} failed${best}, ${leftText(state)}`;
}

const leftText = (state: ProgressBody): string =>
  state.leftMs === null ? 'time left unknown' : `${span(state.leftMs)} left`;

/** Lines drawn over the ones before. */
function live(screen: Screen, unitText: string): Progress {
  const momentOf = pace();
  let drawn = 0;
  let last: Moment | undefined;
  const up = (): string => (drawn > 0 ? `\x1b[${drawn}A\x1b[J` : '');
  const draw = (m: Moment): void => {
    const room = Math.max(2, (screen.rows || 24) - 1);
    const tasks = m.state.tasks.map((t) => taskLine(t, m, unitText)).slice(0, room - 1);
    const lines = [...tasks, totalLine(m, unitText)];
    const width = Math.max(20, (screen.columns || 80) - 1);
    screen.write(up() + lines.map((l) => `${narrowed(l, width)}\n`).join(''));
    drawn = lines.length;
  };
  return {
    show: (state) => {
      last = momentOf(state);
      draw(last);
    },
    say: (text) => {
      screen.write(`${up()}${text}\n`);
      drawn = 0;
      if (last !== undefined) draw(last);
    },
    end: () => undefined,
  };
}
/** The shape in the middle is what a narrow terminal can do without. */
function narrowed(line: string, width: number): string {
  if (line.length <= width) return line;
  const colon = line.indexOf(':');
  const tail = line.slice(colon);
  const head = Math.max(8, width - tail.length - 1);
  return `${line.slice(0, Math.min(colon, head))}~${tail}`.slice(0, width);
}

function plain(screen: Screen, unitText: string, now: () => number): Progress {
  const momentOf = pace();
  const told = new Map<string, string>();
  let last: Moment | undefined;
  let toldAt = Number.NEGATIVE_INFINITY;
  /** Writes a line unless nothing but the time has changed. */
  const tell = (id: string, sign: string, line: string): void => {
    if (told.get(id) === sign) return;
    told.set(id, sign);
    screen.write(`${line}\n`);
  };
  const tellAll = (m: Moment): void => {
    toldAt = now();
    for (const t of m.state.tasks) if (t.trials > 0) tell(t.id, `${t.trials} ${t.best}`, taskLine(t, m, unitText));
    tell('', `${m.state.trials.done} ${m.state.cycles.best}`, totalLine(m, unitText));
  };
  return {
    show: (state) => {
      last = momentOf(state);
      if (now() - toldAt >= plainEveryMs) tellAll(last);
    },
    say: (text) => void screen.write(`${text}\n`),
    end: () => {
      if (last !== undefined) tellAll(last);
    },
  };
}

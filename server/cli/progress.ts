/**
 * How a job goes on, told to a person: on a terminal one line a task that is kept up to date; elsewhere a plain line now and
 * then for each task that moved, without control characters.
 */
import type { ProgressBody, TaskBody } from '../schemas.ts';
import { count, span, speedUp, unit } from './table.ts';

export interface Progress {
  /** The job as it stands now. */
  show(state: ProgressBody): void;
  /** A remark between the lines. */
  say(text: string): void;
  /** Shows the last state, for good. */
  end(): void;
}
export interface Screen {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
  write(text: string): unknown;
}

/** Milliseconds between plain lines. */
const plainEveryMs = 5000;

export const progressOn = (screen: Screen, kind: string, now: () => number): Progress =>
  screen.isTTY === true ? live(screen, unit(kind)) : plain(screen, unit(kind), now);

/** "conv2d 1x25x5x64 -> 1x25x5x64 x4: 23 trials, 2.1/s, best 12,345 instructions (2.31x), 32s left". */
export function taskLine(t: TaskBody, state: ProgressBody, counted: string): string {
  const times = t.occurrences > 1 ? ` x${t.occurrences}` : '';
  const best =
    t.best === null ? 'not measured yet' : `best ${count(t.best)} ${counted} (${speedUp(t.default, t.best)})`;
  const left = t.exhausted ? 'all tried' : leftText(state);
  return `${t.op} ${t.shape}${times}: ${t.trials} trials, ${rate(t.trials, state)}/s, ${best}, ${left}`;
}

export function totalLine(state: ProgressBody, counted: string): string {
  const { trials, cycles } = state;
  const budget = trials.budget >= 1_000_000 ? '' : `/${trials.budget}`;
  const best =
    cycles.best === null ? '' : `, best ${count(cycles.best)} ${counted} (${speedUp(cycles.default, cycles.best)})`;
  return `whole network: ${trials.done}${budget} trials, ${rate(trials.done, state)}/s, ${trials.failed} failed${best}, ${leftText(state)}`;
}

const rate = (trials: number, state: ProgressBody): string =>
  state.spentMs > 0 ? (trials / (state.spentMs / 1000)).toFixed(1) : '-';
const leftText = (state: ProgressBody): string =>
  state.leftMs === null ? 'time left unknown' : `${span(state.leftMs)} left`;

/** Lines drawn over the ones before. */
function live(screen: Screen, counted: string): Progress {
  let drawn = 0;
  let last: ProgressBody | undefined;
  const up = (): string => (drawn > 0 ? `\x1b[${drawn}A\x1b[J` : '');
  const draw = (state: ProgressBody): void => {
    const room = Math.max(2, (screen.rows ?? 24) - 1);
    const lines = [
      ...state.tasks.map((t) => taskLine(t, state, counted)).slice(0, room - 1),
      totalLine(state, counted),
    ];
    const width = Math.max(20, (screen.columns ?? 80) - 1);
    screen.write(up() + lines.map((l) => `${narrowed(l, width)}\n`).join(''));
    drawn = lines.length;
  };
  return {
    show: (state) => {
      last = state;
      draw(state);
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

function plain(screen: Screen, counted: string, now: () => number): Progress {
  const told = new Map<string, string>();
  let last: ProgressBody | undefined;
  let toldAt = Number.NEGATIVE_INFINITY;
  const tell = (state: ProgressBody): void => {
    toldAt = now();
    for (const t of state.tasks) {
      const sign = `${t.trials} ${t.best}`;
      if (told.get(t.id) === sign || t.trials === 0) continue;
      told.set(t.id, sign);
      screen.write(`${taskLine(t, state, counted)}\n`);
    }
    screen.write(`${totalLine(state, counted)}\n`);
  };
  return {
    show: (state) => {
      last = state;
      if (now() - toldAt >= plainEveryMs) tell(state);
    },
    say: (text) => void screen.write(`${text}\n`),
    end: () => {
      if (last !== undefined) tell(last);
    },
  };
}

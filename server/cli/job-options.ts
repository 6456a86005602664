/** What a job may be asked for on the command line: the options of `tune` and `jobs clone`, and the request that they make. */
import { type Command, InvalidArgumentError } from 'commander';
import { parseWindow } from '../jobs/window.ts';
import type { JobRequest } from '../schemas/index.ts';
import { type BudgetOptions, budgets, collect, oneOf, wallTime, whole, wishesOf } from './options.ts';

export interface JobOptions extends BudgetOptions {
  readonly board?: readonly string[];
  readonly trials?: number;
  readonly time?: string;
  readonly until?: NonNullable<JobRequest['until']>;
  readonly seed?: number;
  readonly policy?: string;
  readonly task?: readonly string[];
  readonly priority?: NonNullable<JobRequest['priority']>;
  readonly window?: string;
  readonly name?: string;
  readonly webhook?: readonly string[];
}

export const priorities = ['low', 'normal', 'high'] as const satisfies readonly JobRequest['priority'][];

const text = (value: string): string => value;

export const jobOptions = (command: Command): Command =>
  budgets(
    command
      .option('--board <board>', 'see the boards command; repeat it for a job on each', collect(text))
      .option(
        '--trials <n>',
        'candidates to measure, over all layers (default: 400, or as the other limits allow)',
        whole(1, 10_000_000),
      )
      .option('--time <time>', 'wall time, like 90s, 30m or 8h', wallTime)
      .option('--until <percent/trials>', 'end when no task became better by percent in so many trials: 0.5/200', until)
      .option('--seed <n>', 'of all random choices (default: 0)', whole(0, 2 ** 32 - 1))
      .option('--policy <name>', 'how candidates are chosen (default: the best one)')
      .option('--task <id>', 'tune only this task; repeatable', collect(text))
      .option('--priority <which>', 'share among jobs, and place in the queue: low, normal, high', oneOf(...priorities))
      .option('--window <window>', 'when it may run, like "20:00-07:00 Europe/Berlin"', dailyWindow)
      .option('--name <name>', 'what to call the job')
      .option('--webhook <url>', 'tell this address of the end; repeatable', collect(text)),
  );

/** A request as the options say; what they leave out is left out. */
export function requestOf(o: JobOptions): Partial<JobRequest> {
  const [board, ...others] = o.board ?? [];
  const wishes = wishesOf(o);
  return {
    ...(board !== undefined && (others.length === 0 ? { board } : { boards: [board, ...others] })),
    ...(o.trials !== undefined && { trials: o.trials }),
    ...(o.time !== undefined && { time: o.time }),
    ...(o.until !== undefined && { until: o.until }),
    ...(o.seed !== undefined && { seed: o.seed }),
    ...(o.policy !== undefined && { policy: o.policy }),
    ...(o.task !== undefined && { tasks: [...o.task] }),
    ...(o.priority !== undefined && { priority: o.priority }),
    ...(o.window !== undefined && { window: o.window }),
    ...(o.name !== undefined && { name: o.name }),
    ...(o.webhook !== undefined && { webhooks: [...o.webhook] }),
    ...(Object.keys(wishes).length > 0 && { budgets: wishes }),
  };
}

function until(value: string): NonNullable<JobOptions['until']> {
  const [, percent, trials] = /^(\d+(?:\.\d+)?)%?\/(\d{1,8})$/.exec(value) ?? [];
  if (percent === undefined || trials === undefined || !(Number(percent) > 0) || Number(trials) < 1)
    throw new InvalidArgumentError('PERCENT/TRIALS is needed, like 0.5/200.');
  return { percent: Number(percent), trials: Number(trials) };
}

function dailyWindow(value: string): string {
  const parsed = parseWindow(value);
  if (!parsed.ok) throw new InvalidArgumentError(`${parsed.error.detail}.`);
  return value;
}

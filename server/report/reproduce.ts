/** How a job is done again: the command with its settings, and the trials that the result rests on. */
import { endless } from '../jobs/request.ts';
import { shellLine } from '../shell-words.ts';
import type { ReportData } from './data.ts';
import { el, type Part } from './html.ts';

/** The command, and what it needs. */
export function reproduction({ job, layers, model }: ReportData): readonly Part[] {
  const { ramBytes, flashBytes } = job.budgets;
  const options = [
    ['--board', job.board],
    ['--policy', job.policy],
    ['--seed', String(job.seed)],
    ...(job.trials.budget >= endless ? [] : [['--trials', String(job.trials.budget)]]),
    ...(job.timeMs === null ? [] : [['--time', `${job.timeMs}ms`]]),
    ...(job.until === null ? [] : [['--until', `${job.until.percent}/${job.until.trials}`]]),
    ...(job.only ?? []).map((task) => ['--task', task]),
    ...(ramBytes === null ? [] : [['--ram-budget', String(ramBytes)]]),
    ...(flashBytes === null ? [] : [['--flash-budget', String(flashBytes)]]),
  ];
  const file = `${model.name.replace(/\.tflite$/, '')}.tflite`;
  const command = shellLine(['microtune', 'tune', file, ...options.flat(), '--out', 'out']);
  const records = [...new Set(layers.flatMap((l) => (l.record === null ? [] : [l.record])))];
  return [
    el('pre', {}, command),
    el(
      'p',
      {},
      'The same search begins anew with an empty data directory and --records none. What is measured depends on nothing but the schedule, the board, the compiler and its flags.',
    ),
    records.length > 0 &&
      el(
        'p',
        {},
        'The network rests on these trials: ',
        records.flatMap((id, i) => [i === 0 ? '' : ', ', el('code', {}, id)]),
        '.',
      ),
  ];
}

/** From what somebody asks for to jobs that can be run. Must stay true: what is refused here would have failed later, for sure. */
import type { BoardModule } from '../../boards/index.ts';
import { failed, ok, type Result } from '../../compiler/result.ts';
import type { JobRow, NewJob, Store } from '../../db/types.ts';
import { budgetsOf } from '../budgets.ts';
import { checkFits, type Models } from '../models.ts';
import type { JobRequest } from '../schemas/index.ts';
import { parseTime } from '../time.ts';
import { parseWebhook } from '../webhooks/address.ts';
import { parseWindow } from './window.ts';

export interface RequestContext {
  readonly store: Store;
  readonly models: Models;
  readonly boards: readonly BoardModule[];
  readonly hasDevice: (board: BoardModule) => boolean;
  /** Names of search policies, the default one first. */
  readonly policies: readonly string[];
}

/** Trials of a job that names no end of its own. */
const defaultTrials = 400;
/** Trials of a job that only its other limits end. */
export const endless = 10_000_000;

/**
 * A job for each board that is asked for. Failures: BAD_REQUEST, BOARD_UNKNOWN, MODEL_NOT_FOUND, POLICY_UNKNOWN, BAD_TIME, BAD_WINDOW, WEBHOOK_BAD,
 * JOB_TASK_UNKNOWN, NO_DEVICE, MODEL_TOO_BIG.
 */
export function jobsOf(c: RequestContext, request: JobRequest): Result<readonly NewJob[]> {
  const boards = boardsOf(c, request);
  if (!boards.ok) return boards;
  const plan = planOf(c, request);
  if (!plan.ok) return plan;
  for (const board of boards.value) {
    if (!c.hasDevice(board)) return failed('request', 'NO_DEVICE', `no device of ${board.id} is attached or emulated`);
    const fits = checkFits(c.models.prepared(request.model), board, budgetsOf(board, request.budgets));
    if (!fits.ok) return fits;
  }
  return ok(boards.value.map((board) => ({ ...plan.value, board: board.id, kind: board.kind })));
}

function boardsOf(c: RequestContext, { board, boards }: JobRequest): Result<readonly BoardModule[]> {
  const named = [...(board === undefined ? [] : [board]), ...(boards ?? [])];
  if ((board === undefined) === (boards === undefined) || new Set(named).size < named.length)
    return failed('request', 'BAD_REQUEST', 'board names one board, or boards several different ones');
  const found: BoardModule[] = [];
  for (const id of named) {
    const known = c.boards.find((b) => b.id === id);
    const ids = c.boards.map((b) => b.id).join(', ');
    if (known === undefined) return failed('request', 'BOARD_UNKNOWN', `no board is called "${id}"; there are: ${ids}`);
    found.push(known);
  }
  return ok(found);
}

/** A name as one line that can be seen; null where nothing is left of it. */
const labelOf = (name: string): string | null => name.replace(/\p{C}+/gu, ' ').trim() || null;

/** All that does not depend on the board. */
function planOf(c: RequestContext, r: JobRequest): Result<Omit<NewJob, 'board' | 'kind'>> {
  if (c.store.model(r.model) === undefined)
    return failed('request', 'MODEL_NOT_FOUND', `no model has the id "${r.model}"`);
  const [usual = ''] = c.policies;
  const policy = r.policy ?? usual;
  if (!c.policies.includes(policy))
    return failed('request', 'POLICY_UNKNOWN', `no policy is called "${policy}"; there are: ${c.policies.join(', ')}`);
  const time = r.time === undefined ? ok(null) : parseTime(r.time);
  if (!time.ok) return time;
  const window = r.window === undefined ? ok(null) : parseWindow(r.window);
  if (!window.ok) return window;
  const webhooks = webhooksOf(r);
  if (!webhooks.ok) return webhooks;
  const only = onlyOf(c, r);
  if (!only.ok) return only;
  const bounded = time.value !== null || r.until !== undefined;
  return ok({
    model: r.model,
    policy,
    seed: r.seed ?? 0,
    trials: r.trials ?? (bounded ? endless : defaultTrials),
    timeMs: time.value,
    ramBudget: r.budgets?.ramBytes ?? null,
    flashBudget: r.budgets?.flashBytes ?? null,
    name: r.name === undefined ? null : labelOf(r.name),
    priority: r.priority ?? 'normal',
    window: r.window?.trim() ?? null,
    until: r.until ?? null,
    only: only.value,
    webhooks: webhooks.value,
  });
}

/** Each once, in its normal form. */
function webhooksOf({ webhooks = [] }: JobRequest): Result<readonly string[]> {
  const urls = new Set<string>();
  for (const text of webhooks) {
    const url = parseWebhook(text);
    if (!url.ok) return url;
    urls.add(url.value);
  }
  return ok([...urls]);
}

function onlyOf(c: RequestContext, { model, tasks }: JobRequest): Result<readonly string[] | null> {
  if (tasks === undefined) return ok(null);
  const known = new Set(c.models.prepared(model).tasks.map((t) => t.id));
  const strange = tasks.find((id) => !known.has(id));
  return strange === undefined
    ? ok([...new Set(tasks)])
    : failed('request', 'JOB_TASK_UNKNOWN', `the model has no task "${strange}"; it has: ${[...known].join(', ')}`);
}

/** What would make a job like this one, with what `change` says instead. */
export function requestLike(row: JobRow, change: Partial<JobRequest>): JobRequest {
  const { ramBudget, flashBudget } = row;
  const like: JobRequest = {
    model: row.model,
    ...(change.boards === undefined && { board: row.board }),
    ...(row.trials < endless && { trials: row.trials }),
    ...(row.timeMs !== null && { time: `${row.timeMs}ms` }),
    ...(row.until !== null && { until: row.until }),
    seed: row.seed,
    policy: row.policy,
    budgets: {
      ...(ramBudget !== null && { ramBytes: ramBudget }),
      ...(flashBudget !== null && { flashBytes: flashBudget }),
    },
    // Another model has other tasks.
    ...(row.only !== null && (change.model ?? row.model) === row.model && { tasks: [...row.only] }),
    ...(row.name !== null && { name: row.name }),
    priority: row.priority,
    ...(row.window !== null && { window: row.window }),
    webhooks: [...row.webhooks],
  };
  return { ...like, ...change };
}

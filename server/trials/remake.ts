/**
 * A trial's candidate, made again from its record: the recorded schedule on the constants of a network that has the task. Must
 * stay true: what is made again is what was measured only where its binary is the record's; otherwise that is said.
 */
import { type BoardModule, compiledBy, compilers } from '../../boards/index.ts';
import type { Graph } from '../../compiler/graph/graph.ts';
import { failed, ok, type Result } from '../../compiler/result.ts';
import type { Task } from '../../compiler/tasks.ts';
import type { Store, TuningRecord } from '../../db/types.ts';
import { defaultSchedule, templates } from '../../kernels/index.ts';
import { toolchainVersion } from '../../toolchain/index.ts';
import { type Candidate, candidateMaker } from '../../tuner/candidates.ts';
import { benchOf } from '../../tuner/measure/bench.ts';
import { type Built, buildCandidate } from '../../tuner/measure/builder.ts';
import { scratchRoom } from '../../tuner/measure/rooms.ts';
import { spaceOf } from '../../tuner/space.ts';
import type { Models } from '../models.ts';

export interface RemakeOptions {
  readonly store: Store;
  readonly models: Models;
  readonly boards: readonly BoardModule[];
  readonly cacheDir: string;
}
export interface Remade {
  readonly board: BoardModule;
  readonly task: Task;
  readonly graph: Graph;
  readonly candidate: Candidate;
  /** Or why the compiler refuses it. */
  readonly built: Result<Built>;
  /** Machine code and constants are those that were measured; null where the record does not say. */
  readonly same: boolean | null;
}

/** Networks whose constants are tried; those of the trial's own job come first. */
const most = 4;

const unmakeable = (why: string): Result<never> => failed('propose', 'TRIAL_UNMAKEABLE', why);

/** Builds the candidate of a record. Failure: TRIAL_UNMAKEABLE. */
export async function remake(o: RemakeOptions, record: TuningRecord): Promise<Result<Remade>> {
  const found = o.boards.find((b) => b.id === record.board);
  if (found === undefined) return unmakeable(`no board is called ${record.board} any more`);
  const board = await asRecorded(found, record);
  const networks = networksOf(o, record);
  if (networks.length === 0) return unmakeable(`no network that is here has a layer of task ${record.task}`);
  let first: Result<Remade> | undefined;
  for (const network of networks) {
    const made = await remakeIn(o, record, board, network);
    if (made.ok && made.value.same !== false) return made;
    // Another network has the same layer with other constants.
    if (first === undefined || !first.ok) first = made;
  }
  return first ?? unmakeable('no network was tried');
}

/** The board with the compiler of the record, if it is here and still the same; else with the one that it has. */
async function asRecorded(board: BoardModule, { toolchain }: TuningRecord): Promise<BoardModule> {
  for (const compiler of compilers) {
    const compiled = compiledBy(board, compiler);
    const version = await toolchainVersion(compiled.target);
    if (version.ok && version.value === toolchain) return compiled;
  }
  return board;
}

/** Models that have the task, the one of the trial's job first. */
function networksOf({ store }: RemakeOptions, record: TuningRecord): readonly string[] {
  const own = record.job === null ? undefined : store.job(record.job)?.model;
  const others = (store.log.task(record.task)?.networks ?? []).map((n) => n.id);
  return [...new Set([...(own === undefined ? [] : [own]), ...others])].slice(0, most);
}

async function remakeIn(
  { models, cacheDir }: RemakeOptions,
  record: TuningRecord,
  board: BoardModule,
  network: string,
): Promise<Result<Remade>> {
  const { graph, tasks } = models.prepared(network);
  const task = tasks.find((t) => t.id === record.task);
  if (task === undefined) return unmakeable(`the passes of this microtune make another layer of task ${record.task}`);
  const candidate = candidateOf(record, board, task, graph);
  if (!candidate.ok) return candidate;
  const built = await buildCandidate(candidate.value.kernel, board.target, cacheDir);
  const same = record.binary === null || !built.ok ? null : built.value.binary === record.binary;
  return ok({ board, task, graph, candidate: candidate.value, built, same });
}

/** The schedule as it was recorded: whatever templates and knobs mean today. */
function candidateOf(record: TuningRecord, board: BoardModule, task: Task, graph: Graph): Result<Candidate> {
  const space = spaceOf(task.workload, board.target.features, { templates, defaultSchedule });
  const scratchBytes = scratchRoom(board, benchOf(task, graph));
  const literal = { template: 'literal', version: 1, schedule: record.schedule } as const;
  const made = candidateMaker(task, space, { board, scratchBytes })(literal);
  return made.ok
    ? ok({ ...made.candidate, config: record.config })
    : unmakeable(`its schedule is not accepted any more (${made.code}): ${made.detail}`);
}

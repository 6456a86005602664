/** What the tuning benches share: a model, its tasks, emulated boards, one run of the tune loop without a daemon. */
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Target } from '../boards/board.ts';
import { type BoardModule, type BuiltFirmware, boardOf } from '../boards/index.ts';
import type { Graph } from '../compiler/graph/graph.ts';
import { importModel } from '../compiler/import/index.ts';
import { runPasses } from '../compiler/passes/index.ts';
import type { Result } from '../compiler/result.ts';
import { type Task, tasksOf } from '../compiler/tasks.ts';
import type { Device } from '../firmware-rpc/host/device.ts';
import { defaultSchedule, type Template, templates } from '../kernels/index.ts';
import { toolchainVersion } from '../toolchain/index.ts';
import { type Candidate, candidateMaker, type Proposed } from '../tuner/candidates.ts';
import { benchOf } from '../tuner/measure/bench.ts';
import { buildCandidate, vectorOf } from '../tuner/measure/builder.ts';
import { DevicePool } from '../tuner/measure/pool.ts';
import { scratchRoom } from '../tuner/measure/rooms.ts';
import { type NamedPolicy, policies } from '../tuner/policies/index.ts';
import { type SearchSpace, spaceOf } from '../tuner/space.ts';
import { type TrialRecord, type TuneRequest, tune } from '../tuner/tune.ts';
import { type Config, lostDevice, type MeasureResult } from '../tuner/types.ts';

export const resultsDir = resolve(import.meta.dirname, 'results');

/** The value of a Result, or the end of the program with its reason. */
export function must<T>(result: Result<T>): T {
  if (result.ok) return result.value;
  console.error(`error ${result.error.code}: ${result.error.detail}`);
  process.exit(1);
}

export interface Session {
  readonly model: { readonly file: string; readonly sha256: string };
  readonly board: BoardModule['id'];
  readonly module: BoardModule;
  readonly kind: BoardModule['kind'];
  readonly toolchain: string;
  readonly graph: Graph;
  readonly tasks: readonly Task[];
  run(search: Search): Promise<void>;
  workbench(task: Task): Workbench;
  close(): Promise<void>;
}
export interface Search {
  /** By name, or one of the bench's own. */
  readonly policy: keyof typeof policies | NamedPolicy;
  /** All of the model's, where not given. */
  readonly tasks?: readonly Task[];
  readonly seed: number;
  readonly trials: number;
  /** The ones there are, where not given. */
  readonly templates?: readonly Template[];
  readonly scratchBytes?: TuneRequest['scratchBytes'];
  readonly progress?: NonNullable<TuneRequest['progress']>;
  /** Hears of each trial. */
  readonly record?: (trial: TrialRecord) => void;
  /** What kernels are compiled for, where it is not what the board says. */
  readonly target?: Target;
}

/** A task's layer in words. */
export const layerOf = ({ workload: { op, inputs, outputs } }: Task): string =>
  `${op} ${inputs.map((t) => t.shape.join('x')).join(' ')} -> ${outputs[0]?.shape.join('x')}`;

/** Starts a device of a board with its firmware. */
export type Opener = (board: BoardModule, firmware: BuiltFirmware) => Promise<Result<Device>>;
const emulated: Opener = (board, firmware) => {
  if (board.open === undefined) throw new Error(`${board.id} is not an emulated board`);
  return board.open({ firmware, bulk: 'shared' });
};

/** What a session is about: a model's file, or layers that are in none. */
export interface Subject {
  readonly model: Session['model'];
  readonly graph: Graph;
}
export function subjectOf(file: string): Subject {
  const bytes = readFileSync(file);
  const graph = runPasses(must(importModel(bytes, 'model')), { optional: 'all' });
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return { model: { file: file.split('/').at(-1) ?? file, sha256 }, graph };
}

/** Opens `devices` boards, emulated ones unless `open` says how; compiled objects are kept from one search to the next. */
export async function openSession(
  about: string | Subject,
  boardId: string,
  devices: number,
  open: Opener = emulated,
): Promise<Session> {
  const { model, graph } = typeof about === 'string' ? subjectOf(about) : about;
  const tasks = tasksOf(graph, { rounding: 'double' });
  const board = boardOf(boardId);
  if (board === undefined) throw new Error(`no board ${boardId}`);
  const dir = mkdtempSync(join(tmpdir(), 'microtune-bench-'));
  const cacheDir = join(dir, 'cache');
  mkdirSync(cacheDir);
  const firmware = must(await board.build({ dir, name: 'server', objects: [] }));
  const sources = Array.from({ length: devices }, (_, i) => ({
    name: `${boardId}-${i}`,
    open: () => open(board, firmware),
  }));
  // It waits while no device works: whoever waits for the numbers sees why.
  const pool = new DevicePool(board, sources, cacheDir, { log: (message) => console.error(message) });
  return {
    model,
    board: board.id,
    module: board,
    kind: board.kind,
    toolchain: must(await toolchainVersion(board.target)),
    graph,
    tasks,
    async run({ policy, tasks: chosen, seed, trials, templates: tried = templates, target, ...rest }) {
      const { scratchBytes, progress, record } = rest;
      const named = typeof policy === 'string' ? policies[policy] : policy;
      if (named === undefined) throw new Error(`no policy ${policy}`);
      let records = 0;
      const end = await tune({
        graph,
        tasks: chosen ?? tasks,
        board: target === undefined ? board : { ...board, target },
        pool,
        templates: { templates: tried, defaultSchedule },
        ...(scratchBytes !== undefined && { scratchBytes }),
        policy: named,
        policyName: typeof policy === 'string' ? policy : 'bench',
        seed,
        budget: { trials },
        cores: Math.max(devices, cpus().length),
        cacheDir,
        known: () => [],
        record: (trial) => {
          record?.(trial);
          return String(records++);
        },
        ...(progress !== undefined && { progress }),
        signal: new AbortController().signal,
        now: () => performance.now(),
      });
      if (end.reason === 'failed') must({ ok: false, error: end.error });
    },
    workbench: (task) => workbenchOf(task, { graph, board, pool, cacheDir }),
    async close() {
      await pool.closeAll();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** Makes and measures candidates of one task, whichever are asked for: no search around them, so that none is hopeless. */
export interface Workbench {
  readonly space: SearchSpace;
  readonly propose: (config: Config) => Proposed;
  /** The kernel's object is made by the board's compiler, unless another target is given. Throws where the device is lost. */
  readonly measure: (candidate: Candidate, target?: Target) => Promise<MeasureResult>;
}
export interface Room {
  readonly graph: Graph;
  readonly board: BoardModule;
  readonly pool: DevicePool;
  readonly cacheDir: string;
}

export function workbenchOf(task: Task, { graph, board, pool, cacheDir }: Room): Workbench {
  const space = spaceOf(task.workload, board.target.features, { templates, defaultSchedule });
  const bench = benchOf(task, graph);
  return {
    space,
    propose: candidateMaker(task, space, { board, scratchBytes: scratchRoom(board, bench) }),
    measure: async ({ kernel }, target = board.target) => {
      const built = await buildCandidate(kernel, target, cacheDir);
      if (!built.ok) return { ...built.error, status: 'failed', stage: 'compile', times: {} };
      const vector = vectorOf(built.value);
      const result = must(await pool.use((station) => station.measure({ kernel, built: built.value, bench, vector })));
      if (lostDevice(result)) throw new Error(`the device was lost: ${JSON.stringify(result)}`);
      return result;
    },
  };
}

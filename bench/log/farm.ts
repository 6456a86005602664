/**
 * A farm's log as it might be after some months: networks, boards, jobs, devices, failures, doubts. Schedules, workloads and sizes
 * are those of the records that ship; who measured them when, and with which luck, is made up from a seed. Must stay true: the same
 * seed and number give the same trials.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Workload, workloadKey } from '../../compiler/workload.ts';
import type { Layer, NewJob, Store, TuningRecord } from '../../db/index.ts';
import type { Schedule } from '../../kernels/template.ts';
import { Random } from '../../test/unit/random.ts';
import type { Config, Sizes } from '../../tuner/types.ts';

const recordsDir = join(import.meta.dirname, '../../records');
/** Devices of a board. */
const devices = 4;
/** Milliseconds between two trials. */
const pace = 80;

interface Environment {
  readonly board: string;
  readonly kind: TuningRecord['kind'];
  readonly toolchain: string;
  readonly flags: string;
}
/** A schedule of a task that once was measured. */
interface Sample {
  readonly for: readonly string[];
  readonly task: string;
  readonly cycles: number;
  readonly sizes: Sizes;
  readonly template: string;
  readonly version: number;
  readonly knobs?: Readonly<Record<string, string | number>>;
  readonly workload: Workload;
  readonly schedule: Schedule;
}
interface Board {
  readonly environment: Environment;
  readonly byTask: ReadonlyMap<string, readonly Sample[]>;
}

/** What there is to be measured: boards with samples, networks with the tasks that all boards know. */
export interface Farm {
  readonly boards: readonly Board[];
  readonly networks: ReadonlyMap<string, readonly string[]>;
}

export function farmOfRecords(): Farm {
  const files = readdirSync(recordsDir).filter((f) => f.endsWith('.jsonl'));
  const boards = files.toSorted().map((file): Board => {
    const [environment, ...samples] = readFileSync(join(recordsDir, file), 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown) as [Environment, ...Sample[]];
    return { environment, byTask: Map.groupBy(samples, (s) => s.task) };
  });
  const networks = new Map<string, Set<string>>();
  for (const sample of boards.flatMap((b) => [...b.byTask.values()].flat()))
    for (const name of sample.for) networks.set(name, (networks.get(name) ?? new Set()).add(sample.task));
  // What only one small layer is known of is no network.
  const whole = [...networks].filter(([, tasks]) => tasks.size >= 5);
  return { boards, networks: new Map(whole.map(([name, tasks]) => [name, [...tasks].toSorted()])) };
}

/** Models and their layers, as uploads would leave them. */
export function putNetworks(store: Store, farm: Farm): void {
  const workloads = new Map(farm.boards.flatMap((b) => [...b.byTask].map(([task, [s]]) => [task, s!.workload])));
  for (const [name, tasks] of farm.networks) {
    store.putModel({ id: name, name: `${name}.tflite`, bytes: new Uint8Array(1) });
    const layers = tasks.flatMap((task, position): Layer[] => {
      const workload = workloads.get(task);
      return workload === undefined
        ? []
        : [{ position, name: `layer ${position}`, task, workload: workloadKey(workload), macs: 1000 * position }];
    });
    store.putLayers(name, layers);
  }
}

/** `count` trials in the order of their making, by jobs of `each` trials, of which the store is told first. */
export function* trialsOf(
  store: Store,
  farm: Farm,
  count: number,
  each: number,
  seed: number,
): Generator<TuningRecord> {
  const r = new Random(seed);
  const names = [...farm.networks.keys()];
  for (let made = 0; made < count; ) {
    const board = farm.boards[r.int(0, farm.boards.length - 1)]!;
    const network = r.pick(names);
    const tasks = (farm.networks.get(network) ?? []).filter((t) => board.byTask.has(t));
    const job = endedJob(store, board.environment, network, each);
    for (let i = 0; tasks.length > 0 && i < each && made < count; i++, made++) {
      const samples = board.byTask.get(tasks[i % tasks.length]!) ?? [];
      yield trialOf(
        r,
        made,
        job,
        board.environment,
        i < tasks.length ? (defaultOf(samples) ?? r.pick(samples)) : r.pick(samples),
      );
    }
  }
}

const defaultOf = (samples: readonly Sample[]): Sample | undefined => samples.find((s) => s.template === 'default');

function endedJob(store: Store, { board, kind }: Environment, model: string, trials: number): string {
  const job: NewJob = { model, board, kind, policy: 'guided', seed: 1, trials, timeMs: null };
  const { id } = store.addJob(job);
  store.updateJob(id, { state: 'done', startedAt: timeOf(0), endedAt: timeOf(0) });
  return id;
}

const timeOf = (n: number): string => new Date(Date.UTC(2026, 0, 1) + n * pace).toISOString();
const idOf = (n: number): string => `t-bench-${String(n + 1).padStart(9, '0')}`;

function trialOf(r: Random, n: number, job: string, environment: Environment, sample: Sample): TuningRecord {
  const { template, version, knobs, schedule } = sample;
  const config = (
    knobs === undefined
      ? { template, version, schedule }
      : { template, version, knobs: { ...knobs, unroll: 2 ** r.int(0, 4) } }
  ) as Config;
  return {
    id: idOf(n),
    at: timeOf(n),
    job,
    task: sample.task,
    workload: workloadKey(sample.workload),
    ...environment,
    firmware: '5f0c',
    device: `${environment.board}-${r.int(0, devices - 1)}`,
    policy: r.int(0, 4) === 0 ? 'random' : 'guided',
    template,
    config,
    schedule,
    ...outcomeOf(r, n, sample),
    binary: r.int(0, 0xffffffff).toString(16).padStart(32, '0'),
    reusedFrom: n > 0 && r.int(0, 30) === 0 ? idOf(r.int(Math.max(0, n - 500), n - 1)) : null,
    times: {
      propose: 0.4,
      lower: 3.1,
      emit: 1.2,
      compile: r.int(60, 200),
      link: r.int(10, 30),
      load: r.int(5, 40),
      run: r.int(3, 90),
    },
    bytes: { code: sample.sizes.codeBytes, constants: sample.sizes.constBytes, rest: 120 },
    doubt: null,
  };
}

type Outcome = Pick<TuningRecord, 'status' | 'stage' | 'code' | 'detail' | 'cycles' | 'repeats' | 'sizes'>;
function outcomeOf(r: Random, n: number, { cycles, sizes }: Sample): Outcome {
  if (r.int(0, 15) > 0) {
    const counted = Math.round(cycles * (1 + r.int(0, 4000) / 1000) + (n % 97));
    return {
      status: 'ok',
      stage: null,
      code: null,
      detail: null,
      cycles: counted,
      repeats: [counted, counted + 2],
      sizes,
    };
  }
  const [stage, code] = r.pick([
    ['lower', 'SCHEDULE_ILLEGAL'],
    ['compile', 'COMPILE_TIMEOUT'],
    ['link', 'CODE_TOO_LARGE'],
    ['run', 'DEADLINE'],
    ['run', 'FAULT'],
    ['load', 'LINK'],
  ] as const);
  return {
    status: 'failed',
    stage,
    code,
    detail: 'what happened, in a sentence of some length',
    cycles: null,
    repeats: null,
    sizes: null,
  };
}

/**
 * GCC and Clang next to each other: what each layer of a network costs when its kernel is made by either, verified as any trial.
 * Rows: `best` and `default` schedules, all `records` that ship for a layer, of which the fastest counts, for each compiler its own,
 * and what a `search` with each finds. Writes bench/results/compilers.json and prints its table.
 * `node bench/compilers.ts [--boards B,…] [--networks N,…] [--schedules R,…] [--trials N] [--models DIR]`; --text only prints.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type BoardModule, compiledBy, type Target } from '../boards/index.ts';
import { laysOut, type Selected, selectLaidOut } from '../compiler/select.ts';
import type { Task } from '../compiler/tasks.ts';
import { type Knob, type Schedule, type Template, templates } from '../kernels/index.ts';
import { offersFor, toolchainOf } from '../server/offers.ts';
import { shippedFor, shippedRecords } from '../server/shipped/records.ts';
import { modelsDir, networkNames } from '../test/models.ts';
import { toolchainVersion } from '../toolchain/index.ts';
import type { TrialRecord } from '../tuner/tune.ts';
import type { Config, MeasureResult } from '../tuner/types.ts';
import { table, thousands } from './markdown.ts';
import { layerOf, must, openSession, resultsDir, type Search, type Session } from './session.ts';

const { values } = parseArgs({
  options: {
    boards: { type: 'string', default: 'nucleo-l4r5zi,nucleo-g0b1re,riscv32-virt' },
    networks: { type: 'string', default: networkNames.join(',') },
    models: { type: 'string' },
    schedules: { type: 'string', default: 'best,default,records' },
    trials: { type: 'string', default: '32' },
    text: { type: 'boolean', default: false },
  },
});
const trials = Number(values.trials);

interface Layer {
  readonly layer: string;
  /** Layers of the network that are this one. */
  readonly times: number;
  /** Among which each compiler has its fastest. */
  readonly schedules: number;
  readonly gcc: number;
  /** Or why there is none. */
  readonly clang: number | string;
}
interface Network {
  readonly board: string;
  readonly network: string;
  readonly schedules: keyof typeof rows;
  readonly layers: readonly Layer[];
}
interface Results {
  /** First lines of versions, by board. */
  readonly toolchains: Readonly<Record<string, { readonly gcc: string; readonly clang: string }>>;
  readonly networks: readonly Network[];
}

const clangFor = (board: BoardModule): Target => compiledBy(board, 'clang').target;

/** Configs of a task of which the fastest counts, for each compiler its own, and how many layers of the network they are for. */
interface Chosen {
  readonly task: Task;
  readonly configs: readonly Config[];
  readonly times: number;
}
const plain = ({ tasks, workbench }: Session): readonly Chosen[] =>
  tasks.map((task) => ({ task, configs: [workbench(task).space.fallback], times: task.occurrences.length }));
const literal = (schedule: Schedule): Config => ({ template: 'literal', version: 1, schedule });

/** All records that ship with bytes in order: a search with GCC came to them. None where the network's layers are not its own. */
function records({ tasks, module }: Session): readonly Chosen[] {
  const known = shippedFor(module)?.records ?? [];
  return tasks.map((task) => {
    const own = known.filter((r) => r.task === task.id && !laysOut(r.schedule));
    return { task, configs: own.map((r) => literal(r.schedule)), times: task.occurrences.length };
  });
}

/** What `compile` chooses from the records that ship. */
function best({ graph, tasks, module }: Session): readonly Chosen[] {
  const file = shippedFor(module);
  if (file === undefined) throw new Error(`no records ship for ${module.id}`);
  const toolchain = toolchainOf(module, file.on.toolchain);
  const known = offersFor(tasks, module, shippedRecords(tasks, module, toolchain), toolchain);
  const chosen = selectLaidOut(graph, tasks, (task) => (known.get(task.id) ?? []).map((k) => k.offer));
  const of = (task: Task): readonly Selected[] =>
    chosen.filter((s) => task.occurrences.some((o) => o.node === s.choice.node));
  return tasks.flatMap((task) =>
    [...Map.groupBy(of(task), ({ offer }) => JSON.stringify(offer.schedule)).values()].flatMap((same) =>
      same.slice(0, 1).map(({ offer: { schedule } }) => ({
        task,
        configs: [literal(schedule)],
        times: same.length,
      })),
    ),
  );
}

/** Cycles, or why there are none. */
type Outcome = number | string;
const outcomeOf = (r: MeasureResult): Outcome => (r.status === 'ok' ? r.cycles : `${r.code}: ${r.detail}`);
const fewest = (all: readonly Outcome[]): Outcome => {
  const counted = all.filter((o) => typeof o === 'number');
  return counted.length > 0 ? Math.min(...counted) : (all[0] ?? 'no schedule');
};

async function layerResult({ workbench, module }: Session, { task, configs, times }: Chosen): Promise<Layer> {
  const { propose, measure } = workbench(task);
  const outcomes: { readonly gcc: Outcome; readonly clang: Outcome }[] = [];
  for (const config of configs) {
    const made = propose(config);
    if (!made.ok) throw new Error(`${layerOf(task)}: ${made.code} ${made.detail}`);
    const gcc = outcomeOf(await measure(made.candidate));
    outcomes.push({ gcc, clang: outcomeOf(await measure(made.candidate, clangFor(module))) });
  }
  const [gcc, clang] = [fewest(outcomes.map((o) => o.gcc)), fewest(outcomes.map((o) => o.clang))];
  return layerOfBoth(task, times, configs.length, gcc, clang);
}

function layerOfBoth(task: Task, times: number, schedules: number, gcc: Outcome, clang: Outcome): Layer {
  if (typeof gcc === 'string') throw new Error(`${layerOf(task)}: ${gcc}`);
  return { layer: layerOf(task), times, schedules, gcc, clang };
}

/** Schedules without flags that only GCC knows: to Clang they are the same ones again. */
const templatesForClang = templates.map((t): Template => {
  const known = (k: Knob): Knob =>
    k.name === 'flags' ? { ...k, values: k.values.filter((v) => /^-O\w$/.test(String(v))) } : k;
  return { ...t, knobs: (workload, features) => t.knobs(workload, features)?.map(known) };
});

/** Cycles of the fastest of `trials` a task, found from nothing, by id of the task. Each may take what RAM it likes: not a network. */
async function searched(session: Session, search: Pick<Search, 'target' | 'templates'>): Promise<Map<string, Outcome>> {
  const found = new Map<string, Outcome>();
  const record = ({ task, result }: TrialRecord): void => {
    found.set(task.id, fewest([found.get(task.id) ?? 'no schedule', outcomeOf(result)]));
  };
  await session.run({ policy: 'guided', seed: 1, trials: trials * session.tasks.length, record, ...search });
  return found;
}
async function searchedBoth(session: Session): Promise<readonly Layer[]> {
  const gcc = await searched(session, {});
  const clang = await searched(session, { target: clangFor(session.module), templates: templatesForClang });
  return session.tasks.map((task) =>
    layerOfBoth(task, task.occurrences.length, trials, gcc.get(task.id) ?? '', clang.get(task.id) ?? ''),
  );
}

async function measured(session: Session, all: readonly Chosen[]): Promise<readonly Layer[]> {
  const layers: Layer[] = [];
  if (all.some(({ configs }) => configs.length === 0)) return [];
  for (const chosen of all) layers.push(await layerResult(session, chosen));
  return layers;
}

/** Kinds of rows. */
const rows = {
  best: (s: Session) => measured(s, best(s)),
  default: (s: Session) => measured(s, plain(s)),
  records: (s: Session) => measured(s, records(s)),
  search: searchedBoth,
} as const;
const wanted = (['best', 'default', 'records', 'search'] as const).filter((r) =>
  values.schedules.split(',').includes(r),
);

const read = (): Results =>
  existsSync(kept) ? (JSON.parse(readFileSync(kept, 'utf8')) as Results) : { toolchains: {}, networks: [] };
const kept = join(resultsDir, 'compilers.json');
const names: readonly string[] = networkNames;

/** Puts results among those that are kept, in an order that does not depend on what was measured when. */
function keep(session: Session, clang: string, fresh: readonly Network[]): void {
  const old = read();
  const key = (n: Network): string => `${n.board} ${names.indexOf(n.network)} ${n.schedules}`;
  const all = new Map([...old.networks, ...fresh].map((n) => [key(n), n]));
  const networks = [...all].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, n]) => n);
  const known = { ...old.toolchains, [session.board]: { gcc: session.toolchain, clang } };
  const toolchains = Object.fromEntries(Object.entries(known).sort(([a], [b]) => (a < b ? -1 : 1)));
  writeFileSync(kept, `${JSON.stringify({ toolchains, networks }, null, 2)}\n`);
}

async function measureNetwork(board: string, network: string): Promise<void> {
  const session = await openSession(join(modelsDir, `${network}_int8.tflite`), board, 1);
  try {
    const clang = must(await toolchainVersion(clangFor(session.module)));
    for (const schedules of wanted) {
      const layers = await rows[schedules](session);
      for (const l of layers)
        console.error(`${board} ${network} ${schedules} ${l.layer} x${l.times}: ${l.gcc} ${l.clang}`);
      if (layers.length === 0) continue;
      keep(session, clang, [{ board, network, schedules, layers }]);
    }
  } finally {
    await session.close();
  }
}

type Counted = Pick<Layer, 'times' | 'gcc' | 'clang'>;
/** A layer that Clang cannot make stays GCC's. */
const byClang = ({ gcc, clang }: Counted): number => (typeof clang === 'number' ? clang : gcc);
const total = (layers: readonly Counted[], of: (l: Counted) => number): number =>
  layers.reduce((n, l) => n + l.times * of(l), 0);
/** In percent; negative where fewer cycles are needed. */
const change = (from: number, to: number): string =>
  `${to > from ? '+' : ''}${((100 * (to - from)) / from).toFixed(1)} %`;

function print({ networks, toolchains }: Results): void {
  for (const [board, { gcc, clang }] of Object.entries(toolchains)) console.log(`${board}: ${gcc}; ${clang}`);
  const lines = networks.map(({ board, network, schedules, layers }) => {
    const [gcc, clang] = [total(layers, (l) => l.gcc), total(layers, byClang)];
    const either = total(layers, (l) => Math.min(l.gcc, byClang(l)));
    const refused = layers.filter((l) => typeof l.clang === 'string').length;
    const cells = [gcc, clang].map(thousands);
    return [board, network, schedules, ...cells, change(gcc, clang), change(gcc, either), refused];
  });
  const head = ['board', 'network', 'schedules', 'GCC', 'Clang', 'all by Clang', 'each by the faster', 'not by Clang'];
  console.log(`\n${table(head, lines)}`);
}

if (!values.text)
  for (const board of values.boards.split(','))
    for (const network of values.networks.split(',')) await measureNetwork(board, network);
print(read());

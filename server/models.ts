/**
 * Uploaded models, ready for use: imported, passes run, tasks found. Kept for the last few, as the list of jobs and every
 * progress line need them. A model in the store has been imported before, so failing here is a bug.
 */
import { createHash } from 'node:crypto';
import type { Board } from '../boards/index.ts';
import { type Graph, tensorBytes, tensorOf } from '../compiler/graph/graph.ts';
import { importModel } from '../compiler/import/index.ts';
import { runPasses } from '../compiler/passes/index.ts';
import { failed, ok, type Result } from '../compiler/result.ts';
import { type Task, tasksOf } from '../compiler/tasks.ts';
import type { Layer } from '../db/log-types.ts';
import type { ModelRow, Store } from '../db/types.ts';
import { limitText, type Memories } from './memories.ts';
import type { ModelBody } from './schemas/index.ts';

export interface Prepared {
  readonly name: string;
  /** As the file says it: what outputs are compared with. */
  readonly model: Graph;
  /** After all passes: what is compiled. */
  readonly graph: Graph;
  readonly tasks: readonly Task[];
}

/** Bytes -> everything that tuning and compiling begin with; `optional` passes or none. Failures: those of importing. */
export function prepare(bytes: Uint8Array, name: string, optional: 'all' | 'none' = 'all'): Result<Prepared> {
  const model = importModel(bytes, name);
  if (!model.ok) return model;
  const graph = runPasses(model.value, { optional });
  return ok({ name, model: model.value, graph, tasks: tasksOf(graph, { rounding: 'double' }) });
}

/** Prepared models that are kept. */
const kept = 16;

export class Models {
  private readonly store: Store;
  private readonly recent = new Map<string, Prepared>();
  private readonly names = new Map<string, string>();
  private readonly met: (id: string, layers: readonly Layer[]) => void;

  /** `met` hears of the layers of stored models that are prepared, each time: what a program compiles them to may have changed. */
  constructor(store: Store, met: (id: string, layers: readonly Layer[]) => void = () => undefined) {
    this.store = store;
    this.met = met;
  }

  /** Checks and stores an upload. Failures: those of importing. The same bytes again are the same model. */
  add(bytes: Uint8Array, name: string): Result<ModelBody> {
    const prepared = prepare(bytes, name);
    if (!prepared.ok) return prepared;
    const id = createHash('sha256').update(bytes).digest('hex').slice(0, 16);
    const row = this.store.putModel({ id, name, bytes });
    this.store.putLayers(id, layersOf(prepared.value));
    // The same bytes may be there under another name, which then stays.
    if (row.name === name) this.keep(id, prepared.value);
    return ok(describe(row, prepared.value));
  }

  describe(id: string): ModelBody | undefined {
    const row = this.store.model(id);
    return row === undefined ? undefined : describe(row, this.prepared(id));
  }

  /** A model's name; cheap, for lists of jobs. Throws for an id that is not in the store. */
  nameOf(id: string): string {
    const name = this.names.get(id) ?? this.store.model(id)?.name;
    if (name === undefined) throw new Error(`model ${id} is not in the store`);
    this.names.set(id, name);
    return name;
  }

  /** Throws for an id that is not in the store. */
  prepared(id: string): Prepared {
    const known = this.recent.get(id);
    if (known !== undefined) return known;
    const row = this.store.model(id);
    if (row === undefined) throw new Error(`model ${id} is not in the store`);
    const made = prepare(row.bytes, row.name);
    if (!made.ok) throw new Error(`model ${id} was stored, but: ${made.error.detail}`);
    this.keep(id, made.value);
    this.met(id, layersOf(made.value));
    return made.value;
  }

  private keep(id: string, prepared: Prepared): void {
    const [oldest] = this.recent.keys();
    if (this.recent.size >= kept && oldest !== undefined) this.recent.delete(oldest);
    this.recent.set(id, prepared);
  }
}

/** The layers that have a task, as the log knows them. */
const layersOf = ({ graph, tasks }: Prepared): readonly Layer[] =>
  tasks.flatMap((t) =>
    t.occurrences.map(({ node }) => ({
      position: node,
      name: graph.nodes[node]?.source.name ?? '',
      task: t.id,
      workload: t.key,
      macs: t.macs,
    })),
  );

function describe(row: ModelRow, p: Prepared): ModelBody {
  const tensors = (ids: readonly number[]): ModelBody['inputs'] =>
    ids.map((id) => {
      const t = tensorOf(p.model, id);
      return { name: t.name, dtype: t.dtype, shape: [...t.shape] };
    });
  const operators: Record<string, number> = {};
  for (const node of p.model.nodes) operators[node.op] = (operators[node.op] ?? 0) + 1;
  const order = p.tasks.flatMap((t) => t.occurrences.map((o) => o.node)).sort((a, b) => a - b);
  const shapes = (types: readonly { readonly shape: readonly number[] }[]): number[][] =>
    types.map((t) => [...t.shape]);
  return {
    id: row.id,
    name: row.name,
    bytes: row.bytes.length,
    at: row.at,
    inputs: tensors(p.model.inputs),
    outputs: tensors(p.model.outputs),
    macs: p.tasks.reduce((n, t) => n + t.macs * t.occurrences.length, 0),
    weightBytes: p.graph.tensors.reduce((n, t) => n + (t.data === undefined ? 0 : tensorBytes(t)), 0),
    operators,
    tasks: p.tasks.map((t) => ({
      id: t.id,
      op: t.workload.op,
      inputs: shapes(t.workload.inputs),
      outputs: shapes(t.workload.outputs),
      macs: t.macs,
      occurrences: t.occurrences.length,
      layers: t.occurrences.map((o) => order.indexOf(o.node)),
    })),
  };
}

/**
 * Refuses what no schedule can make fit: constants beyond the flash, or a layer whose inputs or outputs exceed the RAM; those two
 * may lie over each other. What a schedule adds (packing, scratch) is known only when it is built.
 */
export function checkFits({ graph }: Prepared, board: Board, budgets: Memories): Result<void> {
  const has = (memory: keyof Memories): string => limitText(memory, budgets, board);
  const bytesOf = (ids: readonly number[], what: 'constant' | 'computed'): number =>
    [...new Set(ids)].reduce((n, id) => {
      const t = graph.tensors[id];
      return t === undefined || (t.data !== undefined) !== (what === 'constant') ? n : n + tensorBytes(t);
    }, 0);
  const rows = graph.nodes.map((node) => ({
    name: `${node.op} ${node.source.index}`,
    constants: bytesOf(node.inputs, 'constant'),
    operands: Math.max(bytesOf(node.inputs, 'computed'), bytesOf(node.outputs, 'computed')),
  }));
  const largest = (of: 'constants' | 'operands'): string =>
    [...rows]
      .sort((a, b) => b[of] - a[of])
      .slice(0, 8)
      .map((r) => `${r.name} ${r[of]}`)
      .join(', ');
  const constants = bytesOf(
    graph.nodes.flatMap((node) => node.inputs),
    'constant',
  );
  if (constants > budgets.flashBytes)
    return failed(
      'select',
      'MODEL_TOO_BIG',
      `constants alone are ${constants} bytes, ${has('flashBytes')} of flash; by layer: ${largest('constants')}`,
    );
  const widest = Math.max(0, ...rows.map((r) => r.operands));
  if (widest > budgets.ramBytes)
    return failed(
      'select',
      'MODEL_TOO_BIG',
      `one layer's inputs or outputs are ${widest} bytes, ${has('ramBytes')} of RAM; by layer: ${largest('operands')}`,
    );
  return ok(undefined);
}

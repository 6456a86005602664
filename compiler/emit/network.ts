/**
 * A network as the emitter sees it: kernels in order, each with its program, and where every tensor lies in the arena.
 */
import { type Graph, tensorBytes } from '../graph/graph.ts';
import { operatorOf, viewOps } from '../ops/index.ts';
import { type ArenaPlan, type Block, drawArena, planArena } from '../plan/arena.ts';
import type { Program } from '../program/index.ts';
import { type KernelC, printC } from '../program/print-c.ts';
import type { Workload } from '../workload.ts';

/** What to run for one node. */
export interface Choice {
  readonly node: number;
  readonly workload: Workload;
  readonly program: Program;
  /** The schedule in words, for comments and reports. */
  readonly words: string;
  /** Measured for the task, with the kind of count; undefined where nothing was measured. */
  readonly cycles?: { readonly count: number; readonly kind: string };
}

export interface Layer {
  readonly choice: Choice;
  readonly name: string;
  readonly macs: number;
  readonly kernel: KernelC;
  /** Tensor ids of the kernel's runtime operands, in the order of its in and out parameters. */
  readonly tensors: readonly number[];
}
export interface Network {
  readonly graph: Graph;
  readonly name: string;
  readonly layers: readonly Layer[];
  readonly plan: ArenaPlan;
  readonly blocks: readonly Block[];
  /** Arena offset of a tensor that is not constant. */
  offsetOf(tensor: number): number;
  /** Arena offset of a layer's scratch. */
  scratchOf(layer: number): number;
}

/** A C identifier from any name. */
export const identifier = (name: string): string => {
  const clean = name
    .replace(/[^A-Za-z0-9_]+/g, '_')
    .replace(/^_+|_+$/g, '')
    .toLowerCase();
  return /^[a-z_]/.test(clean) ? clean : `m_${clean}`;
};

/** Prints all kernels and plans the arena. Choices must cover every node that is no view. */
export function networkOf(graph: Graph, name: string, choices: readonly Choice[]): Network {
  const layers = choices.map((choice, i): Layer => {
    const node = graph.nodes[choice.node];
    if (node === undefined) throw new Error(`no node ${choice.node}`);
    const symbol = `${name}_${String(i).padStart(2, '0')}_${identifier(node.op)}`;
    const notes = [
      `layer ${node.source.index}: ${node.source.name}`,
      `schedule: ${choice.words}`,
      ...(choice.cycles === undefined ? [] : [`measured: ${choice.cycles.count} ${choice.cycles.kind}`]),
    ];
    const runtime = node.inputs.filter((id) => id >= 0 && graph.tensors[id]?.data === undefined);
    return {
      choice,
      name: symbol,
      macs: operatorOf(node.op).macs(choice.workload),
      kernel: printC(choice.program, symbol, { runtime: 'include', notes }),
      tensors: [...runtime, ...node.outputs],
    };
  });
  const root = aliases(graph);
  const blocks = lifetimes(graph, layers, root);
  const plan = planArena(blocks);
  const at = (id: string): number => plan.offsets.get(id) ?? 0;
  return { graph, name, layers, plan, blocks, offsetOf: (t) => at(`t${root(t)}`), scratchOf: (l) => at(`s${l}`) };
}

/** Which tensor's memory a tensor lives in: views share their input's. */
function aliases(graph: Graph): (t: number) => number {
  const of = new Map<number, number>();
  for (const node of graph.nodes) {
    const [from, to] = [node.inputs[0], node.outputs[0]];
    if (viewOps.has(node.op) && from !== undefined && to !== undefined && graph.tensors[from]?.data === undefined)
      of.set(to, of.get(from) ?? from);
  }
  return (t) => of.get(t) ?? t;
}

/** Step 0 is the input's arrival, layer i runs at step i + 1, the last step reads the outputs. Inputs keep their memory until used. */
function lifetimes(graph: Graph, layers: readonly Layer[], root: (t: number) => number): readonly Block[] {
  const first = new Map<number, number>();
  const last = new Map<number, number>();
  const touch = (tensor: number, step: number): void => {
    const t = root(tensor);
    first.set(t, Math.min(first.get(t) ?? step, step));
    last.set(t, Math.max(last.get(t) ?? step, step));
  };
  for (const t of graph.inputs) touch(t, 0);
  layers.forEach((layer, i) => {
    for (const t of layer.tensors) touch(t, i + 1);
  });
  for (const t of graph.outputs) touch(t, layers.length + 1);
  const tensors = [...first].map(
    ([t, from]): Block => ({
      id: `t${t}`,
      bytes: tensorBytes(graph.tensors[t] as Graph['tensors'][number]),
      first: from,
      last: last.get(t) ?? from,
    }),
  );
  const scratch = layers.flatMap((layer, i): Block[] =>
    layer.kernel.scratchBytes > 0 ? [{ id: `s${i}`, bytes: layer.kernel.scratchBytes, first: i + 1, last: i + 1 }] : [],
  );
  return [...tensors, ...scratch];
}

/** The arena as a picture, with the layers' names. */
export const drawNetworkArena = (n: Network): string => drawArena(n.blocks, n.plan);

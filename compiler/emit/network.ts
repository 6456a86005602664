/**
 * A network as the emitter sees it: kernels in order, each with its program, and where every tensor lies in the arena.
 */
import { type Graph, type TensorId, tensorBytes, tensorOf } from '../graph/graph.ts';
import { operatorOf, viewOps } from '../ops/index.ts';
import { type ArenaPlan, type Block, bytesAt, drawArena, type Overlap, planArena } from '../plan/arena.ts';
import { runsInPlace } from '../plan/in-place.ts';
import { leastDistance } from '../plan/overlap.ts';
import { runtimeTensors } from '../plan/tensor-layouts.ts';
import type { Program } from '../program/index.ts';
import { type KernelC, printC } from '../program/print-c.ts';
import { type Held, heldBytes, layoutKey } from '../program/tensor-layout.ts';
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
  readonly tensors: readonly TensorId[];
}
export interface Network {
  readonly graph: Graph;
  readonly name: string;
  readonly layers: readonly Layer[];
  readonly plan: ArenaPlan;
  readonly blocks: readonly Block[];
  /** Arena offset of a tensor that is not constant, or that is an output. */
  offsetOf(tensor: TensorId): number;
  /** Arena offset of a layer's scratch. */
  scratchOf(layer: number): number;
}

/** Names that clash: with files of every library, with what a board's server defines, with headers of C, with CMake's targets. */
const reserved: ReadonlySet<string> = new Set(
  [
    'weights example_main microtune_network mt_kernel network board',
    'assert complex ctype errno fenv float inttypes iso646 limits locale math setjmp signal stdalign stdarg stdatomic',
    'stdbool stddef stdint stdio stdlib stdnoreturn string strings tgmath threads time uchar unistd wchar wctype',
    'alloca endian features newlib',
    'all clean edit_cache help install package rebuild_cache test',
  ].flatMap((line) => line.split(' ')),
);
/** Bytes; file names are made from it, and systems take 255 of them. */
const longestName = 60;

/** A C identifier from any name. */
export const identifier = (name: string): string => {
  const clean = name
    .replace(/[^A-Za-z0-9_]+/g, '_')
    .replace(/^_+/, '')
    .slice(0, longestName)
    .replace(/_+$/, '')
    .toLowerCase();
  return /^[a-z]/.test(clean) && !reserved.has(clean) ? clean : `m_${clean}`;
};

/**
 * A name that a model gave, as text for a comment or a table. On one line, so that no backslash joins lines, and without what
 * begins or ends a comment.
 */
export const shownName = (name: string): string =>
  name
    .replace(/[\p{C}\p{Z}]+/gu, ' ')
    .replaceAll('*/', '* /')
    .replaceAll('/*', '/ *');

/** What was worked out of choices, so that those which are tried in many networks of a graph are printed and compared once. */
export interface Worked {
  readonly layers: WeakMap<Choice, Layer>;
  /** By operands: how far apart they must lie. */
  readonly distances: WeakMap<Program, Map<string, number>>;
}
export const nothingWorked = (): Worked => ({ layers: new WeakMap(), distances: new WeakMap() });

/** Prints all kernels and plans the arena. Choices must cover every node that is no view. */
export function networkOf(
  graph: Graph,
  name: string,
  choices: readonly Choice[],
  worked: Worked = nothingWorked(),
): Network {
  const layers = layersOf(graph, name, choices, worked);
  const home = sharing(graph, layers);
  const blocks = blocksOf(graph, layers, home);
  const plan = planArena(blocks, overlapsOf(graph, layers, home, worked));
  const at = (id: string): number => plan.offsets.get(id) ?? 0;
  return { graph, name, layers, plan, blocks, offsetOf: (t) => at(blockOf(home(t))), scratchOf: (l) => at(`s${l}`) };
}

/** What a layer's kernel needs with its choice; other layers' choices make no difference to it. */
export interface LayerNeeds {
  readonly kernel: KernelC;
  /** Of the arena while it runs: all tensors that live then, and its scratch. No plan can be smaller. */
  readonly arenaBytes: number;
}
/** The needs of each layer, without a plan. */
export function needsOf(
  graph: Graph,
  name: string,
  choices: readonly Choice[],
  worked: Worked = nothingWorked(),
): readonly LayerNeeds[] {
  const layers = layersOf(graph, name, choices, worked);
  const home = sharing(graph, layers);
  const [blocks, overlaps] = [blocksOf(graph, layers, home), overlapsOf(graph, layers, home, worked)];
  return layers.map(({ kernel }, i) => ({ kernel, arenaBytes: bytesAt(blocks, i + 1, overlaps) }));
}

function layersOf(graph: Graph, name: string, choices: readonly Choice[], worked: Worked): readonly Layer[] {
  return choices.map((choice, i): Layer => {
    const node = graph.nodes[choice.node];
    if (node === undefined) throw new Error(`no node ${choice.node}`);
    const symbol = `${name}_${String(i).padStart(2, '0')}_${identifier(node.op)}`;
    const known = worked.layers.get(choice);
    if (known?.name === symbol) return known;
    const notes = [
      `layer ${node.source.index}: ${node.source.name}`,
      `schedule: ${choice.words}`,
      ...(choice.cycles === undefined ? [] : [`measured: ${choice.cycles.count} ${choice.cycles.kind}`]),
    ];
    const layer: Layer = {
      choice,
      name: symbol,
      macs: operatorOf(node.op).macs(choice.workload),
      kernel: printC(choice.program, symbol, { runtime: 'include', notes }),
      tensors: runtimeTensors(graph, choice.node),
    };
    worked.layers.set(choice, layer);
    return layer;
  });
}

/** The tensor in whose memory a tensor lies. */
type Home = (t: TensorId) => TensorId;

/** Views lie where their input lies; so does a result that its kernel may write over an input which nobody reads later. */
function sharing(graph: Graph, layers: readonly Layer[]): Home {
  const moved = new Map<TensorId, TensorId>();
  const sizeOf = sizesOf(graph, layers);
  const home: Home = (t) => {
    const to = moved.get(t);
    return to === undefined ? t : home(to);
  };
  for (const node of graph.nodes) {
    const [from = -1, to = -1] = [node.inputs[0], node.outputs[0]];
    if (viewOps.has(node.op) && graph.tensors[from]?.data === undefined) moved.set(to, from);
  }
  layers.forEach((layer, i) => {
    const y = layer.tensors.at(-1) ?? -1;
    const spans = lifetimes(graph, layers, home);
    const over = operatorOf(layer.choice.workload.op)
      .inPlace?.(layer.choice.workload)
      .map((k) => home(layer.tensors[k] ?? -1))
      .find((x) => spans.get(x)?.last === i + 1 && sizeOf(x) === sizeOf(y) && mayOverwrite(layer, x, home));
    if (over !== undefined) moved.set(home(y), over);
  });
  return home;
}

function mayOverwrite(layer: Layer, x: TensorId, home: Home): boolean {
  const { inputs, y } = buffersAt(layer, x, home);
  return runsInPlace(layer.choice.program, inputs, y);
}
/** Names of a kernel's inputs that lie at `x`, and of its output. */
function buffersAt(
  { choice: { program }, tensors }: Layer,
  x: TensorId,
  home: Home,
): { readonly inputs: ReadonlySet<string>; readonly y: string } {
  const runtime = program.buffers.filter((b) => b.space === 'in');
  const inputs = runtime.filter((_, i) => home(tensors[i] ?? -1) === x).map((b) => b.name);
  return { inputs: new Set(inputs), y: program.buffers.find((b) => b.space === 'out')?.name ?? '' };
}

/** Results that may lie partly over an input that nobody reads later. */
function overlapsOf(graph: Graph, layers: readonly Layer[], home: Home, worked: Worked): readonly Overlap[] {
  const spans = lifetimes(graph, layers, home);
  return layers.flatMap((layer, i): readonly Overlap[] => {
    const to = home(layer.tensors.at(-1) ?? -1);
    if (spans.get(to)?.first !== i + 1) return [];
    const dying = new Set(layer.tensors.map(home).filter((x) => x !== to && spans.get(x)?.last === i + 1));
    return [...dying].map((x) => {
      const { inputs, y } = buffersAt(layer, x, home);
      return { below: blockOf(to), above: blockOf(x), bytes: distanceOf(layer.choice.program, inputs, y, worked) };
    });
  });
}
function distanceOf(program: Program, inputs: ReadonlySet<string>, y: string, { distances }: Worked): number {
  const key = [...inputs, y].join(' ');
  const known = distances.get(program) ?? new Map<string, number>();
  const bytes = known.get(key) ?? leastDistance(program, inputs, y);
  distances.set(program, known.set(key, bytes));
  return bytes;
}

/** The block of a memory. */
const blockOf = (home: TensorId): string => `t${home}`;

/** Bytes of each tensor, as its layers lay it out. Throws where they do not agree. */
function sizesOf(graph: Graph, layers: readonly Layer[]): (t: TensorId) => number {
  const held = new Map<TensorId, Held>();
  for (const { kernel, tensors, name } of layers)
    for (const [k, t] of tensors.entries()) {
      const here = kernel.params[k]?.held;
      const [before, now] = [held.get(t) ?? here, here].map((h) => h && layoutKey(h));
      if (before !== now) throw new Error(`${name} takes tensor ${t} as ${now}, which lies as ${before}`);
      if (here !== undefined) held.set(t, here);
    }
  return (t) => heldBytes(held.get(t), tensorBytes(tensorOf(graph, t)));
}

interface Span {
  readonly first: number;
  readonly last: number;
}
/**
 * From when to when each memory is in use. Step 0 is the input's arrival, layer i runs at step i + 1, the last step reads
 * the outputs.
 */
function lifetimes(graph: Graph, layers: readonly Layer[], home: Home): ReadonlyMap<TensorId, Span> {
  const spans = new Map<TensorId, Span>();
  const touch = (tensor: TensorId, step: number): void => {
    const t = home(tensor);
    const known = spans.get(t) ?? { first: step, last: step };
    spans.set(t, { first: Math.min(known.first, step), last: Math.max(known.last, step) });
  };
  for (const t of graph.inputs) touch(t, 0);
  layers.forEach((layer, i) => {
    for (const t of layer.tensors) touch(t, i + 1);
  });
  for (const t of graph.outputs) touch(t, layers.length + 1);
  return spans;
}

function blocksOf(graph: Graph, layers: readonly Layer[], home: Home): readonly Block[] {
  // A block is called by the first kernel that fills it; inputs by their own names.
  const fillers = new Map(layers.toReversed().map((l) => [home(l.tensors.at(-1) ?? -1), l.name]));
  for (const t of graph.inputs) fillers.set(home(t), shownName(tensorOf(graph, t).name));
  const sizeOf = sizesOf(graph, layers);
  const tensors = [...lifetimes(graph, layers, home)].map(([t, span]): Block => {
    const label = fillers.get(t) ?? shownName(tensorOf(graph, t).name);
    return { id: blockOf(t), bytes: sizeOf(t), ...span, label };
  });
  const scratch = layers.flatMap((layer, i): Block[] => {
    const bytes = layer.kernel.scratchBytes;
    return bytes > 0 ? [{ id: `s${i}`, bytes, first: i + 1, last: i + 1, label: `scratch of ${layer.name}` }] : [];
  });
  return [...tensors, ...scratch];
}

/** The arena as a picture, with the layers' names. */
export const drawNetworkArena = (n: Network): string => drawArena(n.blocks, n.plan);

/**
 * Which schedule each layer gets, so that whoever leaves a tensor and all who take it mean the same layout, and the network as a whole
 * is fastest. What turns one layout into another is a part of some layer's schedule and of its cycles: there are no layers for it.
 * Must stay true: the answer is exact, no sum that agrees is smaller.
 */
import { type Graph, type TensorId, tensorOf } from '../graph/graph.ts';
import { viewOps } from '../ops/index.ts';
import { plainKey } from '../program/tensor-layout.ts';

/** One way to compute a layer. */
export interface Way {
  readonly cycles: number;
  /** How each of the layer's tensors lies: layoutKey. */
  readonly keys: readonly string[];
}
export interface LayerWays {
  /** Runtime inputs, then outputs. */
  readonly tensors: readonly TensorId[];
  readonly ways: readonly Way[];
}

/** Tensors that lie in order whatever layers say: those that a user sees, and those that have two names. */
export function plainTensors({ inputs, outputs, nodes }: Graph): ReadonlySet<TensorId> {
  const views = nodes.filter((n) => viewOps.has(n.op));
  return new Set([...inputs, ...outputs, ...views.flatMap((n) => [...n.inputs, ...n.outputs])]);
}
/** What a layer takes and leaves while it runs. */
export function runtimeTensors(graph: Graph, node: number): readonly TensorId[] {
  const { inputs, outputs } = graph.nodes[node] ?? { inputs: [], outputs: [] };
  return [...inputs.filter((id) => id >= 0 && tensorOf(graph, id).data === undefined), ...outputs];
}

/** What is decided after some layers: of tensors that later ones use. */
interface State {
  readonly open: ReadonlyMap<TensorId, string>;
  readonly cycles: number;
  readonly picks: readonly number[];
}

/** The way of each layer, in order; undefined where no ways agree. */
export function agreeing(layers: readonly LayerWays[], plain: ReadonlySet<TensorId>): readonly number[] | undefined {
  const lastUse = new Map(layers.flatMap(({ tensors }, i) => tensors.map((t): [TensorId, number] => [t, i])));
  let states: readonly State[] = [{ open: new Map(), cycles: 0, picks: [] }];
  for (const [i, { tensors, ways }] of layers.entries()) {
    const best = new Map<string, State>();
    for (const state of states)
      for (const [pick, way] of ways.entries()) {
        const open = opened(state.open, tensors, way.keys, plain);
        if (open === undefined) continue;
        const kept = new Map([...open].filter(([t]) => (lastUse.get(t) ?? 0) > i));
        const next = { open: kept, cycles: state.cycles + way.cycles, picks: [...state.picks, pick] };
        const name = JSON.stringify([...kept].sort(([a], [b]) => a - b));
        const known = best.get(name);
        if (known === undefined || next.cycles < known.cycles) best.set(name, next);
      }
    states = [...best.values()];
  }
  return states.reduce<State | undefined>((a, b) => (a === undefined || b.cycles < a.cycles ? b : a), undefined)?.picks;
}

/** With a layer's tensors; undefined where one of them lies otherwise. */
function opened(
  open: State['open'],
  tensors: readonly TensorId[],
  keys: readonly string[],
  plain: ReadonlySet<TensorId>,
): State['open'] | undefined {
  const all = new Map(open);
  for (const [k, t] of tensors.entries()) {
    const key = keys[k] ?? plainKey;
    if (key !== (plain.has(t) ? plainKey : (all.get(t) ?? key))) return undefined;
    all.set(t, key);
  }
  return all;
}

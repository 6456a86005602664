/**
 * What importers owe the rest of the compiler: a graph that passes here verifies, folds, lowers and becomes programs without a
 * surprise. Every node is asked what it makes and how it lowers; constant nodes are computed, within bounds, so that the
 * ones behind them are seen with the values that the fold-constants pass will give them.
 */
import { elements, type Graph, type Node, type Tensor, type TensorId } from '../graph/graph.ts';
import { verifyGraph } from '../graph/verify.ts';
import { operatorOf } from '../ops/index.ts';
import { OperatorError } from '../ops/operator.ts';
import { decode, encode, need, stored } from '../ops/values.ts';
import { failed, ok, type Result } from '../result.ts';

/** Steps that constants of one model may take to compute; a hostile file is small and asks for years. */
const mostFolding = 2 ** 20;

/** Networks for microcontrollers have hundreds; some passes take the square of it. */
const mostOperators = 4096;

/**
 * The graph, or a Failure (MODEL_INVALID, TYPE_UNSUPPORTED) that names the node. `places`: the byte where each node stands in
 * its file, if there is one.
 */
export function checkGraph(graph: Graph, places: readonly number[] = []): Result<Graph> {
  const { length } = graph.nodes;
  if (length > mostOperators)
    return failed('import', 'MODEL_INVALID', `the model has ${length} operators; up to ${mostOperators} are supported`);
  const broken = verifyGraph(graph);
  if (broken !== undefined) return failed('import', 'MODEL_INVALID', broken);
  const foreign = foreignBorder(graph);
  if (foreign !== undefined) return failed('import', 'TYPE_UNSUPPORTED', foreign);
  const checker = new Checker(graph);
  for (const [i, node] of graph.nodes.entries()) {
    try {
      checker.check(node);
    } catch (error) {
      if (!(error instanceof OperatorError)) throw error;
      const place = places[i] === undefined ? '' : `, byte ${places[i]}`;
      const where = `${node.source.name} (operator ${node.source.index}${place})`;
      return failed('import', error.code, `${where}: ${error.message}`);
    }
  }
  return ok(graph);
}

/** Inputs and outputs cross to C: only stored types can. */
function foreignBorder(graph: Graph): string | undefined {
  const wrong = (ids: readonly TensorId[], what: string): string | undefined => {
    const t = ids.map((id) => graph.tensors[id]).find((each) => each !== undefined && !stored.includes(each.dtype));
    return t && `graph ${what} ${JSON.stringify(t.name)} has type ${t.dtype}; ${stored.join(', ')} are supported`;
  };
  return wrong(graph.inputs, 'input') ?? wrong(graph.outputs, 'output');
}

class Checker {
  private readonly graph: Graph;
  /** The graph's tensors, with values where constants make them. */
  private readonly tensors: Tensor[];
  private left = mostFolding;

  constructor(graph: Graph) {
    this.tensors = [...graph.tensors];
    this.graph = { ...graph, tensors: this.tensors };
  }

  /** Throws OperatorError. */
  check(node: Node): void {
    this.checkTypes(node);
    if (node.inputs.every((id) => id < 0 || this.tensors[id]?.data !== undefined)) this.fold(node);
    else operatorOf(node.op).lower(node, this.graph, { rounding: 'double' });
  }

  private checkTypes(node: Node): void {
    const declared = node.outputs.flatMap((id) => this.tensors[id] ?? []);
    const types = node.inputs.map((id) => this.tensors[id]);
    operatorOf(node.op)
      .infer(node, types, declared)
      .forEach((t, i) => {
        const shape = declared[i]?.shape ?? [];
        const equal = t.shape.length === shape.length && t.shape.every((d, k) => d >= 1 && d === shape[k]);
        need(equal, `its output is declared as [${shape}], it computes [${t.shape}]`);
      });
  }

  private fold(node: Node): void {
    this.spend(this.tensors.length);
    const first = node.inputs[0] ?? -1;
    // Operators lower with at least one operand that is computed: as if the first were.
    const { data: _, ...open } = this.tensors[first] as Tensor;
    const operator = operatorOf(node.op);
    const { workload } = operator.lower(
      node,
      { ...this.graph, tensors: this.tensors.with(first, open) },
      { rounding: 'double' },
    );
    this.spend(
      operator.macs(workload) + [...workload.inputs, ...workload.outputs].reduce((n, t) => n + elements(t.shape), 0),
    );
    const inputs = node.inputs.map((id) => (id < 0 ? undefined : decode(this.tensors[id] as Tensor)));
    const values = operator.reference(node, this.graph, inputs, { rounding: 'double' });
    node.outputs.forEach((id, i) => {
      const value = values[i];
      if (value !== undefined) this.tensors[id] = { ...(this.tensors[id] as Tensor), data: encode(value) };
    });
  }

  private spend(steps: number): void {
    this.left -= steps;
    need(
      this.left >= 0,
      `its operands are constants, and computing with them takes over ${mostFolding} steps; fold it before`,
    );
  }
}

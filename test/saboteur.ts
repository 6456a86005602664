/** A search that meets candidates which misbehave: a good kernel, called by a function that then does what it must not do. */
import type { BoardModule } from '../boards/index.ts';
import type { Graph } from '../compiler/graph/graph.ts';
import type { KernelC } from '../compiler/program/print-c.ts';
import type { Device } from '../firmware-rpc/host/device.ts';
import type { Candidate } from '../tuner/candidates.ts';
import type { NamedPolicy } from '../tuner/policies/index.ts';
import type { TrialRecord } from '../tuner/tune.ts';
import { search } from './search.ts';

/** C of a misdeed. Its arguments are the kernel's: a0 the input, a1 the output. */
export interface Sabotage {
  readonly statement: string;
  /** What the statement needs before its function. */
  readonly file?: string;
}

function spoiled(kernel: KernelC, { statement, file = '' }: Sabotage): KernelC {
  const names = kernel.params.map((_, i) => `a${i}`);
  const prototype = `void mt_spoiled(${kernel.params.map((q, i) => `${q.role === 'in' ? 'const ' : ''}void *a${i}`).join(', ')})`;
  const text = `${file}\n${prototype};\n${prototype} {\n  ${kernel.symbol}(${names.join(', ')});\n  ${statement}\n}\n`;
  return { ...kernel, symbol: 'mt_spoiled', source: `${kernel.source}\n${text}` };
}

/** Proposes a good candidate before, between and after the given spoiled ones. */
const saboteur = (list: readonly Sabotage[]): NamedPolicy => ({
  model: 'without',
  make: ({ space, propose }) => {
    const good: Candidate[] = [];
    for (let i = 0; good.length < list.length + 1 && i < space.size; i++) {
      const made = propose(space.at(i));
      if (made.ok) good.push(made.candidate);
    }
    const all = good.flatMap((c, i) => {
      const sabotage = list[i];
      return sabotage === undefined ? [c] : [c, { ...c, kernel: spoiled(c.kernel, sabotage) }];
    });
    return { ask: async (n) => all.splice(0, n), tell: () => undefined };
  },
});

/** All records of such a search, the default schedule's first; `changed` may put something between us and the device. */
export async function sabotaged(
  graph: Graph,
  board: BoardModule,
  list: readonly Sabotage[],
  changed: (device: Device) => Device = (device) => device,
): Promise<readonly TrialRecord[]> {
  const { end, records } = await search({ graph, board, policy: saboteur(list), trials: 1000, changed });
  if (end.reason !== 'exhausted') throw new Error(`the search ended otherwise: ${JSON.stringify(end)}`);
  return records;
}

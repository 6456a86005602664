/**
 * How good are schedules for layers that nobody measured? A network is compiled with the records that ship, then without any that
 * were made for it, and without any for a layer of the same shape either, whichever network that is in. Cost models are trained
 * on all trials, as they ship; which schedules they rank is what is left out.
 */
import { readShipped, type ShippedFile } from '../../server/shipped/file.ts';
import { distance } from '../../server/shipped/nearest.ts';
import { recordsFrom } from '../../server/shipped/records.ts';
import type { NetworkName } from '../../test/models.ts';
import { rankerOf, trainRanker } from '../../tuner/cost-models/shipped.ts';
import { must } from '../session.ts';
import { type NetworkResult, replayNetwork } from './replay.ts';
import { trialsOf } from './trials.ts';

export interface LeftOut {
  readonly network: string;
  readonly board: string;
  /** With all records. */
  readonly tuned: number;
  /** Without those made for this network. */
  readonly without: number;
  /** Without those for any layer of a shape that is in this network. */
  readonly withoutShapes: number;
  readonly exact: boolean;
  /** Layers that lose most, the second way. */
  readonly worst: readonly {
    readonly name: string;
    readonly tuned: number;
    readonly without: number;
    readonly schedule: string;
  }[];
}

export async function leaveOneOut(name: NetworkName, board: string, say: (line: string) => void): Promise<LeftOut> {
  const file = readShipped(board);
  if (file === undefined) throw new Error(`no records ship for ${board}`);
  const own = file.records.filter((r) => r.for.includes(name));
  const less = (keep: (r: ShippedFile['records'][number]) => boolean): ShippedFile => ({
    ...file,
    records: file.records.filter(keep),
  });
  const { [name]: _, ...trials } = trialsOf(board);
  const others = Object.values(trials).flat();
  if (others.length === 0) throw new Error('there are no trials of other networks to learn from: --tune keeps them');
  const ranker = rankerOf(trainRanker(others));
  const replay = async (records: ShippedFile): Promise<NetworkResult> =>
    must(
      await replayNetwork(name, {
        board,
        shipped: (tasks, on, toolchain) => recordsFrom(records, tasks, on, toolchain, ranker),
      }),
    );
  const tuned = must(await replayNetwork(name, { board }));
  say(`${name}: ${tuned.cycles} with its records`);
  const without = await replay(less((r) => !own.some((o) => o.task === r.task)));
  say(`${name}: ${without.cycles} without them`);
  const shapeless = await replay(less((r) => !own.some((o) => distance(o.workload, r.workload) === 0)));
  say(`${name}: ${shapeless.cycles} without those of layers of the same shape`);
  const worst = tuned.layers
    .map((l, i) => ({
      name: l.name,
      tuned: l.cycles,
      without: shapeless.layers[i]?.cycles ?? 0,
      schedule: shapeless.layers[i]?.schedule ?? '',
    }))
    .sort((a, b) => b.without - b.tuned - (a.without - a.tuned))
    .slice(0, 5);
  return {
    network: name,
    board,
    tuned: tuned.cycles,
    without: without.cycles,
    withoutShapes: shapeless.cycles,
    exact: tuned.exact && without.exact && shapeless.exact,
    worst,
  };
}

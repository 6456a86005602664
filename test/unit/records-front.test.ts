/** Which trials become records that ship, and what a budget of RAM leaves for scratch. */
import { expect, test } from 'vitest';
import { frontOf } from '../../bench/networks/front.ts';
import { nucleoL4r5zi as board } from '../../boards/nucleo-l4r5zi/index.ts';
import { needsOf } from '../../compiler/emit/network.ts';
import type { Graph } from '../../compiler/graph/graph.ts';
import { type Task, tasksOf } from '../../compiler/tasks.ts';
import { defaultSchedule } from '../../kernels/index.ts';
import { selectKnown, toolchainOf } from '../../server/offers.ts';
import { roomForScratch } from '../../server/scratch-room.ts';
import type { ShippedRecord } from '../../server/shipped/file.ts';
import { samples } from '../samples.ts';
import { Draft } from './graphs.ts';
import { Random } from './random.ts';

function twoPools(): Graph {
  const d = new Draft(new Random(5), 'tflite');
  const quant = { scale: [0.02], zeroPoint: [0], axis: 0 };
  const attrs = { filter: [2, 2], stride: [1, 1], dilation: [1, 1], pad: [0, 0, 0, 0], activation: 'none' };
  const out = { dtype: 'int8', quant } as const;
  const x = d.input('int8', [1, 9, 9, 4], quant);
  return d.finish('pools', [d.node('max_pool2d', attrs, [d.node('max_pool2d', attrs, [x], out)], out)]);
}
const graph = twoPools();
const tasks = tasksOf(graph, { rounding: 'double' });

/** Trials of one layer: what is faster mostly takes more, half of them with code in RAM. */
function trialsOf(task: Task, r: Random): readonly ShippedRecord[] {
  const { algorithm, steps } = defaultSchedule(task.workload, board.target.features);
  const inRam = { primitive: 'place', what: 'code', where: 'ram' } as const;
  return Array.from({ length: 40 }, (_, i): ShippedRecord => {
    const effort = r.int(1, 20);
    const placed = i % 2 === 0;
    return {
      for: ['pools'],
      task: task.id,
      workload: task.workload,
      cycles: Math.round(((placed ? 1 : 1.5) * 1e6) / effort) + i,
      sizes: {
        codeBytes: 200 * effort,
        constBytes: 100 * r.int(1, effort),
        scratchBytes: 300 * effort,
        stackBytes: 64,
      },
      config: { template: 'pooling', version: 1, knobs: { at: i } },
      schedule: { algorithm, steps: [...steps, ...(placed ? [inRam] : [])] },
    };
  });
}

test('whatever RAM a layer has for scratch, nearly the fastest that places nothing in RAM is kept', () => {
  const [task] = tasks as readonly [Task, ...Task[]];
  for (let seed = 1; seed <= samples(20, 500); seed++) {
    const all = trialsOf(task, new Random(seed));
    const kept = frontOf(task, all);
    expect(kept[0]?.cycles).toBe(Math.min(...all.map((t) => t.cycles)));
    const unplaced = (of: readonly ShippedRecord[]) => of.filter((t) => t.schedule.steps.at(-1)?.primitive !== 'place');
    const within = (of: readonly ShippedRecord[], room: number): number =>
      Math.min(...unplaced(of).flatMap((t) => (t.sizes.scratchBytes <= room ? [t.cycles] : [])));
    for (const { sizes } of unplaced(all)) {
      // An even choice of a long front leaves out single ones.
      const roomier = sizes.scratchBytes * 1.6 + 600;
      expect(within(kept, roomier), `seed ${seed}`).toBeLessThanOrEqual(within(all, sizes.scratchBytes));
    }
    expect(kept.length).toBeLessThanOrEqual(20);
  }
});

test('what a budget leaves for scratch is what the tensors of a layer do not take', () => {
  const toolchain = toolchainOf(board, 'gcc 1');
  const needs = needsOf(
    graph,
    'pools',
    selectKnown(tasks, board, undefined, toolchain).map((s) => s.choice),
  );
  const live = needs.map((n) => n.arenaBytes - n.kernel.scratchBytes);
  const room = roomForScratch({ graph, tasks, board, toolchain, ramBytes: 1000 });
  expect(tasks.map(room)).toEqual(live.map((bytes) => 1000 - bytes));
  expect(tasks.map(roomForScratch({ graph, tasks, board, toolchain, ramBytes: 100 }))).toEqual([0, 0]);
});

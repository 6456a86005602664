/** Whatever a model holds, every layer has a legal default schedule: nothing else stands behind it. */
import { expect, test } from 'vitest';
import { printGraph } from '../../compiler/graph/print.ts';
import { checkGraph } from '../../compiler/import/index.ts';
import { schedule } from '../../compiler/lower.ts';
import { runPasses } from '../../compiler/passes/index.ts';
import { tasksOf } from '../../compiler/tasks.ts';
import { defaultSchedule } from '../../kernels/index.ts';
import { samples } from '../samples.ts';
import { randomNetwork } from './graphs.ts';
import { channelNetwork, withDeadChannels } from './passes-graphs.ts';
import { Random } from './random.ts';

test('the default schedule of every layer of random networks is legal', () => {
  for (let seed = 1; seed <= samples(300, 5_000); seed++) {
    const r = new Random(seed);
    const model = r.next() < 0.7 ? randomNetwork(r) : withDeadChannels(channelNetwork(r), r);
    if (!checkGraph(model).ok) continue;
    const graph = runPasses(model, { optional: r.next() < 0.5 ? 'all' : 'none' });
    for (const task of tasksOf(graph, { rounding: 'double' })) {
      for (const { constants } of task.occurrences) {
        const done = schedule(task.workload, constants, defaultSchedule(task.workload, []));
        expect(done.ok ? '' : done.reason, `seed ${seed} ${task.key}\n${printGraph(graph)}`).toBe('');
      }
    }
  }
});

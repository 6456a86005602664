/** Random networks on the emulated Cortex-M4 and RISC-V: several inputs and outputs, floats at the border, whatever operators come together. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { mps2An386 } from '../../boards/mps2-an386/index.ts';
import { riscv32Virt } from '../../boards/riscv32-virt/index.ts';
import type { Graph } from '../../compiler/graph/graph.ts';
import { printGraph } from '../../compiler/graph/print.ts';
import { checkGraph } from '../../compiler/import/index.ts';
import { runPasses } from '../../compiler/passes/index.ts';
import { build, verify } from '../../server/build.ts';
import { unwrap } from '../golden-run.ts';
import { samples } from '../samples.ts';
import { schedulesFor } from '../schedules.ts';
import { randomNetwork } from '../unit/graphs.ts';
import { channelNetwork, withDeadChannels } from '../unit/passes-graphs.ts';
import { Random } from '../unit/random.ts';

function modelOf(seed: number): Graph {
  for (let r = new Random(seed); ; ) {
    const model = r.next() < 0.5 ? randomNetwork(r) : withDeadChannels(channelNetwork(r), r);
    if (checkGraph(model).ok) return model;
  }
}

for (const board of [mps2An386, riscv32Virt]) {
  test(`${board.id} says what the model says`, async () => {
    for (let seed = 1; seed <= samples(3, 60); seed++) {
      const model = modelOf(seed);
      const graph = runPasses(model, { optional: 'all' });
      const dir = mkdtempSync(join(tmpdir(), 'mt-random-'));
      try {
        const selected = schedulesFor(graph, board.target.features, { seed });
        const where = { outDir: join(dir, 'out'), cacheDir: join(dir, 'cache') };
        const built = unwrap(await build({ graph, name: 'net', board, selected, ...where }));
        const verified = await verify(built, board, model, 4);
        expect(verified.ok ? '' : verified.error.detail, `seed ${seed}\n${printGraph(graph)}`).toBe('');
      } finally {
        rmSync(dir, { recursive: true, force: true });
      }
    }
  });
}

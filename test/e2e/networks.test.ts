/**
 * The MLPerf Tiny networks on the emulated Cortex-M4: all nine golden vectors over the wire, whatever the schedules and passes; and
 * on every other board that one of QEMU's MPS machines emulates.
 */
import { afterAll, expect, test } from 'vitest';
import { boards } from '../../boards/index.ts';
import { mps2An386 } from '../../boards/mps2-an386/index.ts';
import { runGolden } from '../golden-run.ts';
import { goldenModel } from '../models.ts';
import { samples } from '../samples.ts';
import { twinOf } from '../twins.ts';
import { workFolder } from '../wire/host-board.ts';

/** Boards with one CPU compile the same kernels. */
const folder = workFolder();
const plain = { passes: 'all', schedules: 'default', cacheDir: folder.dir } as const;
afterAll(() => folder.remove());

const names = ['kws', 'ic', 'vww', 'ad'] as const;

for (const name of names) {
  const model = goldenModel(name);
  if (model === undefined) console.log(`${name}: the golden model is not at hand (--models DIR)`);

  test.skipIf(model === undefined)(`${name} with default schedules`, async () => {
    if (model === undefined) return;
    const { built, cycles, stackBytes } = await runGolden(model, mps2An386, plain);
    expect(cycles).toBeGreaterThan(0);
    // What the header promises, checked by the watermark; it sees the server's table function around the run as well.
    expect(stackBytes).toBeLessThanOrEqual(built.memory.stackBytes + 16);
    expect(built.memory.arenaBytes).toBeGreaterThanOrEqual(built.memory.arenaLowerBound);
  });

  test.skipIf(model === undefined)(`${name} with drawn schedules`, async () => {
    for (let seed = 1; model !== undefined && seed <= samples(1, 8); seed++) {
      const { built, stackBytes } = await runGolden(model, mps2An386, { passes: 'all', schedules: { seed } });
      expect(stackBytes).toBeLessThanOrEqual(built.memory.stackBytes + 16);
    }
  });
}

for (const name of names.slice(0, samples(1, 4))) {
  const model = goldenModel(name);
  test.skipIf(model === undefined)(`${name} without optional passes`, async () => {
    if (model !== undefined) await runGolden(model, mps2An386, { ...plain, passes: 'none' });
  });
}

const others = boards.filter((b) => twinOf(b) !== undefined && b !== mps2An386);
for (const board of others) {
  // In a bounded run the smallest on each, and one more on one of them.
  const bounded = board.id === 'nucleo-l4r5zi' ? ['kws'] : ['ad'];
  const taken = names.filter((name) => samples(0, 1) === 1 || bounded.includes(name));
  for (const name of taken) {
    const model = goldenModel(name);
    test.skipIf(model === undefined)(`${name} on ${board.id}`, async () => {
      if (model === undefined) return;
      const { built, cycles, stackBytes } = await runGolden(model, board, plain);
      expect(cycles).toBeGreaterThan(model.golden.input_bytes);
      expect(stackBytes).toBeLessThanOrEqual(built.memory.stackBytes + 16);
    });
  }
}

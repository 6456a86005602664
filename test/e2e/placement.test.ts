/** Code and constants that a schedule places in RAM: they run from there, and they are counted in RAM and in flash, where they are loaded from. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { BoardModule } from '../../boards/index.ts';
import { mps2An386 } from '../../boards/mps2-an386/index.ts';
import { nucleoL4r5zi } from '../../boards/nucleo-l4r5zi/index.ts';
import type { Memory } from '../../compiler/emit/index.ts';
import { select } from '../../compiler/select.ts';
import { tasksOf } from '../../compiler/tasks.ts';
import { defaultSchedule } from '../../kernels/index.ts';
import { build, verify } from '../../server/build.ts';
import { unwrap } from '../golden-run.ts';
import { Draft } from '../unit/graphs.ts';
import { Random } from '../unit/random.ts';

/** A fully connected layer of 40 x 32. */
function layer() {
  const d = new Draft(new Random(4), 'tflite');
  const quant = { scale: [0.05], zeroPoint: [2], axis: 0 };
  const w = d.constant('int8', [32, 40], [-127, 127], { scale: [0.01], zeroPoint: [0], axis: 0 });
  const inputs = [d.input('int8', [1, 40], quant), w, -1];
  return d.finish('layer', [
    d.node('fully_connected', { keepDims: false, activation: 'none' }, inputs, { dtype: 'int8', quant }),
  ]);
}

async function builtWith(
  board: BoardModule,
  placed: readonly ('code' | 'w')[],
): Promise<{ readonly memory: Memory; readonly cycles: number; readonly initCycles: number }> {
  const dir = mkdtempSync(join(tmpdir(), 'mt-placement-'));
  try {
    const graph = layer();
    const selected = select(tasksOf(graph, { rounding: 'double' }), (task) => {
      const plain = defaultSchedule(task.workload, []);
      const place = placed.map((what) => ({ primitive: 'place', what, where: 'ram' }) as const);
      return [{ schedule: { ...plain, steps: [...plain.steps, ...place] }, words: 'placed' }];
    });
    const where = { outDir: join(dir, 'out'), cacheDir: join(dir, 'cache') };
    const built = unwrap(await build({ graph, name: 'net', board, selected, ...where }));
    const { inputs, cycles, initCycles } = unwrap(await verify(built, board, graph, 3));
    expect(inputs).toBe(3);
    return { memory: built.memory, cycles, initCycles };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

for (const board of [mps2An386, nucleoL4r5zi])
  test(`what is placed in RAM counts twice, and on a twin it is read there: ${board.id}`, async () => {
    const flash = await builtWith(board, []);
    const plain = flash.memory;
    expect(plain.ramBytes).toBe(plain.arenaBytes + plain.stackBytes);
    expect(plain.constBytes).toBeGreaterThanOrEqual(32 * 40);
    expect(plain.flashBytes).toBe(plain.constBytes + plain.codeBytes);
    const { memory: weights, initCycles } = await builtWith(board, ['w']);
    expect(weights.ramBytes - weights.stackBytes - weights.arenaBytes).toBe(32 * 40);
    // What copies them is code of the library, and its time is told: a word takes some cycles, a byte less than two instructions.
    expect(weights.flashBytes - plain.flashBytes).toBeLessThan(160);
    expect(initCycles - flash.initCycles).toBeGreaterThan(32 * 40 * 0.25);
    expect(initCycles - flash.initCycles).toBeLessThan(32 * 40 * 8);
    const { memory: both, cycles } = await builtWith(board, ['w', 'code']);
    const code = both.ramBytes - both.stackBytes - both.arenaBytes - 32 * 40;
    expect(code).toBeGreaterThan(40);
    expect(code).toBeLessThanOrEqual(both.codeBytes);
    expect(Math.abs(both.flashBytes - plain.flashBytes)).toBeLessThan(192);
    // SRAM does not wait, flash does: the weights are read once, the caches are empty at first.
    if (board.kind === 'model') expect(cycles).toBeLessThan(flash.cycles);
  });

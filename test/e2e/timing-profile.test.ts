/** Tallies of single instructions on a twin: together they are what the model counts, and counting them changes nothing. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { boardOf, type Cause, causes, mapCauses, type Tally } from '../../boards/index.ts';
import { importModel } from '../../compiler/import/index.ts';
import { operatorOf } from '../../compiler/ops/index.ts';
import { runPasses } from '../../compiler/passes/index.ts';
import { bind } from '../../compiler/program/index.ts';
import { type KernelC, printC } from '../../compiler/program/print-c.ts';
import { tasksOf } from '../../compiler/tasks.ts';
import type { Device } from '../../firmware-rpc/host/device.ts';
import { disassemble } from '../../toolchain/index.ts';
import { benchOf } from '../../tuner/measure/bench.ts';
import { buildCandidate, vectorOf } from '../../tuner/measure/builder.ts';
import { Station } from '../../tuner/measure/runner.ts';
import { smallModel } from '../server/model.ts';
import { expectOk, workFolder } from '../wire/host-board.ts';

const folder = workFolder();
afterAll(() => folder.remove());

/** Of the server around the kernel: its branch into the code, and the way back. */
const around = { instructions: 40, cycles: 200 };

function firstLayer() {
  const graph = runPasses(expectOk(importModel(smallModel(1), 'small.tflite')), { optional: 'all' });
  const [task] = tasksOf(graph, { rounding: 'double' });
  const [occurrence] = task?.occurrences ?? [];
  if (task === undefined || occurrence === undefined) throw new Error('the model has no layers');
  const [naive] = Object.values(operatorOf(task.workload.op).programs(task.workload));
  if (naive === undefined) throw new Error('no program');
  return { graph, task, kernel: printC(bind(naive, occurrence.constants), 'mt_candidate') };
}

for (const id of ['nucleo-l4r5zi', 'nucleo-h743zi', 'nucleo-g0b1re'])
  test(`${id}: tallies add up to what the model counts, by cause`, async () => {
    const board = boardOf(id);
    if (board?.open === undefined || board.counters === undefined) throw new Error(`${id} is no twin`);
    const cacheDir = join(folder.dir, id);
    mkdirSync(cacheDir);
    const firmware = expectOk(await board.build({ dir: join(cacheDir, 'firmware'), name: 'server', objects: [] }));
    const { graph, task, kernel } = firstLayer();
    const built = expectOk(await buildCandidate(kernel, board.target, cacheDir));
    const run = async (device: Device) => {
      const station = new Station(device, 'd', board, cacheDir, () => 0);
      const before = await board.counters?.(device);
      const result = await station.measure({ kernel, built, bench: benchOf(task, graph), vector: vectorOf(built) });
      const after = await board.counters?.(device);
      if (before === undefined || after === undefined) throw new Error('no counters');
      return { station, result, before, after };
    };
    const profileDir = join(cacheDir, 'tallies');
    mkdirSync(profileDir);
    const plain = expectOk(await board.open({ firmware, bulk: 'shared' }));
    const bare = await run(plain).finally(() => plain.close());
    const device = expectOk(await board.open({ firmware, bulk: 'shared', profileDir }));
    const { station, result, before, after } = await run(device);
    expect(result.status).toBe('ok');
    expect(result.status === 'ok' && bare.result.status === 'ok' && result.cycles === bare.result.cycles).toBe(true);
    const elf = expectOk(await station.elfOf({ kernel: kernel satisfies KernelC, built }));
    await device.close();
    const lines = expectOk(await disassemble(elf, board.target, cacheDir));
    const tallies =
      board.profile?.(
        profileDir,
        lines.map((l) => l.address),
      ) ?? new Map<number, Tally>();
    const sum = (of: (t: Tally) => number): number => [...tallies.values()].reduce((n, t) => n + of(t), 0);
    const executed = sum((t) => t.executed);
    const counted = after.instructions - before.instructions;
    expect(executed).toBeGreaterThan(task.macs);
    expect(counted - executed).toBeGreaterThanOrEqual(0);
    expect(counted - executed).toBeLessThan(around.instructions);
    const byCause = mapCauses((cause: Cause) => sum((t) => t.causes[cause]));
    for (const cause of causes) {
      const rest = after.causes[cause] - before.causes[cause] - byCause[cause];
      expect(rest, cause).toBeGreaterThanOrEqual(0);
      expect(rest, cause).toBeLessThan(around.cycles);
    }
  });

/**
 * The records that ship cost what they say: each layer's fastest schedule is measured again on the emulated board, verified as any
 * trial, and must take its committed cycles to the cycle. Whoever makes one slower, or faster, hears of it here and measures them again
 * (`npm run bench:networks -- --refresh`, or `--tune` for new ones). With another compiler there is nothing to compare.
 */
import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { replayNetwork } from '../../bench/networks/replay.ts';
import { mainBoard } from '../../bench/networks/results.ts';
import { shapeFamilies, subjectOfShapes } from '../../bench/networks/shapes.ts';
import { type Room, workbenchOf } from '../../bench/session.ts';
import { type BoardModule, boardOf } from '../../boards/index.ts';
import type { Graph } from '../../compiler/graph/graph.ts';
import { type Task, tasksOf } from '../../compiler/tasks.ts';
import { readShipped, type ShippedFile, type ShippedRecord, shippedDir } from '../../server/shipped/file.ts';
import { toolchainVersion } from '../../toolchain/index.ts';
import { DevicePool } from '../../tuner/measure/pool.ts';
import { started } from '../emulated.ts';
import { graphOf, unwrap } from '../golden-run.ts';
import { goldenModel, networkNames } from '../models.ts';
import { samples } from '../samples.ts';
import { workFolder } from '../wire/host-board.ts';

/** Boards that records ship for, the main one first: in a bounded run the others measure one network. */
const shipped = readdirSync(shippedDir)
  .filter((f) => f.endsWith('.jsonl'))
  .map((f) => f.slice(0, -'.jsonl'.length))
  .sort((a, b) => Number(b === mainBoard) - Number(a === mainBoard) || (a < b ? -1 : 1));

/** What measures schedules on one board. */
interface Meter extends Omit<Room, 'graph'> {
  readonly file: ShippedFile;
}

/** Cycles of a record's schedule on the layer that it was found for, or how that failed. */
async function measured(m: Meter, task: Task, graph: Graph, record: ShippedRecord): Promise<number | string> {
  const { propose, measure } = workbenchOf(task, { ...m, graph });
  const made = propose({ template: 'literal', version: 1, schedule: record.schedule });
  if (!made.ok) return `${made.code}: ${made.detail}`;
  const result = await measure(made.candidate);
  return result.status === 'ok' ? result.cycles : `${result.code}: ${result.detail}`;
}

/** Committed and measured cycles of each layer that has records made for `name`. */
async function compare(
  m: Meter,
  name: string,
  graph: Graph,
): Promise<{ readonly committed: object; readonly now: object }> {
  const rows = await Promise.all(
    tasksOf(graph, { rounding: 'double' }).map(async (task) => {
      const [best] = m.file.records
        .filter((r) => r.task === task.id && r.for.includes(name))
        .sort((a, b) => a.cycles - b.cycles);
      const key = `${task.id} ${task.workload.op}`;
      return best && { key, committed: best.cycles, now: await measured(m, task, graph, best) };
    }),
  );
  const there = rows.filter((r) => r !== undefined);
  return {
    committed: Object.fromEntries(there.map((r) => [r.key, r.committed])),
    now: Object.fromEntries(there.map((r) => [r.key, r.now])),
  };
}

for (const id of shipped) {
  const board = boardOf(id) as BoardModule;
  const file = readShipped(id) as ShippedFile;
  const version = unwrap(await toolchainVersion(board.target));
  const comparable = file.on.toolchain === version && file.on.flags === board.target.flags.join(' ');
  if (!comparable) console.log(`records of ${id} are of ${file.on.toolchain}, this is ${version}: skipped`);

  describe.skipIf(!comparable)(`records of ${id} reproduce to the cycle`, () => {
    let folder: ReturnType<typeof workFolder>;
    let meter: Meter;
    beforeAll(async () => {
      folder = workFolder();
      const firmware = unwrap(await board.build({ dir: folder.dir, name: 'server', objects: [] }));
      const open = async () => ({ ok: true as const, value: await started(board, firmware) });
      const sources = ['a', 'b'].map((name) => ({ name, open }));
      meter = { board, file, pool: new DevicePool(board, sources, folder.dir), cacheDir: folder.dir };
    });
    afterAll(async () => {
      await meter.pool.closeAll();
      folder.remove();
    });
    const has = (name: string): boolean => file.records.some((r) => r.for.includes(name));

    const taken = (name: string): boolean => id === mainBoard || name === 'kws' || samples(0, 1) === 1;
    for (const name of networkNames.filter((n) => has(n) && taken(n))) {
      const model = goldenModel(name);
      if (model === undefined) console.log(`${name}: the golden model is not at hand (--models DIR)`);
      test.skipIf(model === undefined)(name, async () => {
        if (model === undefined) return;
        const { committed, now } = await compare(meter, name, graphOf(model, 'all'));
        expect(Object.keys(committed).length).toBeGreaterThan(0);
        expect(now).toEqual(committed);
      });
    }
    const families = shapeFamilies.filter(({ name }) => has(name));
    for (const family of families.slice(0, samples(1, families.length))) {
      test(`layers of ${family.name}`, async () => {
        const { committed, now } = await compare(meter, family.name, subjectOfShapes(family).graph);
        expect(now).toEqual(committed);
      });
    }
  });
}

test.skipIf(!shipped.includes(mainBoard) || goldenModel('ad') === undefined)(
  'what compile makes of them is exact, and no layer has its default',
  async () => {
    const ad = unwrap(await replayNetwork('ad', { board: mainBoard }));
    expect(ad.exact).toBe(true);
    for (const layer of ad.layers) expect(layer.schedule).not.toMatch(/^default/);
    expect(ad.layers.reduce((n, l) => n + l.cycles, 0)).toBeLessThanOrEqual(ad.cycles);
  },
);

/**
 * A job on a real product, as far as that goes without one: a board that is attached and can be flashed. The device is a process
 * behind a relay, flashing it puts a process with the new firmware in its place.
 */
import pino from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { host } from '../../boards/host/index.ts';
import type { BoardModule, BuiltFirmware } from '../../boards/index.ts';
import { failed, ok } from '../../compiler/result.ts';
import type { Flasher } from '../../server/attached.ts';
import { Farm } from '../../server/devices.ts';
import { Feed } from '../../server/feed.ts';
import { Models } from '../../server/models.ts';
import { boardsFor } from '../../server/product.ts';
import { Run } from '../../server/progress.ts';
import { workOf } from '../../server/work.ts';
import { Baselines, healthCheck } from '../../tuner/measure/health.ts';
import { openBenchStore } from '../server/bench.ts';
import { smallModel } from '../server/model.ts';
import { expectOk, firmwareIn, type ListeningBoard, listening, workFolder } from '../wire/host-board.ts';
import { relayTo } from '../wire/relay.ts';

test('trials and networks run on the product, each with its firmware; everything that is counted is of silicon', async () => {
  const folder = workFolder();
  onTestFinished(() => folder.remove());
  const server = await firmwareIn(folder.dir, host);
  const running: ListeningBoard[] = [await listening(server)];
  onTestFinished(async () => {
    for (const b of running) await b.kill();
  });
  const relay = await relayTo(running[0]?.port ?? 0);
  onTestFinished(() => relay.cut());
  const flashed: string[] = [];
  const flasher: Flasher = {
    build: async () => ok(server),
    flash: async (firmware: BuiltFirmware, address) => {
      if (address !== relay.address) return failed('load', 'FLASH_FAILED', `nothing is at ${address}`);
      flashed.push(firmware.buildId === server.buildId ? 'server' : 'network');
      const next = await listening(firmware);
      running.push(next);
      await relay.swap(next.port);
      return ok(undefined);
    },
  };
  const { build, open: _, ...data } = host;
  const twin: BoardModule = {
    ...host,
    product: { board: { ...data, kind: 'silicon' }, build, tools: [] },
  };
  const attached = [{ board: host.id, address: relay.address }];
  const [board] = expectOk(boardsFor([twin], { devices: attached, emulate: {} }));
  if (board === undefined) throw new Error('no board');

  const store = openBenchStore();
  onTestFinished(() => store.close());
  const models = new Models(store);
  const log = pino({ level: 'silent' });
  const common = { boards: [board], cores: 2, cacheDir: folder.dir };
  // It is a process after all, whose counts scatter more than those of silicon.
  const check = healthCheck(host, folder.dir, new Baselines());
  const farm = new Farm({
    ...common,
    attached,
    emulate: {},
    flasherOf: () => flasher,
    pool: { check },
    log: () => undefined,
  });
  const model = expectOk(models.add(smallModel(1), 'small.tflite')).id;
  const budget = { policy: 'random', seed: 1, trials: 6, timeMs: null };
  const job = store.addJob({ model, board: board.id, kind: board.kind, ...budget });
  const work = workOf({ ...common, store, models, farm, dataDir: folder.dir, verifiedInputs: 2, known: 'all', log });
  const outcome = await work(new Run(job, new Feed(store)), new AbortController().signal);

  if (outcome.state !== 'done') throw new Error(JSON.stringify(outcome));
  expect(outcome.report).toMatchObject({ kind: 'silicon', verifiedInputs: 2 });
  // The baseline, the server for the trials, the best network.
  expect(flashed).toEqual(['network', 'server', 'network']);
  const { items } = store.records({}, 100);
  expect(items.length).toBeGreaterThanOrEqual(6);
  expect(new Set(items.map((r) => r.kind))).toEqual(new Set(['silicon']));
  expect(new Set(items.filter((r) => r.device !== null).map((r) => r.firmware))).toEqual(new Set([server.buildId]));
  expect(farm.states()).toMatchObject([{ kind: 'silicon', warning: null, failures: 0, recoveries: { reflash: 1 } }]);
});

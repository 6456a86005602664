/**
 * A farm under bad conditions: four emulated devices behind lines that lose, change and delay bytes, one of which dies on the
 * way, search on two cores. Every trial is accounted for once, with the device that ran it, and counts what it counts on a
 * good line. Devices of several boards, and attached ones with equal uids, work at the same time.
 */
import type { ChildProcess } from 'node:child_process';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { host } from '../../boards/host/index.ts';
import type { BoardModule, BuiltFirmware } from '../../boards/index.ts';
import { mps2An386 } from '../../boards/mps2-an386/index.ts';
import { tasksOf } from '../../compiler/tasks.ts';
import { connect } from '../../firmware-rpc/host/client.ts';
import type { Device } from '../../firmware-rpc/host/device.ts';
import { openSerial } from '../../firmware-rpc/host/serial.ts';
import { defaultSchedule, templates } from '../../kernels/index.ts';
import { Farm } from '../../server/devices.ts';
import { Baselines, type CheckHealth, healthCheck } from '../../tuner/measure/health.ts';
import { DevicePool, type DeviceSource } from '../../tuner/measure/pool.ts';
import { policies } from '../../tuner/policies/index.ts';
import { type TrialRecord, tune } from '../../tuner/tune.ts';
import { near } from '../near.ts';
import { plugIn } from '../plugged-in.ts';
import { samples } from '../samples.ts';
import { randomNode } from '../unit/graphs.ts';
import { counted } from '../unit/pool-devices.ts';
import { Random } from '../unit/random.ts';
import { everyFault, type FaultyTransport, faulty } from '../wire/faulty.ts';
import { expectOk, firmwareIn, workFolder } from '../wire/host-board.ts';

const folder = workFolder();
let firmware: BuiltFirmware;
beforeAll(async () => {
  firmware = await firmwareIn(folder.dir, mps2An386);
});
afterAll(() => folder.remove());

/** An emulator of the Cortex-M4 board; its UART is a pseudo-terminal. */
async function emulator(): Promise<{ readonly path: string; readonly child: ChildProcess }> {
  const { child, path } = plugIn(firmware.elf);
  onTestFinished(() => void child.kill('SIGKILL'));
  return { path: await path, child };
}

/** What a device adds to each count, so that a result tells which one it is from. */
const step = 1e9;
/** A device behind a line with faults. `dies`: the first line goes dead after so many bytes were sent. */
class Behind implements DeviceSource {
  readonly name: string;
  readonly id: string;
  injected = 0;
  private readonly at: number;
  private readonly path: string;
  private readonly chance: number;
  private opened = 0;
  private readonly lines: FaultyTransport[] = [];

  constructor(at: number, path: string, chance: number) {
    this.at = at;
    this.name = `device ${at}`;
    this.id = this.name;
    this.path = path;
    this.chance = chance;
  }
  async open(): ReturnType<DeviceSource['open']> {
    const line = faulty(await openSerial(this.path), everyFault(this.chance), 10 * this.at + this.opened++);
    this.lines.push(line);
    return { ok: true, value: this.marked(await connect(line, { patienceMs: 150, slowdown: 60 })) };
  }
  /** The line that is open goes dead. */
  die(): void {
    this.lines.at(-1)?.blackHole();
  }
  get faults(): number {
    return this.lines.reduce((n, l) => n + l.injected(), 0);
  }
  private marked(device: Device): Device {
    return Object.create(device, {
      call: {
        value: async (request: Parameters<Device['call']>[0]) => {
          const called = await device.call(request);
          return called.ok ? { ...called, cycles: called.cycles.map((c) => c + this.at * step) } : called;
        },
      },
    }) as Device;
  }
}

interface Ran {
  readonly records: readonly TrialRecord[];
  readonly pool: DevicePool;
}
/** Searches one random convolution after another until there are enough trials. */
async function searchOn(sources: readonly DeviceSource[], trials: number, onTrial: (n: number) => void): Promise<Ran> {
  // Each device has a baseline of its own here, for each counts from another number.
  const checks = new Map(sources.map((s) => [s.name, healthCheck(mps2An386, folder.dir, new Baselines())]));
  const check: CheckHealth = (device, patient) => {
    const own = checks.get(patient.id);
    if (own === undefined) throw new Error(`${patient.id} is none of ours`);
    return own(device, patient);
  };
  const pool = new DevicePool(mps2An386, sources, folder.dir, { check, checkEvery: 10, restMs: () => 1 });
  onTestFinished(() => pool.closeAll());
  const records: TrialRecord[] = [];
  const policy = policies.random;
  if (policy === undefined) throw new Error('no policy is called random');
  const left = (): number => trials - records.filter((r) => r.reusedFrom === null).length;
  for (let seed = 5; left() > 0; seed++) {
    const graph = randomNode('conv2d', new Random(seed));
    const end = await tune({
      graph,
      tasks: tasksOf(graph, { rounding: 'double' }),
      board: mps2An386,
      pool,
      templates: { templates, defaultSchedule },
      policy,
      policyName: 'random',
      seed,
      budget: { trials: left() },
      cores: 2,
      cacheDir: folder.dir,
      known: () => [],
      record: (trial) => {
        onTrial(records.length);
        return String(records.push(trial));
      },
      signal: new AbortController().signal,
      now: () => performance.now(),
    });
    expect(['budget', 'exhausted']).toContain(end.reason);
  }
  return { records, pool };
}
/** What must be measured once. */
const keyOf = ({ task, result }: TrialRecord): string => `${task.id} ${result.binary}`;

/** A thousand trials on bad lines and again on a good one take five minutes. */
const longMs = 1_200_000;

test(
  'four devices on bad lines: every trial once, from the device that it names, with the count of a good line',
  async () => {
    const trials = samples(60, 1000);
    const emulators = await Promise.all([1, 2, 3, 4].map(() => emulator()));
    const sources = emulators.map(({ path }, i) => new Behind(i + 1, path, 0.004));
    const { records, pool } = await searchOn(sources, trials, (n) => {
      if (n === trials >> 1) sources[1]?.die();
    });
    await pool.closeAll();
    expect(sources.every((s) => s.faults > 0)).toBe(true);

    const measured = records.filter((r) => r.reusedFrom === null);
    const configs = records.map((r) => `${r.task.id} ${JSON.stringify(r.config)}`);
    expect(new Set(configs).size).toBe(records.length);
    const counts = new Map<string, number>();
    for (const trial of measured) {
      const { result } = trial;
      if (result.status === 'failed') throw new Error(`${result.code}: ${result.detail}`);
      const at = Math.floor(result.cycles / step);
      expect(result.device).toBe(sources[at - 1]?.name);
      expect(counts.has(keyOf(trial))).toBe(false);
      counts.set(keyOf(trial), result.cycles - at * step);
    }
    const states = pool.states();
    expect(new Set(measured.map((r) => r.result.device))).toEqual(new Set(states.map((s) => s.name)));
    // The device that died was opened again, and nothing that it had done is missing.
    expect(states[1]?.failures).toBeGreaterThan(0);
    expect(states.every((s) => s.state !== 'quarantined' && s.health !== null)).toBe(true);
    const tries = states.reduce((n, s) => n + s.trials, 0);
    expect(tries).toBeGreaterThanOrEqual(measured.length);
    expect(states.every((s) => s.suspects === 0)).toBe(true);

    const good = await searchOn([new Behind(0, emulators[0]?.path ?? '', 0)], trials, () => undefined);
    const want = new Map(
      good.records.flatMap((r) => (r.result.status === 'ok' ? [[keyOf(r), r.result.cycles] as const] : [])),
    );
    expect(counts).toEqual(want);
  },
  longMs,
);

/** A trial on each device of a pool, all at the same time; what each was. */
async function onAll(pool: DevicePool): Promise<readonly (readonly [string, string])[]> {
  const seen: (readonly [string, string])[] = [];
  const all = Promise.withResolvers<void>();
  await Promise.all(
    Array.from({ length: pool.size }, () =>
      pool.use(async (station) => {
        const device = near(station);
        seen.push([device.info.board, device.info.uid]);
        if (seen.length === pool.size) all.resolve();
        await all.promise;
        return counted(await device.crc(device.info.data.base, 64));
      }),
    ),
  );
  return seen;
}

test('devices of several boards at once, attached ones with equal uids beside emulated ones', async () => {
  const attached = await Promise.all([0, 1].map(() => emulator()));
  const boards: readonly BoardModule[] = [host, mps2An386];
  const farm = new Farm({
    boards,
    attached: attached.map(({ path }) => ({ board: mps2An386.id, address: path })),
    emulate: { host: 2, 'mps2-an386': 1 },
    ports: async () => [],
    cores: 2,
    cacheDir: folder.dir,
    log: () => undefined,
  });
  onTestFinished(() => farm.closeAll());
  const pools = await Promise.all(boards.map(async (b) => expectOk(await farm.open(b))));
  const seen = await Promise.all(pools.map(onAll));
  expect(seen.map((s) => s.map(([board]) => board))).toEqual([Array(2).fill('host'), Array(3).fill('mps2-an386')]);
  // All three answer the same uid; records tell them apart.
  expect(new Set(seen[1]?.map(([, uid]) => uid)).size).toBe(1);
  const states = farm.states();
  expect(new Set(states.map((s) => s.uid)).size).toBe(5);
  expect(states.map((s) => [s.board, s.kind, s.trials])).toEqual([
    ...Array(2).fill(['host', 'host', 1]),
    ...Array(3).fill(['mps2-an386', 'instructions', 1]),
  ]);
  for (const s of states) {
    const board = boards.find((b) => b.id === s.board);
    expect(board === undefined ? null : farm.firmwareOf(board, s.uid ?? '')).toBe(s.firmware);
  }
});

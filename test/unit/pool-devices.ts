/** Devices made up for tests of the pool: what they answer, what happens to them, and a health check that needs no compiler. */
import { boards } from '../../boards/index.ts';
import { failed, ok, type Result } from '../../compiler/result.ts';
import { type Device, type DeviceInfo, LinkError } from '../../firmware-rpc/host/device.ts';
import type { CheckHealth } from '../../tuner/measure/health.ts';
import { DevicePool, type DeviceSource, type Gone, type PoolOptions } from '../../tuner/measure/pool.ts';
import type { MeasureResult } from '../../tuner/types.ts';

export const board = boards[0]!;
const info: DeviceInfo = {
  protocol: 1,
  board: board.id,
  uid: 'made up',
  buildId: '0',
  cpuHz: 1,
  guarded: true,
  load: { base: 0, bytes: 2 ** 21 },
  data: { base: 2 ** 24, bytes: 2 ** 20 },
  ramCode: { base: 0, bytes: 0 },
  ramData: { base: 0, bytes: 0 },
  stackBytes: 1024,
};

export interface FakeOptions {
  readonly info?: Partial<DeviceInfo>;
  /** Whether it opens this time. */
  readonly opens?: () => boolean;
  /** Records hold its uid, as of attached devices, not its name. */
  readonly attached?: true;
  /** The memory that another path leads to as well. */
  readonly memory?: Map<number, Uint8Array>;
}

/** Remembers what was done to it. */
export class Fake implements DeviceSource {
  readonly name: string;
  readonly id?: string;
  readonly loads: { address: number; bytes: Uint8Array }[] = [];
  opened = 0;
  closed = 0;
  resets = 0;
  /** What its health check says. */
  health: Result<{ readonly count: number; readonly baseline: number }> = ok({ count: 1, baseline: 1 });
  checks = 0;
  info: DeviceInfo;
  private readonly o: FakeOptions;
  private readonly memory: Map<number, Uint8Array>;

  constructor(name: string, options: FakeOptions = {}) {
    this.name = name;
    this.o = options;
    this.info = { ...info, ...options.info };
    this.memory = options.memory ?? new Map();
    if (options.attached === undefined) this.id = name;
  }

  async open(): Promise<Result<Device>> {
    this.opened++;
    return this.o.opens?.() === false
      ? failed('load', 'DEVICE_UNREACHABLE', `${this.name} is silent`)
      : ok(this.device());
  }

  device(): Device {
    const unused = (): never => {
      throw new Error('not asked for here');
    };
    const fake = this;
    return {
      get info() {
        return fake.info;
      },
      load: async (address, bytes) => {
        this.loads.push({ address, bytes });
        this.memory.set(address, bytes);
      },
      fill: unused,
      crc: unused,
      fetch: async (address, bytes) => this.memory.get(address) ?? new Uint8Array(bytes),
      call: unused,
      reset: async () => void this.resets++,
      traffic: { sent: 0, received: 0 },
      close: async () => void this.closed++,
    };
  }
}

/** Asks the fake that a device belongs to. */
const checkOf =
  (fakes: readonly Fake[]): CheckHealth =>
  async (_device, { id }) => {
    const fake = fakes.find((f) => id === f.name || id.endsWith(` at ${f.name}`)) ?? fakes[0];
    if (fake === undefined) throw new Error('a check of nothing');
    fake.checks++;
    if (!fake.health.ok && fake.health.error.code === 'LINK') throw new LinkError('it hangs');
    return fake.health;
  };

export const poolOf = (fakes: readonly Fake[], options: PoolOptions = {}): DevicePool =>
  new DevicePool(board, fakes, '', { check: checkOf(fakes), ...options });

export const quick = { restMs: (): number => 0 } as const;
export const failedWith = (code: string): MeasureResult => ({
  status: 'failed',
  stage: 'run',
  code,
  detail: code,
  times: {},
});
export const counted = (cycles: number): MeasureResult => ({
  status: 'ok',
  kind: board.kind,
  cycles,
  repeats: [cycles],
  sizes: { codeBytes: 0, constBytes: 0, scratchBytes: 0, stackBytes: 0 },
  binary: `b${cycles}`,
  device: '',
  times: {},
  bytes: { code: 0, constants: 0, rest: 0 },
});
/** Until timers that are due have run. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
/** Measures just this; the code of the pool's failure where it comes to nothing. */
export const resultOf = async (pool: DevicePool, result: MeasureResult): Promise<MeasureResult | string> => {
  const used = await pool.use(async () => result);
  return used.ok ? used.value : used.error.code;
};

/** A trial waits until no device works any more; what the pool says then. The trial is called off. */
export async function goneWhileWaiting(pool: DevicePool): Promise<Gone> {
  const stop = new AbortController();
  const waiting = pool.use(async () => counted(1), undefined, stop.signal);
  while (pool.gone === undefined) await turn();
  const { gone } = pool;
  stop.abort();
  await waiting;
  return gone;
}

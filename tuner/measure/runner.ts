/**
 * Object -> measured result, on one device: link where the code will lie, load what is not resident yet, fill inputs, call,
 * compare the CRC of output and guard. Whatever the candidate does, the answer is a value.
 */
import type { Board } from '../../boards/board.ts';
import type { KernelC } from '../../compiler/program/print-c.ts';
import type { CallResult, Device } from '../../firmware-rpc/host/device.ts';
import { linkCandidate } from '../../toolchain/index.ts';
import type { MeasureResult, Stage } from '../types.ts';
import { type Bench, guardBytes, guardedCrc, guardFill } from './bench.ts';
import type { Built } from './builder.ts';
import { Residents } from './residents.ts';

/** Bytes of the load region for code; constants have the rest. */
export const codeRoom = 256 * 1024;
/** Measured repeats where counts scatter; the median is taken. */
const repeats = 5;
const align = (n: number): number => Math.ceil(n / 16) * 16;

type Clock = () => number;
interface Attempt {
  readonly kernel: KernelC;
  readonly built: Built;
  readonly bench: Bench;
  /** Which test vector. */
  readonly vector: number;
}

/** Scratch bytes that a device has beside inputs and outputs. */
export function scratchRoom(dataBytes: number, bench: Bench): number {
  const io = [...bench.inputBytes, ...bench.outputBytes].reduce((n, b) => n + align(b) + guardBytes, 4096);
  return dataBytes - io;
}

/** Runs a step and adds the time it took to its stage. */
function stopwatch(clock: Clock, times: Partial<Record<Stage, number>>) {
  return async <T>(stage: Stage, step: () => Promise<T>): Promise<T> => {
    const since = clock();
    try {
      return await step();
    } finally {
      times[stage] = (times[stage] ?? 0) + clock() - since;
    }
  };
}
const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;

/** One device with what it is known to hold. */
export class Station {
  readonly device: Device;
  /** What stands for it in records. */
  private readonly id: string;
  private readonly residents: Residents;
  private readonly board: Board;
  private readonly cacheDir: string;
  private readonly clock: Clock;

  constructor(device: Device, id: string, board: Board, cacheDir: string, clock: Clock) {
    this.device = device;
    this.id = id;
    this.board = board;
    this.cacheDir = cacheDir;
    this.clock = clock;
    const { base, bytes } = device.info.load;
    this.residents = new Residents(base + codeRoom, bytes - codeRoom);
  }

  /** Never rejects for what a candidate does. A LinkError (the device is gone) does reject: the pool deals with it. */
  async measure(a: Attempt): Promise<MeasureResult> {
    const result = await this.attempt(a);
    // Where nothing guards the load region, a candidate that went wrong may have written over constants.
    if (result.status === 'failed' && !this.device.info.guarded) this.residents.forget();
    return result;
  }

  private async attempt(a: Attempt): Promise<MeasureResult> {
    const times: Partial<Record<Stage, number>> = {};
    const timed = stopwatch(this.clock, times);
    const base = { device: this.id, binary: a.built.binary, times };
    const failed = (stage: Stage, code: string, detail: string): MeasureResult => ({
      status: 'failed',
      stage,
      code,
      detail,
      ...base,
    });
    const { symbols, sent } = await timed('load', () => this.residents.place(this.device, a.kernel.constants));
    const linked = await timed('link', () => this.link(a.built, symbols));
    if (!linked.ok) return failed('link', linked.error.code, linked.error.detail);
    const { image, entry } = linked.value;
    const place = await timed('load', () => this.prepare(a, image));
    const run = await timed('run', () => this.call(entry, place.table, a.bench.macs));
    if (!run.ok) return failed('run', run.code, run.detail);
    const wrong = await timed('verify', () => this.compare(a, place.outputs));
    if (wrong !== undefined) return failed('verify', 'WRONG_OUTPUT', wrong);
    return {
      status: 'ok',
      kind: this.board.kind,
      cycles: median(run.cycles),
      repeats: run.cycles,
      sizes: {
        codeBytes: image.length,
        constBytes: a.kernel.constants.reduce((n, c) => n + c.bytes.length, 0),
        scratchBytes: a.kernel.scratchBytes,
        stackBytes: run.stackBytes,
      },
      bytes: { code: image.length, constants: sent, rest: place.tableBytes },
      ...base,
    };
  }

  /** For the start of the load region; constants lie behind. */
  private link({ object }: Built, symbols: Readonly<Record<string, number>>): ReturnType<typeof linkCandidate> {
    const { target } = this.board;
    const { base } = this.device.info.load;
    return linkCandidate({ target, object, base, symbols, entry: 'mt_entry', maxBytes: codeRoom }, this.cacheDir);
  }

  /** Counts of a deterministic board are the same every time, the first time included. */
  private call(entry: number, table: number, macs: number): Promise<CallResult> {
    const times = this.board.deterministic ? { warmups: 0, repeats: 1 } : { warmups: 1, repeats };
    return this.device.call({ entry, args: [table], ...times, deadlineMs: Math.ceil(500 + macs / 2000) });
  }

  /** Loads the code; lays out inputs, outputs with guards, scratch and the table of their addresses, and fills them. */
  private async prepare(
    a: Attempt,
    image: Uint8Array,
  ): Promise<{ readonly table: number; readonly tableBytes: number; readonly outputs: readonly number[] }> {
    await this.device.load(this.device.info.load.base, image);
    const vector = a.bench.vector(a.vector);
    let at = this.device.info.data.base + 4096;
    const take = (bytes: number): number => {
      const here = at;
      at += align(bytes) + guardBytes;
      return here;
    };
    const inputs = a.bench.inputBytes.map(take);
    const outputs = a.bench.outputBytes.map(take);
    const scratch = take(a.kernel.scratchBytes);
    for (const [i, input] of vector.inputs.entries()) {
      const to = inputs[i] as number;
      if (input.data !== undefined) await this.device.load(to, input.data);
      else await this.device.fill(to, input.bytes, input.seed, 0);
    }
    for (const [i, bytes] of a.bench.outputBytes.entries())
      await this.device.fill(outputs[i] as number, bytes + guardBytes, guardFill.seed, guardFill.shr);
    const addresses = [...inputs, ...outputs, ...(a.kernel.scratchBytes > 0 ? [scratch] : [])];
    const table = this.device.info.data.base;
    const bytes = new Uint8Array(Uint32Array.from(addresses).buffer);
    await this.device.load(table, bytes);
    return { table, tableBytes: bytes.length, outputs };
  }

  private async compare(a: Attempt, outputs: readonly number[]): Promise<string | undefined> {
    const vector = a.bench.vector(a.vector);
    for (const [i, want] of vector.outputs.entries()) {
      const address = outputs[i] as number;
      const crc = await this.device.crc(address, want.length + guardBytes);
      if (crc === guardedCrc(want)) continue;
      const got = await this.device.fetch(address, Math.min(want.length + guardBytes, 4096));
      const at = got.findIndex((v, k) => k < want.length && v !== want[k]);
      return at < 0
        ? `output ${i} is right, but bytes behind it were written`
        : `output ${i} differs first at byte ${at}: ${got[at]} instead of ${want[at]}`;
    }
    return undefined;
  }
}

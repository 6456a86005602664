/**
 * Object -> measured result, on one device: link where the code will lie, load what is not resident yet, fill inputs, call,
 * compare the CRC of output and guard. Whatever the candidate does, the answer is a value.
 */
import type { Board } from '../../boards/board.ts';
import type { Result } from '../../compiler/result.ts';
import type { CallResult, Device, DeviceInfo } from '../../firmware-rpc/host/device.ts';
import { type CandidateLink, candidateElf, type Image, linkCandidate } from '../../toolchain/index.ts';
import type { MeasureResult, Stage } from '../types.ts';
import { type Attempt, type PlainAttempt, plainOf } from './attempt.ts';
import { guardBytes, guardedCrc, guardFill, type Vector } from './bench.ts';
import { blame } from './blame.ts';
import { type Placed, Residents } from './residents.ts';
import { alignBuffer, type Rooms, roomsOf } from './rooms.ts';

/** Measured repeats where counts scatter; the median is taken. */
const repeats = 5;

type Clock = () => number;

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
  private readonly rooms: Rooms;
  private readonly residents: Residents;
  /** Of the constants that schedules place in RAM; undefined where the board makes no difference. */
  private readonly ramResidents: Residents | undefined;
  private readonly board: Board;
  private readonly cacheDir: string;
  private readonly clock: Clock;

  constructor(device: Device, id: string, board: Board, cacheDir: string, clock: Clock) {
    this.device = device;
    this.id = id;
    this.board = board;
    this.cacheDir = cacheDir;
    this.clock = clock;
    this.rooms = roomsOf(device.info, board.bankBytes);
    const residents = ({ base, bytes }: DeviceInfo['load']): Residents => new Residents(base, bytes, board.wayBytes);
    this.residents = residents(this.rooms.constants);
    this.ramResidents = this.rooms.placed && residents(this.rooms.placed.constants);
  }

  /** Never rejects for what a candidate does. A LinkError (the device is gone) does reject: the pool deals with it. */
  measure(attempt: Attempt): Promise<MeasureResult> {
    return this.run(plainOf(attempt, this.board.target));
  }
  /** The same for one that was made elsewhere. */
  async run(a: PlainAttempt): Promise<MeasureResult> {
    const result = await this.attempt(a);
    if (result.status === 'failed' && this.mayHaveLost(result.code))
      for (const r of [this.residents, this.ramResidents]) r?.forget();
    return result;
  }

  /** Where nothing guards the load region, a candidate that went wrong may have written over constants. */
  private mayHaveLost(code: string): boolean {
    return !this.device.info.guarded || code === 'DAMAGED';
  }

  /** The ELF file of a candidate as it is linked for this device. Failures: those of linking. Throws LinkError. */
  async elfOf({ kernel, built }: Pick<Attempt, 'kernel' | 'built'>): Promise<Result<Uint8Array>> {
    const { symbols } = await this.placeConstants(kernel.constants);
    return candidateElf(this.linkOf(built, symbols), this.cacheDir);
  }

  private async attempt(a: PlainAttempt): Promise<MeasureResult> {
    const times: Partial<Record<Stage, number>> = {};
    const timed = stopwatch(this.clock, times);
    const base = { device: this.id, binary: a.binary, times };
    const failed = (stage: Stage, code: string, detail: string): MeasureResult => ({
      status: 'failed',
      stage,
      code,
      detail,
      ...base,
    });
    const { symbols, sent } = await timed('load', () => this.placeConstants(a.constants));
    const link = this.linkOf(a, symbols);
    // While the linker is at work the line has time for what does not depend on it.
    const [linked, place] = await Promise.all([
      timed('link', () => linkCandidate(link, this.cacheDir)),
      timed('load', () => this.prepare(a)),
    ]);
    if (!linked.ok) return failed('link', linked.error.code, linked.error.detail);
    const { images, entry } = linked.value;
    const codeBytes = images.reduce((n, i) => n + i.bytes.length, 0);
    await timed('load', () => this.loadCode(images));
    const run = await timed('run', () => this.call(entry, place.table, a.macs));
    if (!run.ok) return failed('run', run.code, await blame(run, a.unit, link, this.cacheDir));
    const wrong = await timed('verify', () => this.compare(a.vector, place.outputs));
    if (wrong !== undefined) return failed('verify', 'WRONG_OUTPUT', wrong);
    return {
      status: 'ok',
      kind: this.board.kind,
      cycles: median(run.cycles),
      repeats: run.cycles,
      sizes: {
        codeBytes,
        constBytes: a.constants.reduce((n, c) => n + c.bytes.length, 0),
        scratchBytes: a.scratchBytes,
        stackBytes: run.stackBytes,
        ...(Object.keys(a.functions).length > 0 && { functions: a.functions }),
      },
      bytes: { code: codeBytes, constants: sent, rest: place.tableBytes },
      ...base,
    };
  }

  private async placeConstants(constants: PlainAttempt['constants']): Promise<Placed> {
    // Together: a second group could drive out the first.
    if (this.ramResidents === undefined) return this.residents.place(this.device, constants);
    const of = (place: 'flash' | 'ram'): PlainAttempt['constants'] => constants.filter((c) => c.place === place);
    const flash = await this.residents.place(this.device, of('flash'));
    const ram = await this.ramResidents.place(this.device, of('ram'));
    return { symbols: { ...flash.symbols, ...ram.symbols }, sent: flash.sent + ram.sent };
  }

  /** Code at the start of its region; what is placed in RAM at the start of that one. */
  private linkOf({ object }: Pick<PlainAttempt, 'object'>, symbols: Readonly<Record<string, number>>): CandidateLink {
    const { target } = this.board;
    const { code, placed } = this.rooms;
    const where = { base: code.base, maxBytes: code.bytes, ...(placed !== undefined && { ram: placed.code }) };
    return { target, object, symbols, entry: 'mt_entry', ...where };
  }

  /**
   * Where counts are the same every time one run is enough, and it finds caches as a layer finds them in its network:
   * without its own code and weights. Elsewhere one untimed run, then the measured ones.
   */
  private call(entry: number, table: number, macs: number): Promise<CallResult> {
    const times = this.board.deterministic ? { warmups: 0, repeats: 1 } : { warmups: 1, repeats };
    return this.device.call({ entry, args: [table], ...times, deadlineMs: Math.ceil(500 + macs / 2000) });
  }

  private async loadCode(images: readonly Image[]): Promise<void> {
    for (const { base, bytes } of images) await this.device.load(base, bytes);
  }

  /** Lays out inputs, outputs with guards, scratch and the table of their addresses, and fills them. */
  private async prepare(
    a: PlainAttempt,
  ): Promise<{ readonly table: number; readonly tableBytes: number; readonly outputs: readonly number[] }> {
    const { vector, scratchBytes } = a;
    let at = alignBuffer(this.device.info.data.base);
    const take = (bytes: number): number => {
      const here = at;
      at += alignBuffer(bytes) + guardBytes;
      return here;
    };
    const inputs = vector.inputs.map((input) => take(input.bytes));
    const outputs = vector.outputs.map((output) => take(output.length));
    const scratch = take(scratchBytes);
    for (const [i, input] of vector.inputs.entries()) {
      const to = inputs[i] as number;
      if (input.data !== undefined) await this.device.load(to, input.data);
      else await this.device.fill(to, input.bytes, input.seed, 0);
    }
    for (const [i, output] of vector.outputs.entries())
      await this.device.fill(outputs[i] as number, output.length + guardBytes, guardFill.seed, guardFill.shr);
    const addresses = [...inputs, ...outputs, ...(scratchBytes > 0 ? [scratch] : [])];
    const table = at;
    const bytes = new Uint8Array(Uint32Array.from(addresses).buffer);
    await this.device.load(table, bytes);
    return { table, tableBytes: bytes.length, outputs };
  }

  private async compare(vector: Vector, outputs: readonly number[]): Promise<string | undefined> {
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

/** A device's constants in a trial: all of them lie apart, wherever a schedule wants them and whatever was resident before. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { host } from '../../boards/host/index.ts';
import type { KernelC, KernelConstant } from '../../compiler/program/print-c.ts';
import type { Device } from '../../firmware-rpc/host/device.ts';
import type { Bench } from '../../tuner/measure/bench.ts';
import { buildCandidate } from '../../tuner/measure/builder.ts';
import { Station } from '../../tuner/measure/runner.ts';
import { expectOk } from '../wire/host-board.ts';

const cacheDir = mkdtempSync(join(tmpdir(), 'microtune-station-'));
afterAll(() => rmSync(cacheDir, { recursive: true, force: true }));

const constant = (symbol: string, fill: number, place: KernelConstant['place'], bytes = 64): KernelConstant => ({
  name: symbol,
  symbol,
  bytes: new Uint8Array(bytes).fill(fill),
  ctype: 'int8_t',
  align: 4,
  place,
});
const kernel = (constants: readonly KernelConstant[]): KernelC => ({
  symbol: 'k',
  source: '#include <stdint.h>\nvoid k(void) {}\n',
  prototype: 'void k(void)',
  constants,
  scratchBytes: 0,
  stackBytes: 0,
  params: [],
  flags: [],
  codePlace: 'flash',
});
const bench: Bench = { inputBytes: [], outputBytes: [], macs: 0, vector: () => ({ inputs: [], outputs: [] }) };

/** A device that remembers its memory, with room for `bytes` of constants; how its calls end. */
class Memory {
  readonly bytes = new Map<number, number>();
  sent = 0;
  ending: 'DAMAGED' | 'FAULT' = 'FAULT';
  private readonly room: number;
  constructor(room: number) {
    this.room = room;
  }
  device(): Device {
    const none = { base: 0, bytes: 0 };
    const load = { base: 0, bytes: 2 * this.room };
    return {
      info: { guarded: true, load, data: { base: 2 ** 20, bytes: 1024 }, ramCode: none, ramData: none },
      load: async (at: number, data: Uint8Array) => {
        if (at >= this.room && at < 2 * this.room) this.sent += data.length;
        for (const [i, b] of data.entries()) this.bytes.set(at + i, b);
      },
      call: async () => ({ ok: false, code: this.ending, detail: '' }),
    } as unknown as Device;
  }
  has(fill: number): boolean {
    return [...this.bytes].filter(([at, b]) => at >= this.room && at < 2 * this.room && b === fill).length === 64;
  }
}
const run = async (station: Station, constants: readonly KernelConstant[]): Promise<void> => {
  const k = kernel(constants);
  const built = expectOk(await buildCandidate(k, host.target, cacheDir));
  await station.measure({ kernel: k, built, bench, vector: 0 });
};

test('on a board with one load region, constants for RAM and for flash do not drive each other out', async () => {
  const memory = new Memory(128);
  const station = new Station(memory.device(), 'a', host, cacheDir, () => 0);
  await run(station, [constant('before', 1, 'flash', 32)]);
  await run(station, [constant('w', 2, 'flash'), constant('b', 3, 'ram')]);
  expect([2, 3].map((fill) => memory.has(fill))).toEqual([true, true]);
});

test('behind a call that damaged a device nothing is resident, guarded or not', async () => {
  const memory = new Memory(256);
  const station = new Station(memory.device(), 'a', host, cacheDir, () => 0);
  const sent = async (): Promise<number> => {
    const before = memory.sent;
    await run(station, [constant('w', 2, 'flash')]);
    return memory.sent - before;
  };
  expect([await sent(), await sent()]).toEqual([64, 0]);
  memory.ending = 'DAMAGED';
  expect([await sent(), await sent()]).toEqual([0, 64]);
});

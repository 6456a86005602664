/**
 * Is a device still the one that it was? A small known kernel (loads, multiplies, branches, a constant) is loaded and run like
 * any candidate: what it computes must equal the reference below, and what it counts must be what was counted first. Must stay
 * true: the kernel needs a kilobyte of the data region and nothing resident, so that it runs on the smallest board, and it
 * leaves alone what is resident.
 */
import type { Board, Kind } from '../../boards/board.ts';
import { failed, ok, type Result } from '../../compiler/result.ts';
import type { Device } from '../../firmware-rpc/host/device.ts';
import { fillBytes, guardBytes, guardedCrc, guardFill } from './bench.ts';
import { type AnyDevice, isFar } from './far.ts';
import { KnownKernel } from './known-kernel.ts';

const taps = 16;
const weights = Int8Array.from(fillBytes(taps, 7));
const inputSeed = 11;
/** Outputs of the usual check. */
export const healthLength = 128;
/** The most that fit the kilobyte. */
export const longestHealth = 3 * healthLength;

const source = `#include <stdint.h>
static const int8_t weights[${taps}] = {${weights.join(', ')}};
uint32_t mt_entry(uint32_t in, uint32_t out, uint32_t n) {
  const int8_t *x = (const int8_t *)(uintptr_t)in;
  uint8_t *y = (uint8_t *)(uintptr_t)out;
  uint32_t state = 1u;
  for (uint32_t i = 0; i < n; i++) {
    uint32_t sum = state;
    for (uint32_t k = 0; k < ${taps}u; k++) sum += (uint32_t)((int32_t)x[i + k] * weights[k]);
    while ((sum & 7u) > 4u) sum = sum * 3u + 1u;
    state = sum;
    y[i] = (uint8_t)(state >> 8);
  }
  return state;
}
`;

/** What the kernel computes from `n + taps` bytes of FILL: the same, written apart. */
export function healthOutput(n: number): { readonly bytes: Uint8Array; readonly returned: number } {
  const x = Int8Array.from(fillBytes(n + taps, inputSeed));
  let state = 1;
  const bytes = Uint8Array.from({ length: n }, (_, i) => {
    const dot = weights.reduce((sum, w, k) => sum + w * (x[i + k] ?? 0), 0);
    state = (state + dot) >>> 0;
    while (state % 8 > 4) state = (Math.imul(state, 3) + 1) >>> 0;
    return state >>> 8;
  });
  return { bytes, returned: state };
}

/** Repeats where counts scatter; the smallest is what nothing disturbed. */
const repeats = 9;
const deadlineMs = 2000;
const align = (n: number): number => Math.ceil(n / 32) * 32;

/** The known kernel for one board. */
export class HealthKernel {
  private readonly board: Board;
  private readonly kernel: KnownKernel;

  constructor(board: Board, cacheDir: string) {
    this.board = board;
    this.kernel = new KnownKernel(board, 'health', source, cacheDir);
  }

  /** What counts depend on beside device and firmware. */
  identity(): Promise<Result<string>> {
    return this.kernel.identity();
  }

  /**
   * Counts of the kernel for `length` outputs. Failures: HEALTH_WRONG for a wrong answer or one that did not come, and those
   * of compiling and linking. Throws LinkError.
   */
  async run(device: Device, length = healthLength): Promise<Result<number>> {
    const entry = await this.kernel.load(device);
    if (!entry.ok) return entry;
    const input = device.info.data.base;
    const output = input + align(length + taps);
    await device.fill(input, length + taps, inputSeed, 0);
    await device.fill(output, length + guardBytes, guardFill.seed, guardFill.shr);
    const times = this.board.deterministic ? { warmups: 0, repeats: 1 } : { warmups: 1, repeats };
    const called = await device.call({ entry: entry.value, args: [input, output, length], ...times, deadlineMs });
    if (!called.ok)
      return failed('health', 'HEALTH_WRONG', `the known kernel ended with ${called.code}: ${called.detail}`);
    const want = healthOutput(length);
    const crc = await device.crc(output, length + guardBytes);
    if (called.returned !== want.returned || crc !== guardedCrc(want.bytes))
      return failed('health', 'HEALTH_WRONG', 'the known kernel computed something else than it must');
    return ok(Math.min(...called.cycles));
  }
}

/**
 * How far a count may be from the first one, as a part of it, where it may differ at all. A board's clock and its flash settings
 * do not change by themselves; a PC does what it likes with the time of a process.
 */
const bands: Readonly<Record<Kind, number>> = { silicon: 0.02, model: 0.02, instructions: 0.02, host: 2 };

/** Counts that were read first, for as long as the process lives; shared by the pools of one board after another. */
export class Baselines {
  private readonly first = new Map<string, number>();

  /** The count that stands for this key: the one that was given first. */
  of(key: string, count: number): number {
    const known = this.first.get(key) ?? count;
    this.first.set(key, known);
    return known;
  }
}

/** What a health check found. */
export interface Health {
  readonly count: number;
  /** What it was first. */
  readonly baseline: number;
}
/** Which device is checked: what stands for it in records, and the build of its firmware. */
export interface Patient {
  readonly id: string;
  readonly build: string;
}
export type CheckHealth = (device: AnyDevice, patient: Patient) => Promise<Result<Health>>;

/**
 * The health check of a board's devices. Devices whose counts never scatter share a baseline, wherever they are, others have
 * their own. Failures: those of the kernel, and HEALTH_DRIFT for another count than the first one. Throws LinkError.
 */
export function healthCheck(board: Board, cacheDir: string, baselines: Baselines): CheckHealth {
  const kernel = new HealthKernel(board, cacheDir);
  return async (device, { id, build }) => {
    const counted = await (isFar(device) ? device.count() : kernel.run(device));
    const identity = await kernel.identity();
    if (!counted.ok) return counted;
    if (!identity.ok) return identity;
    const count = counted.value;
    const whose = board.deterministic ? [] : [id];
    const baseline = baselines.of([board.id, board.kind, build, identity.value, ...whose].join(' '), count);
    if (within(board, count, baseline)) return ok({ count, baseline });
    return failed('health', 'HEALTH_DRIFT', `the known kernel counts ${count}; first it was ${baseline}`);
  };
}

/** A board that is said to count the same every time must. */
export function within(board: Pick<Board, 'deterministic' | 'kind'>, count: number, baseline: number): boolean {
  const band = board.deterministic ? 1 : 1 + bands[board.kind];
  return count <= baseline * band && count * band >= baseline;
}

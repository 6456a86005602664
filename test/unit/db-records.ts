/** Random records for the tests of the database: awkward texts and missing parts included. */
import type { Kind } from '../../boards/board.ts';
import type { NewRecord } from '../../db/index.ts';
import type { Config } from '../../tuner/types.ts';
import { Random } from './random.ts';

export const tasks = ['t0', 't1', 't2'] as const;
export const boards = ['host', 'mps2-an386'] as const;
export const jobNames = ['j-a', 'j-b', null] as const;
const words = ['', 'x', 'ü – "q", \r\n;', "it's", '{"a":1}', '\u{1f41c}\t\\', '=1+1'] as const;

const configOf = (r: Random): Config =>
  r.int(0, 1) === 0
    ? {
        template: 'conv-gemm',
        version: r.int(1, 3),
        knobs: { tile: r.int(1, 8), pack: r.pick(words), a: 0.1 * r.int(0, 9) },
      }
    : { template: r.pick(['default', 'literal'] as const), version: 1, schedule: scheduleOf(r) };
const scheduleOf = (r: Random) => ({
  algorithm: r.pick(words),
  steps: Array.from({ length: r.int(0, 3) }, () => ({ primitive: 'unroll' as const, loop: r.pick(words) })),
});

/** A record that the contract allows, awkward texts and missing parts included. Workloads are a function of the task. */
export function randomRecord(r: Random): NewRecord {
  const task = r.pick(tasks);
  const config = configOf(r);
  const common = {
    job: r.pick(jobNames),
    task,
    workload: `{"op":"conv","of":"${task}"}`,
    board: r.pick(boards),
    kind: r.pick<Kind>(['host', 'instructions']),
    toolchain: r.pick(['gcc 12', 'gcc 13']),
    flags: r.pick(['', '-mthumb -O2']),
    firmware: r.pick([null, '', 'f00d']),
    device: r.pick([null, 'qemu-0']),
    policy: r.pick(['random', 'evolutionary']),
    template: config.template,
    config,
    schedule: scheduleOf(r),
    binary: r.pick([null, 'b0', 'b1', 'b2', 'b3']),
    reusedFrom: r.pick([null, null, null, 't-elsewhere-000000001']),
    times: r.pick([{}, { compile: 12.5, run: r.int(0, 99) }]),
    bytes: r.pick([null, { code: r.int(0, 999), constants: 0, rest: 7 }]),
  };
  const cycles = r.int(1, 12) * 0.5;
  return r.int(0, 2) > 0
    ? {
        ...common,
        status: 'ok',
        stage: null,
        code: null,
        detail: null,
        cycles,
        repeats: r.pick([null, [cycles, cycles + 1]]),
        sizes: { codeBytes: r.int(0, 2 ** 31), constBytes: 1, scratchBytes: 0, stackBytes: 64 },
      }
    : {
        ...common,
        status: 'failed',
        stage: r.pick(['compile', 'run', 'verify'] as const),
        code: r.pick(['FAULT', 'DEADLINE']),
        detail: r.pick(words),
        cycles: null,
        repeats: null,
        sizes: null,
      };
}
export const seededRecords = (seed: number, count: number): NewRecord[] => {
  const r = new Random(seed);
  return Array.from({ length: count }, () => randomRecord(r));
};

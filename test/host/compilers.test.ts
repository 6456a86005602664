/**
 * Kernels made by Clang, linked by the board's GCC: the objects are Clang's, a whole network answers as the model does, and what was
 * measured with one compiler says nothing of the other.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { host } from '../../boards/host/index.ts';
import { type BoardModule, compiledBy, compilers } from '../../boards/index.ts';
import { nucleoG0b1re } from '../../boards/nucleo-g0b1re/index.ts';
import { nucleoL4r5zi } from '../../boards/nucleo-l4r5zi/index.ts';
import { riscv32Virt } from '../../boards/riscv32-virt/index.ts';
import { tasksOf } from '../../compiler/tasks.ts';
import { openStore } from '../../db/index.ts';
import type { Store } from '../../db/types.ts';
import { defaultSchedule } from '../../kernels/index.ts';
import { build, verify } from '../../server/build.ts';
import type { Models } from '../../server/models.ts';
import { offersFor, selectKnown, toolchainOf } from '../../server/offers.ts';
import { remake } from '../../server/trials/remake.ts';
import {
  candidateElf,
  commandOf,
  compileUnit,
  findTool,
  readElf,
  toolchainVersion,
  type Unit,
} from '../../toolchain/index.ts';
import { recordWith } from '../server/bench.ts';
import { Draft } from '../unit/graphs.ts';
import { Random } from '../unit/random.ts';
import { expectOk } from '../wire/host-board.ts';

const dir = mkdtempSync(join(tmpdir(), 'microtune-compilers-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const cache = join(dir, 'cache');
const absent = (board: BoardModule): boolean => ['clang', board.target.compiler].some((t) => findTool(t) === undefined);
if (findTool('clang') === undefined) console.log('clang is not installed: kernels are not made by it');

const unit = (board: BoardModule, flags: readonly string[] = []): Unit => ({
  target: board.target,
  name: 'k',
  source: '#include <stdint.h>\nint mt_entry(int8_t *p, const int8_t *q) { __builtin_memcpy(p, q, 999); return p[3]; }',
  flags,
  headers: {},
});

describe.each([host, nucleoL4r5zi, nucleoG0b1re, riscv32Virt])('$id', (board) => {
  const clang = compiledBy(board, 'clang');
  test.skipIf(absent(board))('an object of its own, that GCC links', async () => {
    const [ours, theirs] = [
      expectOk(await compileUnit(unit(board), cache)),
      expectOk(await compileUnit(unit(clang), cache)),
    ];
    expect([ours, theirs].map((o) => /clang/.test(readFileSync(o.path, 'latin1')))).toEqual([false, true]);
    expect(ours.hash).not.toBe(theirs.hash);
    const link = { target: clang.target, object: theirs, base: 0x20000000, symbols: {}, entry: 'mt_entry' };
    const elf = readElf(expectOk(await candidateElf({ ...link, maxBytes: 4096 }, cache)));
    expect(elf.images()[0]?.base).toBe(0x20000000);
  });
  test.skipIf(absent(board))('its version is the toolchain of records', async () => {
    const versions = await Promise.all(compilers.map((c) => toolchainVersion(compiledBy(clang, c).target)));
    const [gcc, other] = versions.map((v) => expectOk(v));
    expect(other).toMatch(/clang version/);
    expect(gcc).not.toMatch(/clang/);
  });
});

test('a schedule keeps its -O level, passes that only GCC knows are left out', () => {
  const flags = ['-O3', '-fno-store-merging', '-fno-schedule-insns', '-fstack-usage'];
  const clang = commandOf(unit(compiledBy(riscv32Virt, 'clang'), flags));
  expect(clang).toEqual(expect.arrayContaining(['clang', '-O3', '-fstack-usage', '-march=rv32imafc', '-fno-common']));
  expect(clang.join(' ')).not.toMatch(/store-merging|schedule-insns/);
  expect(commandOf(unit(riscv32Virt, flags)).slice(-8, -4)).toEqual(flags);
  expect(compiledBy(compiledBy(riscv32Virt, 'clang'), 'gcc')).toEqual(riscv32Virt);
});

const quant = { scale: [0.05], zeroPoint: [2], axis: 0 };
const attrs = { stride: [1, 1], dilation: [1, 1], pad: [1, 1, 1, 1], activation: 'relu' };
const d = new Draft(new Random(4), 'tflite');
const weights = d.constant('int8', [5, 3, 3, 3], [-127, 127], { scale: [0.004], zeroPoint: [0], axis: 0 });
const conv = d.node('conv2d', attrs, [d.input('int8', [1, 7, 6, 3], quant), weights, -1], { dtype: 'int8', quant });
const graph = d.finish('small', [conv]);
const tasks = tasksOf(graph, { rounding: 'double' });

test.skipIf(absent(host))('a network made by Clang answers as the model does', async () => {
  const board = compiledBy(host, 'clang');
  const toolchain = toolchainOf(board, expectOk(await toolchainVersion(board.target)));
  const selected = selectKnown(tasks, board, undefined, toolchain);
  const made = await build({ graph, name: 'net', board, selected, outDir: join(dir, 'out'), cacheDir: cache });
  const verified = expectOk(await verify(expectOk(made), board, graph, 3));
  expect(verified.inputs).toBe(3);
});

test('a record of one compiler is not taken for the other', () => {
  const store = expectOk(openStore({ dir: join(dir, 'data') }, { mode: 'write' }));
  const [task] = tasks;
  if (task === undefined) throw new Error('no task');
  const boards = compilers.map((c) => compiledBy(nucleoL4r5zi, c));
  const toolchains = boards.map((b, i) => toolchainOf(b, `${compilers[i]} 1`));
  const ids = toolchains.map(({ version: toolchain, flags }, i) => {
    const schedule = defaultSchedule(task.workload, nucleoL4r5zi.target.features);
    const on = { board: nucleoL4r5zi.id, kind: nucleoL4r5zi.kind, toolchain, flags };
    return store.addRecord(recordWith({ ...on, task: task.id, workload: task.key, schedule, binary: `b${i}` })).id;
  });
  const offered = toolchains.map((t, i) =>
    (offersFor(tasks, boards[i] ?? host, store, t).get(task.id) ?? []).flatMap((k) => k.offer.record ?? []),
  );
  store.close();
  expect(offered).toEqual(ids.map((id) => [id]));
});

test.skipIf(absent(host))("a trial is made again by its own compiler, whichever is the daemon's", async () => {
  const [task] = tasks;
  if (task === undefined) throw new Error('no task');
  const schedule = defaultSchedule(task.workload, host.target.features);
  // Of the store and the models it wants to know but the network that has the task.
  const store = { job: () => ({ model: 'm' }), log: { task: () => undefined } } as unknown as Store;
  const models = { prepared: () => ({ graph, tasks }) } as unknown as Models;
  for (const own of compilers)
    for (const daemon of compilers) {
      const board = compiledBy(host, own);
      const toolchain = expectOk(await toolchainVersion(board.target));
      const of = { id: 'r', at: '', doubt: null, job: 'j', board: host.id, task: task.id, schedule, toolchain };
      const again = async (binary: string | null) =>
        expectOk(
          await remake(
            { store, models, boards: [compiledBy(host, daemon)], cacheDir: cache },
            { ...recordWith({}), ...of, binary },
          ),
        );
      const { built } = await again(null);
      const made = await again(expectOk(built).binary);
      expect([made.board.target.kernels?.compiler ?? 'gcc', made.same]).toEqual([own, true]);
    }
});

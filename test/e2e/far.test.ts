/**
 * A device at another host against one of this host, without a network in between: what a trial comes to is the same, whether its
 * candidate is right, wrong or kills the device's call; trouble of the other host is a broken link, never a result.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import Schema from 'typebox/schema';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { BoardModule, BuiltFirmware } from '../../boards/index.ts';
import { mps2An386 as board } from '../../boards/mps2-an386/index.ts';
import { importModel } from '../../compiler/import/index.ts';
import { operatorOf } from '../../compiler/ops/index.ts';
import { runPasses } from '../../compiler/passes/index.ts';
import { bind } from '../../compiler/program/index.ts';
import { type KernelC, printC } from '../../compiler/program/print-c.ts';
import { ok } from '../../compiler/result.ts';
import { tasksOf } from '../../compiler/tasks.ts';
import { LinkError } from '../../firmware-rpc/host/device.ts';
import { FarSource } from '../../server/farm/far-source.ts';
import { AnswerBody, LeaseBody } from '../../server/schemas/index.ts';
import { Stand } from '../../server/worker/stand.ts';
import type { Attempt } from '../../tuner/measure/attempt.ts';
import { type Bench, benchOf, fillBytes } from '../../tuner/measure/bench.ts';
import { buildCandidate, vectorOf } from '../../tuner/measure/builder.ts';
import { type FarDevice, FarStation } from '../../tuner/measure/far.ts';
import { Baselines, healthCheck } from '../../tuner/measure/health.ts';
import { Station } from '../../tuner/measure/runner.ts';
import type { MeasureResult } from '../../tuner/types.ts';
import { smallModel } from '../server/model.ts';
import { turn } from '../unit/pool-devices.ts';
import { expectOk, firmwareIn, workFolder } from '../wire/host-board.ts';

const folder = workFolder();
const [here, there] = ['here', 'there'].map((name) => join(folder.dir, name)) as [string, string];
let firmware: BuiltFirmware;
beforeAll(async () => {
  for (const dir of [here, there]) mkdirSync(dir);
  firmware = await firmwareIn(folder.dir, board);
});
afterAll(() => folder.remove());

const opened = async () => {
  if (board.open === undefined) throw new Error('no emulator');
  return board.open({ firmware, bulk: 'shared' });
};
/** As over HTTP: JSON of the documented form, both ways. */
function travelled<T>(form: typeof LeaseBody | typeof AnswerBody, content: T): T {
  const text = JSON.stringify(content);
  expect(Schema.Errors(form, JSON.parse(text))).toEqual([true, []]);
  return JSON.parse(text) as T;
}
function farAway(as: BoardModule = board) {
  const stand = new Stand('one', as, { name: 'one', id: 'one', open: opened }, there);
  const asked: string[] = [];
  const errand = async (content: LeaseBody) => {
    asked.push(content.errand);
    return ok(travelled(AnswerBody, await stand.perform(travelled(LeaseBody, content))));
  };
  const host = { name: 'bench2', here: true, errand };
  return { stand, asked, source: new FarSource(host, { name: 'one', remedies: [] }, async () => ok(firmware)) };
}

async function attemptOf(kernel: KernelC, bench: Bench): Promise<Attempt> {
  const built = expectOk(await buildCandidate(kernel, board.target, here));
  return { kernel, built, bench, vector: vectorOf(built) };
}
/** Every layer of a network, as it stands in its operator; and candidates that go wrong. */
async function attempts(): Promise<readonly Attempt[]> {
  const graph = runPasses(expectOk(importModel(smallModel(1), 'small.tflite')), { optional: 'all' });
  const right = tasksOf(graph, { rounding: 'double' }).map((task) => {
    const [naive] = Object.values(operatorOf(task.workload.op).programs(task.workload));
    const [occurrence] = task.occurrences;
    if (naive === undefined || occurrence === undefined) throw new Error('a task without a layer');
    return attemptOf(printC(bind(naive, occurrence.constants), 'mt_candidate'), benchOf(task, graph));
  });
  const [first] = await Promise.all(right);
  if (first === undefined) throw new Error('no layers');
  const given: Bench = {
    ...first.bench,
    vector: (n) => {
      const { inputs, outputs } = first.bench.vector(n);
      return { outputs, inputs: inputs.map((i) => ({ ...i, data: fillBytes(i.bytes, i.seed) })) };
    },
  };
  const wrong: Bench = {
    ...first.bench,
    vector: (n) => ({
      ...first.bench.vector(n),
      outputs: first.bench.vector(n).outputs.map((o) => o.map((b) => b ^ 1)),
    }),
  };
  const { constants: _, ...rest } = first.kernel;
  const source = `#include <stdint.h>\nvoid ${rest.symbol}(void) {\n  *(volatile int *)(uintptr_t)0x10 = 1;\n}\n`;
  const fault: KernelC = { ...rest, source, constants: [], params: [], prototype: `void ${rest.symbol}(void)` };
  return [
    ...(await Promise.all(right)),
    { ...first, bench: given },
    { ...first, bench: wrong },
    await attemptOf(fault, first.bench),
  ];
}

/** What must be the same wherever it ran. */
const common = ({ times, device: _, ...rest }: MeasureResult) => ({ ...rest, stages: Object.keys(times).sort() });

test('a trial comes to the same at another host: counts, sizes, bytes, and the words of what went wrong', async () => {
  const near = expectOk(await opened());
  const { source } = farAway();
  const far = expectOk(await source.open());
  try {
    expect(far.info).toEqual({ board: board.id, uid: near.info.uid, buildId: await source.build() });
    const [a, b] = [new Station(near, 'near', board, here, () => 0), new FarStation(far, source.id, board)];
    const results: MeasureResult[] = [];
    for (const attempt of await attempts()) {
      const result = await b.measure(attempt);
      expect(common(result)).toEqual(common(await a.measure(attempt)));
      results.push(result);
    }
    expect(results.every((r) => r.device === 'bench2/one')).toBe(true);
    const ends = results.map((r) => (r.status === 'ok' ? r.status : r.code));
    expect(ends.slice(-3)).toEqual(['ok', 'WRONG_OUTPUT', 'FAULT']);
    expect(ends.slice(0, -3).every((end) => end === 'ok')).toBe(true);
    // The line of the candidate's C.
    expect(results.at(-1)).toMatchObject({ detail: expect.stringContaining('line 3') });
    // Both are checked against one baseline.
    const check = healthCheck(board, here, new Baselines());
    const healths = [await check(near, { id: 'near', build: '' }), await check(far, { id: 'far', build: '' })];
    expect(healths[1]).toEqual(healths[0]);
    // Behind a reset nothing is resident there either.
    const [first] = await attempts();
    if (first === undefined) throw new Error('no layers');
    for (const device of [near, far]) await device.reset();
    const anew = new Station(near, 'near', board, here, () => 0);
    expect(common(await b.measure(first))).toEqual(common(await anew.measure(first)));
  } finally {
    await Promise.all([near.close(), far.close()]);
  }
});

test('trouble of the other host is a broken link, not a result', async () => {
  const linkless = farAway({ ...board, target: { ...board.target, compiler: 'arm-none-such-gcc' } });
  const [attempt] = await attempts();
  if (attempt === undefined) throw new Error('no layers');
  const ill = expectOk(await linkless.source.open());
  const measure = (far: FarDevice) => new FarStation(far, 'far', board).measure(attempt);
  await expect(measure(ill)).rejects.toThrow(/bench2: TOOL_MISSING: .*arm-none-such-gcc/);
  await expect(measure(ill)).rejects.toThrow(LinkError);
  await expect(measure(ill)).rejects.toThrow('the device is not open');
  const { stand, source } = farAway();
  const far = expectOk(await source.open());
  // A cache that was deleted is made again.
  rmSync(there, { recursive: true });
  expect(await measure(far)).toMatchObject({ status: 'ok' });
  await Promise.all([stand.close(), linkless.stand.close()]);
});

test('a device that is closed under its trial: whoever waits is told at once, and the device can be opened again', async () => {
  const { stand, asked, source } = farAway();
  const [attempt] = await attempts();
  if (attempt === undefined) throw new Error('no layers');
  const { symbol } = attempt.kernel;
  const body = 'for (;;) __asm__ volatile("");';
  const endless = {
    ...attempt.kernel,
    constants: [],
    params: [],
    source: `#include <stdint.h>\nvoid ${symbol}(void) { ${body} }\n`,
  };
  const far = expectOk(await source.open());
  // Its deadline is hours away.
  const waiting = new FarStation(far, source.id, board).measure(
    await attemptOf(endless, { ...attempt.bench, macs: 1e11 }),
  );
  const told = expect(waiting).rejects.toThrow('the device was closed');
  while (asked.at(-1) !== 'measure') await turn();
  await far.close();
  await told;
  expect(asked).toEqual(['open', 'measure', 'close']);
  const again = expectOk(await source.open());
  // What is of the session before comes too late, and the new one does not notice.
  await expect(far.count()).rejects.toThrow('the device is not open');
  await far.close();
  expect(await new FarStation(again, source.id, board).measure(attempt)).toMatchObject({ status: 'ok' });
  await stand.close();
});

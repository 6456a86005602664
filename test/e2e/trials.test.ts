/** One trial whole, with the real compiler and emulated boards: shown, made again, measured again. */
import { expect, test } from 'vitest';
import { type BoardModule, boardOf } from '../../boards/index.ts';
import type { NewRecord } from '../../db/types.ts';
import { defaultSchedule } from '../../kernels/index.ts';
import { type Prepared, prepare } from '../../server/models.ts';
import type { ReplayBody, TrialBody } from '../../server/schemas/index.ts';
import { type Bench, errorIn, recordWith, startBench } from '../server/bench.ts';
import { smallModel } from '../server/model.ts';
import { expectOk } from '../wire/host-board.ts';

const fast = 'mps2-an386';
const twin = 'nucleo-l4r5zi';
const known = (id: string): BoardModule => {
  const board = boardOf(id);
  if (board === undefined) throw new Error(`no board ${id}`);
  return board;
};
const network: Prepared = expectOk(prepare(smallModel(1), 'small.tflite'));

/** What a trial of the network's first layer with its default schedule leaves. */
function firstTrial(id: string, change: Partial<NewRecord> = {}): NewRecord {
  const board = known(id);
  const [task] = network.tasks;
  if (task === undefined) throw new Error('no layers');
  const schedule = defaultSchedule(task.workload, board.target.features);
  const config = { template: 'default', version: 1, schedule } as const;
  return recordWith({
    board: id,
    kind: board.kind,
    task: task.id,
    workload: task.key,
    config,
    schedule,
    binary: null,
    ...change,
  });
}
/** A device that was lost, say. */
const failure = {
  status: 'failed',
  stage: 'run',
  code: 'LINK',
  detail: 'x',
  cycles: null,
  repeats: null,
  sizes: null,
  bytes: null,
} as const;

async function show(bench: Bench, id: string): Promise<TrialBody> {
  const answer = await bench.get(`/v1/trials/${id}`);
  expect(answer.statusCode, answer.body).toBe(200);
  return answer.json<TrialBody>();
}
async function replay(bench: Bench, id: string): Promise<ReplayBody> {
  const answer = await bench.post(`/v1/trials/${id}/replay`);
  expect(answer.statusCode, answer.body).toBe(200);
  return answer.json<ReplayBody>();
}

test('a trial measured again is a record of its own; again, it is the same to the cycle', async () => {
  const bench = await startBench();
  await bench.upload(smallModel(1), '?name=small.tflite');
  const old = bench.store.addRecord(firstTrial(fast, failure));
  const first = await replay(bench, old.id);
  expect([first.was, first.same, first.sameBinary]).toEqual([null, false, null]);
  expect(first.record).toMatchObject({
    policy: 'replay',
    job: null,
    status: 'ok',
    doubt: null,
    board: fast,
    cycles: first.now,
  });
  expect(first.now).toBeGreaterThan(1000);
  expect(first.record.device).not.toBeNull();
  expect(first.record.firmware).not.toBeNull();
  const second = await replay(bench, first.record.id);
  expect([second.was, second.now, second.same, second.sameBinary]).toEqual([first.now, first.now, true, true]);
  expect(bench.store.record(old.id)).toEqual(old);
  const shown = await show(bench, second.record.id);
  expect(shown.sameBinary).toBe(true);
  expect(shown.missing).toBeNull();
  expect(shown.task.layers.map((l) => l.modelName)).toEqual(['small.tflite', 'small.tflite']);
  expect(shown.source).toContain('void mt_candidate(');
  expect(shown.compiler?.command).toMatch(/^arm-none-eabi-gcc .*-mcpu=cortex-m4/);
  expect(shown.words).toMatch(/^default: /);
  expect(shown.stages.map((s) => s.stage)).toEqual(expect.arrayContaining(['link', 'load', 'run', 'verify']));
  // No timing model there: machine code as the object has it.
  expect(shown.disassembly?.cycles).toBeNull();
  expect(shown.disassembly?.lines.some((l) => l.symbol === 'mt_candidate')).toBe(true);
  expect(shown.disassembly?.lines.every((l) => l.count === null)).toBe(true);
  // Another network with the same layer and other constants: said, not passed off as it.
  const other = await startBench();
  await other.upload(smallModel(2), '?name=other.tflite');
  const foreign = other.store.addRecord({ ...firstTrial(fast), binary: first.record.binary });
  expect((await show(other, foreign.id)).sameBinary).toBe(false);
  // With the network itself there as well, its constants are found.
  await other.upload(smallModel(1), '?name=small.tflite');
  const both = other.store.addRecord({ ...firstTrial(fast), binary: first.record.binary });
  expect((await show(other, both.id)).sameBinary).toBe(true);
});

test('on a twin each instruction has its count and cycles; the hot ones make up what the trial took', async () => {
  const bench = await startBench();
  await bench.upload(smallModel(1), '?name=small.tflite');
  const { record } = await replay(bench, bench.store.addRecord(firstTrial(twin)).id);
  const { disassembly } = await show(bench, record.id);
  expect(disassembly?.cycles).toBe('model');
  const sum = (disassembly?.lines ?? []).reduce((n, l) => n + (l.cycles ?? 0), 0);
  expect(sum).toBeLessThanOrEqual(record.cycles ?? 0);
  expect(sum).toBeGreaterThan(0.99 * (record.cycles ?? 0));
  for (const { cycles, causes, count } of disassembly?.lines ?? [])
    if (cycles !== null && count !== null) {
      expect(Object.values(causes ?? {}).reduce((a, b) => a + b, 0)).toBe(cycles);
      expect(cycles).toBeGreaterThanOrEqual(count / 2);
    }
});

test('what cannot be made again: the record is shown, the reason said, a replay refused', async () => {
  const bench = await startBench();
  const orphan = bench.store.addRecord(recordWith({ board: fast }));
  const shown = await show(bench, orphan.id);
  expect([shown.source, shown.disassembly, shown.compiler]).toEqual([null, null, null]);
  expect(shown.missing).toMatch(/no network/);
  await bench.upload(smallModel(1));
  const schedule = { algorithm: 'from tomorrow', steps: [] };
  const strange = bench.store.addRecord(firstTrial(fast, { schedule }));
  expect((await show(bench, strange.id)).missing).toMatch(/not accepted any more/);
  const elsewhere = bench.store.addRecord(firstTrial(fast, { board: 'gone' }));
  for (const { id } of [orphan, strange, elsewhere]) {
    const refused = await bench.post(`/v1/trials/${id}/replay`);
    expect([refused.statusCode, errorIn(refused).code]).toEqual([409, 'TRIAL_UNMAKEABLE']);
  }
  const silicon = await bench.post(
    `/v1/trials/${bench.store.addRecord(firstTrial(fast, { kind: 'silicon' })).id}/replay`,
  );
  expect([silicon.statusCode, errorIn(silicon).code]).toEqual([409, 'KINDS_MIXED']);
  for (const answer of [await bench.get('/v1/trials/t-0'), await bench.post('/v1/trials/t-0/replay')])
    expect([answer.statusCode, errorIn(answer).code]).toEqual([404, 'TRIAL_NOT_FOUND']);
});

/** The client's methods for the log as a whole and for what takes room, against the real routes. */
import { expect, test } from 'vitest';
import { Client, type Place } from '../../client/index.ts';
import type { Result } from '../../compiler/result.ts';
import { recordsToJsonLines } from '../../db/index.ts';
import type { ModelBody } from '../../server/schemas/index.ts';
import { opened, room } from '../unit/db-helpers.ts';
import { type Bench, recordWith, startBench } from './bench.ts';
import { smallModel } from './model.ts';

async function got<T>(asked: Promise<Result<T>>): Promise<T> {
  const answer = await asked;
  if (!answer.ok) throw new Error(`${answer.error.code}: ${answer.error.detail}`);
  return answer.value;
}

/** Two trials of a task's template, its default, and one that failed. */
function fill(b: Bench): Place {
  const knobs = (rows: number) => ({ config: { template: 'conv', version: 1, knobs: { rows } }, template: 'conv' });
  const first = b.store.addRecord(recordWith({ cycles: 1000 }));
  b.store.addRecord(recordWith({ ...knobs(1), cycles: 700, binary: 'b1' }));
  b.store.addRecord(recordWith({ ...knobs(2), cycles: 500, binary: 'b2', policy: 'guided' }));
  const failure = { status: 'failed', stage: 'run', code: 'FAULT', detail: 'x', cycles: null, repeats: null } as const;
  b.store.addRecord(recordWith({ ...knobs(4), ...failure, binary: 'b3' }));
  return { task: first.task, board: first.board, kind: first.kind };
}

test('what the log says of many trials at once', async () => {
  const bench = await startBench();
  const client = new Client(await bench.app.listen({ host: '127.0.0.1', port: 0 }));
  const place = fill(bench);
  expect((await got(client.best({ board: place.board }))).items).toMatchObject([
    { ...place, trials: 4, failed: 1, default: 1000, best: 500 },
  ]);
  expect((await got(client.best({ policy: 'random' }))).items).toMatchObject([{ trials: 3, best: 700 }]);
  const failures = await got(client.failures('stage', { task: place.task }));
  // Of all four that might have failed there.
  expect(failures.items).toEqual([{ key: 'run', trials: 4, failed: 1, codes: { FAULT: 1 } }]);
  expect((await got(client.curve({ ...place }))).points.map((p) => p.cycles)).toEqual([1000, 700, 500, 500]);
  expect((await got(client.knobs({ ...place, template: 'conv' }))).items.map((k) => [k.value, k.best])).toEqual([
    [1, 700],
    [2, 500],
    [4, null],
  ]);
  expect((await got(client.scatter({ ...place, limit: 2 }))).items.map((t) => t.cycles)).toEqual([500, null]);
  const wrong = await client.curve({ job: 'j-none' });
  expect(wrong).toMatchObject({ ok: false, error: { code: 'JOB_NOT_FOUND' } });
});

test('tasks of the log, page by page and one by one', async () => {
  const bench = await startBench();
  const client = new Client(await bench.app.listen({ host: '127.0.0.1', port: 0 }));
  const { id } = (await bench.upload(smallModel(1))).json<ModelBody>();
  await bench.get(`/v1/models/${id}`);
  const listed: string[] = [];
  for await (const task of client.eachTask({ network: id, limit: 1 })) listed.push(task.id);
  expect(listed.length).toBeGreaterThan(2);
  const first = listed[0] ?? '';
  expect(await got(client.task(first))).toMatchObject({ id: first, networks: [{ id }], bests: [] });
  const model = await client.taskModel(first, { board: 'mps2-an386', kind: 'instructions' });
  expect(model.ok && model.value.points).toEqual([]);
});

test('what takes room, a copy of it, and records that come back as they went', async () => {
  const [bench, other] = [await startBench(opened({ dir: room() })), await startBench()];
  const [client, elsewhere] = await Promise.all(
    [bench, other].map(async ({ app }) => new Client(await app.listen({ host: '127.0.0.1', port: 0 }))),
  );
  if (client === undefined || elsewhere === undefined) throw new Error('two daemons, two clients');
  fill(bench);
  expect(await got(client.storage())).toMatchObject({ trials: 4, backups: { files: 0 } });
  expect((await got(client.backup())).file).toMatch(/^backups\//);
  expect((await got(client.storage())).backups.files).toBe(1);
  const lines = recordsToJsonLines(bench.store.records({}, 10).items);
  expect(await got(elsewhere.importRecords(lines))).toEqual({ added: 4, duplicates: 0, conflicts: 0 });
  expect(await got(elsewhere.importRecords(lines))).toEqual({ added: 0, duplicates: 4, conflicts: 0 });
});

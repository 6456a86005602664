/** What the cost model has understood of a task, over HTTP: the real worker on records as a search leaves them. */
import { expect, test } from 'vitest';
import { boardOf } from '../../boards/index.ts';
import { defaultSchedule, templates } from '../../kernels/index.ts';
import { prepare } from '../../server/models.ts';
import type { TaskModelBody } from '../../server/schemas/index.ts';
import { candidateMaker } from '../../tuner/candidates.ts';
import { seeded } from '../../tuner/random.ts';
import { spaceOf } from '../../tuner/space.ts';
import { expectOk } from '../wire/host-board.ts';
import { type Bench, errorIn, recordWith, startBench } from './bench.ts';
import { smallModel } from './model.ts';

const board = boardOf('mps2-an386')!;
const [task] = expectOk(prepare(smallModel(1), 'small.tflite')).tasks;

/** Records of the first layer, with its static estimate for a count. */
function addTrials(bench: Bench, count: number): void {
  if (task === undefined) throw new Error('no layers');
  const few = templates.filter((t) => t.name === 'conv' || t.name === 'loops');
  const space = spaceOf(task.workload, board.target.features, { templates: few, defaultSchedule });
  const propose = candidateMaker(task, space, { board, scratchBytes: Number.POSITIVE_INFINITY });
  const random = seeded(5);
  for (let added = 0; added < count; ) {
    const config = space.sample(random);
    const made = propose(config);
    if (!made.ok) continue;
    const { schedule, cycles } = made.candidate;
    const counted = { cycles: Math.round(cycles.estimate), binary: `b${added}` };
    const place = { board: board.id, kind: board.kind, task: task.id, workload: task.key } as const;
    bench.store.addRecord(recordWith({ ...place, template: config.template, config, schedule, ...counted }));
    added++;
  }
}
const ask = (bench: Bench, id: string) => bench.get(`/v1/tasks/${id}/model?board=${board.id}&kind=${board.kind}`);

test('predictions, importance and knobs of a task; asked again it is the same until a trial is added', async () => {
  const bench = await startBench();
  await bench.upload(smallModel(1));
  addTrials(bench, 40);
  const answer = await ask(bench, task?.id ?? '');
  expect(answer.statusCode, answer.body).toBe(200);
  const body = answer.json<TaskModelBody>();
  expect([body.trained, body.points.length]).toEqual([40, 40]);
  // The count is a feature here: what else should it find.
  expect(body.rank).toBeGreaterThan(0.7);
  expect(body.importance.map((i) => i.feature)).toContain('estimate');
  expect(body.knobs.length).toBeGreaterThan(0);
  expect((await ask(bench, task?.id ?? '')).json()).toEqual(body);
  // Doubted and failed trials, and those that were taken over, teach nothing.
  bench.store.doubt(body.points[0]?.record ?? '', 'a test');
  addTrials(bench, 1);
  expect((await ask(bench, task?.id ?? '')).json<TaskModelBody>().trained).toBe(40);
});

test('refused: an unknown task, a task of no network, a request without board or kind', async () => {
  const bench = await startBench();
  bench.store.addRecord(recordWith({ task: 'task0' }));
  const orphan = await ask(bench, 'task0');
  expect([orphan.statusCode, errorIn(orphan).code]).toEqual([409, 'TRIAL_UNMAKEABLE']);
  const unknown = await ask(bench, 'nothing');
  expect([unknown.statusCode, errorIn(unknown).code]).toEqual([404, 'TASK_NOT_FOUND']);
  for (const query of ['', '?board=a', '?kind=model', '?board=a&kind=lies', '?board=a&kind=model&more=1'])
    expect((await bench.get(`/v1/tasks/task0/model${query}`)).statusCode).toBe(400);
});

/** What views make of less usual contents: networks with nothing in common, one trial, references, long names on a phone. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import type { Task } from '../../compiler/tasks.ts';
import { prepare } from '../../server/models.ts';
import { untried } from '../../server/progress.ts';
import type { JobBody, JobRequest, ModelBody } from '../../server/schemas/index.ts';
import { type Bench, recordWith, startBench } from '../server/bench.ts';
import { smallModel } from '../server/model.ts';
import { browserOfFile, expectNoSidewaysScroll, patience, view } from './browser.ts';

const visit = browserOfFile();
const example = readFileSync(resolve(import.meta.dirname, '../../examples/bearing-fault/bearing-fault.tflite'));

type JobReport = Readonly<Record<string, unknown>>;

/** A job that has counted every layer, so many cycles each. */
async function countedJob(
  b: Bench,
  bytes: Uint8Array,
  best: number,
  more: Partial<JobRequest> = {},
  report: JobReport = {},
): Promise<JobBody> {
  const model = (await b.upload(bytes)).json<ModelBody>();
  const asked = { model: model.id, board: 'mps2-an386', trials: 1, ...more };
  const job = (await b.post('/v1/jobs', asked)).json<JobBody>();
  // The one before lets go in its own time.
  await expect.poll(() => b.begun.at(-1)?.run.job.id, { timeout: patience }).toBe(job.id);
  const run = b.begun.at(-1);
  run?.run.report({ tasks: tasksIn(bytes).map((t) => ({ ...untried(t), default: best * 2, best })), done: 1 });
  run?.end({ state: 'done', report });
  await expect.poll(() => b.store.job(job.id)?.state, { timeout: patience }).toBe('done');
  return job;
}
function tasksIn(bytes: Uint8Array): readonly Task[] {
  const prepared = prepare(bytes, 'net');
  if (!prepared.ok) throw new Error(prepared.error.detail);
  return prepared.value.tasks;
}

test('two networks without a common layer are said to have none, and nothing of theirs is called the same', async () => {
  const bench = await startBench();
  const url = await bench.app.listen({ host: '127.0.0.1', port: 0 });
  const made = { cycles: 123_000, defaultCycles: 615_000 };
  const small = await countedJob(bench, smallModel(1), 100, { name: 'small' }, made);
  const large = await countedJob(bench, example, 300, { name: 'large' });
  const again = await countedJob(bench, smallModel(1), 50, { name: 'again', seed: 2 });
  const { page, trouble } = await visit(`${url}/#/compare?a=${small.id}&b=${large.id}`);
  await page.getByRole('note').getByText('no layer in common').waitFor();
  await page.locator('article', { hasText: 'small' }).getByText('123\u202fk').waitFor();
  const table = page.getByRole('region', { name: 'Layer by layer' });
  expect(await table.locator('tbody tr').count()).toBe(
    tasksIn(smallModel(1)).flatMap((t) => t.occurrences).length + 13,
  );
  expect(await table.locator('tfoot').count()).toBe(0);
  expect(await table.getByText('the same').count()).toBe(0);
  expect(await table.getByText('×').count()).toBe(0);
  await view(page, `#/compare?a=${small.id}&b=${again.id}`);
  // The one as a whole, the other as the sum of what its layers took.
  const sum = 50 * tasksIn(smallModel(1)).flatMap((t) => t.occurrences).length;
  await table
    .locator('tfoot')
    .getByText(`${(made.cycles / sum).toFixed(2)}×`)
    .waitFor();
  expect(await page.getByRole('note').count()).toBe(0);
  // A finished network has the same counts on every page.
  await view(page, `#/jobs/${small.id}`);
  const shown = (await page.locator('.stat-value').allTextContents()).slice(0, 3);
  expect(shown).toEqual(['123\u202fk', '615\u202fk', '5.00×']);
  await view(page, '#/');
  const cells = await page.locator('tbody tr', { hasText: 'small' }).locator('td').allTextContents();
  for (const text of shown) expect(cells).toContain(text);
  expect(trouble).toEqual([]);
});

test('random search is a line of a job’s curve, one trial is one, and what took a measurement over is no trial', async () => {
  const bench = await startBench();
  const url = await bench.app.listen({ host: '127.0.0.1', port: 0 });
  const job = await countedJob(bench, smallModel(1), 100);
  const [first] = tasksIn(smallModel(1));
  const of = { job: job.id, task: first?.id ?? '', workload: first?.key ?? '' };
  const random = bench.store.addRecord(recordWith({ ...of, policy: 'random', cycles: 80 }));
  bench.store.addRecord(recordWith({ ...of, policy: 'random', cycles: 80, binary: 'b1', reusedFrom: random.id }));
  const { page } = await visit(`${url}/#/`);
  await page.route(/\/v1\/stats\/curve\?job=/, (route) =>
    route.fulfill({
      json: {
        job: job.id,
        kind: 'instructions',
        default: 900,
        points: [1, 2].map((n) => ({ n, at: '', cycles: 500 / n })),
      },
    }),
  );
  await view(page, `#/jobs/${job.id}`);
  const sum = tasksIn(smallModel(1)).reduce((n, t) => n + t.occurrences.length * (t.id === first?.id ? 80 : 200), 0);
  await page.locator('.legend').getByText(`random search: ${sum}`).waitFor();
  await page.getByText(/Random search: the best of 1 trial of that policy/).waitFor();
  await view(page, `#/tasks/${first?.id}?board=mps2-an386&kind=instructions`);
  const trials = page.locator('.stat', { has: page.getByText('trials', { exact: true }) });
  await expect.poll(() => trials.first().textContent(), { timeout: patience }).toBe('trials10\u202f% failed');
});

test('on a phone the end of a device’s name is there, where devices of a board differ', async () => {
  const bench = await startBench();
  const url = await bench.app.listen({ host: '127.0.0.1', port: 0 });
  const names = ['second-bench/stm32f746g-disco#10', 'second-bench/stm32f746g-disco#11'];
  const [until, since] = [new Date(), new Date(Date.now() - 3_600_000)].map((d) => d.toISOString());
  const { page, trouble } = await visit(`${url}/`, { viewport: { width: 360, height: 800 } });
  const [one] = (await bench.get('/v1/devices')).json<{ items: object[] }>().items;
  await page.route(/\/v1\/devices$/, (route) =>
    route.fulfill({ json: { items: names.map((name) => ({ ...one, name })) } }),
  );
  const bucket = { at: since, busyMs: 1000, trials: 1, failed: 0 };
  await page.route(/\/v1\/devices\/utilisation/, (route) =>
    route.fulfill({
      json: { since, until, items: names.map((device) => ({ device, board: 'x', buckets: [bucket] })) },
    }),
  );
  await view(page, '#/devices');
  await page.locator('.heat-name').first().waitFor();
  const cut = await page
    .locator('.heat-name')
    .evaluateAll((all) => all.filter((e) => e.scrollWidth > e.clientWidth).length);
  expect([await page.locator('.heat-name').allTextContents(), cut]).toEqual([names, 0]);
  await page
    .getByRole('img', { name: /busy <?\d+\s% of the time, 1 trial$/ })
    .first()
    .waitFor();
  await expectNoSidewaysScroll(page, 'devices');
  expect(trouble).toEqual([]);
});

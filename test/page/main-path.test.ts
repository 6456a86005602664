/**
 * The way that most people go, on a real daemon with emulated boards: a model is dropped, a board taken, the job started and
 * followed to its end, down to the C of a layer. Then everything that can be seen by now is looked at in both themes and narrow.
 */
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { count } from '../../server/dashboard/format.js';
import type { JobBody, JobList } from '../../server/schemas/index.ts';
import { type DaemonProcess, dataDir, startDaemonProcess } from '../e2e/daemon-process.ts';
import { smallModel } from '../server/model.ts';
import { browserOfFile, drop, expectAccessible, expectNoSidewaysScroll, patience, view } from './browser.ts';

const visit = browserOfFile();

test('from a dropped model to the C of its fastest layer; every view in both themes and at 360 pixels', {
  timeout: 900_000,
}, async () => {
  const d = await startDaemonProcess(dataDir(), ['--emulate', 'mps2-an386=2']);
  const { page, trouble } = await visit(`${d.url}/`);
  await page.getByText('No job yet.').waitFor();
  await drop(page, 'small.tflite', smallModel(1));
  await start(page);
  await watchLive(page);
  const job = await doneJob(d);
  await expectLayers(page, job);
  await expectCode(page, job);
  const places = await placesOf(d, job);
  for (const hash of places) {
    await view(page, hash);
    for (const theme of ['light', 'dark'] as const) {
      await inTheme(page, theme);
      await expectAccessible(page, `${theme} ${hash}`);
    }
    await page.setViewportSize({ width: 360, height: 800 });
    await expectNoSidewaysScroll(page, hash);
    await page.setViewportSize({ width: 1280, height: 900 });
  }
  await expectReport(page, d, job);
  expect(trouble).toEqual([]);
});

/** Model and board are there in three clicks; a test has no time for the usual number of trials. */
async function start(page: Page): Promise<void> {
  await page.getByRole('checkbox', { name: /^mps2-an386/ }).check();
  await page.getByText('Options:').click();
  await page.getByLabel('Trials', { exact: true }).fill('24');
  await page.getByLabel('Policy').selectOption('random');
  await page.getByLabel('Name').fill('night <b>shift</b>');
  await page.getByRole('button', { name: 'Start' }).click();
}

/** The page moves while the job runs, without being loaded anew. */
async function watchLive(page: Page): Promise<void> {
  await page.getByRole('heading', { name: 'night <b>shift</b>' }).waitFor();
  await page.locator('.chip', { hasText: 'running' }).waitFor();
  const used = page.getByRole('progressbar', { name: 'Used of the budget' });
  await expect
    .poll(async () => Number(await used.getAttribute('aria-valuenow')), { timeout: patience })
    .toBeGreaterThan(0);
  await page.locator('.chip', { hasText: 'done' }).waitFor({ timeout: patience });
}

async function doneJob(d: DaemonProcess): Promise<JobBody> {
  const [first] = (await d.get<JobList>('/v1/jobs')).items;
  const job = await d.get<JobBody>(`/v1/jobs/${first?.id}`);
  expect(job).toMatchObject({ state: 'done', name: 'night <b>shift</b>', policy: 'random', trials: { done: 24 } });
  return job;
}

/** What the page says of each layer is what the report says. */
async function expectLayers(page: Page, job: JobBody): Promise<void> {
  const layers = job.report?.layers as readonly { readonly cycles: number; readonly defaultCycles: number }[];
  const rows = page.getByRole('region', { name: 'Layers' }).locator('tbody tr');
  const shown = (): Promise<(string | null)[][]> =>
    rows.evaluateAll((trs) => trs.map((tr) => [...tr.children].slice(2, 4).map((td) => td.textContent)));
  // Counts of single layers come first, those of the finished network with the report.
  const wanted = layers.map((l) => [count(l.defaultCycles), count(l.cycles)]);
  await expect.poll(shown, { timeout: patience }).toEqual(wanted);
  await page.getByRole('button', { name: /^tuned/ }).click();
  const sorted = await rows.evaluateAll((trs) => trs.map((tr) => tr.children[3]?.textContent));
  expect(sorted).toEqual(
    [...layers]
      .map((l) => l.cycles)
      .sort((a, b) => b - a)
      .map(count),
  );
}

/** From a layer to its task, with plots and the winning C. */
async function expectCode(page: Page, job: JobBody): Promise<void> {
  await page.getByRole('link', { name: /^00 conv2d$/ }).click();
  await page.getByRole('heading', { name: 'conv2d' }).waitFor();
  const kernel = page.getByRole('region', { name: 'C of the kernel' });
  await kernel.locator('.tok-type').first().waitFor({ timeout: patience });
  const best = job.tasks.find((t) => t.op === 'conv2d')?.best ?? null;
  await page
    .getByRole('region', { name: /^Best schedules/ })
    .getByText(count(best), { exact: true })
    .first()
    .waitFor();
  expect(await kernel.textContent()).toContain('void mt_candidate(');
  await page.getByRole('img', { name: /trials by/ }).waitFor();
}

/** As the system has it, charts and all. */
async function inTheme(page: Page, colorScheme: 'light' | 'dark'): Promise<void> {
  await page.emulateMedia({ colorScheme });
  await page.locator(`html[data-theme=${colorScheme}]`).waitFor();
}

/** Every view, with something to see in it. */
async function placesOf(d: DaemonProcess, job: JobBody): Promise<readonly string[]> {
  const task = job.tasks[0]?.id ?? '';
  const where = `board=${job.board}&kind=${job.kind}`;
  const { items } = await d.get<{ readonly items: readonly { readonly id: string }[] }>(
    `/v1/records?job=${job.id}&limit=1`,
  );
  return [
    '#/',
    `#/new?model=${job.model}`,
    `#/new?clone=${job.id}`,
    `#/jobs/${job.id}`,
    `#/tasks/${task}?${where}`,
    `#/trials/${items[0]?.id}`,
    '#/devices',
    '#/log?board=mps2-an386',
    '#/sql?sql=SELECT%20template%2C%20count(*)%20FROM%20trials%20GROUP%20BY%201',
    '#/compare',
    '#/nowhere',
  ];
}

async function expectReport(page: Page, d: DaemonProcess, job: JobBody): Promise<void> {
  await page.goto(`${d.url}/v1/jobs/${job.id}/report.html`);
  await page.getByRole('heading', { name: 'night <b>shift</b> on mps2-an386' }).waitFor();
  expect(await page.getByText(`${count(job.report?.cycles as number)} instructions`).count()).toBeGreaterThan(0);
  await expectAccessible(page, 'report');
  await page.setViewportSize({ width: 360, height: 800 });
  await expectNoSidewaysScroll(page, 'report');
}

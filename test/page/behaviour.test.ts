/** What the page does besides showing: keys, a daemon that goes away and comes back, tokens, refusals, themes. */
import { expect, test } from 'vitest';
import type { ModelBody } from '../../server/schemas/index.ts';
import { addToken } from '../../server/service/tokens.ts';
import { dataDir, startDaemonProcess } from '../e2e/daemon-process.ts';
import { startBench } from '../server/bench.ts';
import { smallModel } from '../server/model.ts';
import { browserOfFile, drop, expectAccessible, patience, view } from './browser.ts';

const visit = browserOfFile();

test('the keyboard goes everywhere: views, rows, fields, dialogs', async () => {
  const bench = await startBench();
  const url = await bench.app.listen({ host: '127.0.0.1', port: 0 });
  const jobs = [await bench.submit(1), await bench.submit(2), await bench.submit(3)];
  for (const j of jobs) await bench.post(`/v1/jobs/${j.id}/cancel`);
  const { page, trouble } = await visit(`${url}/`);
  await page.locator('[data-row]').nth(2).waitFor();
  const focused = (): Promise<string | null> =>
    page.evaluate(() => document.activeElement?.getAttribute('href') ?? null);
  const newestFirst = jobs.map((j) => `#/jobs/${j.id}`).reverse();
  for (const [key, at] of [
    ['j', 0],
    ['j', 1],
    ['j', 2],
    ['j', 2],
    ['k', 1],
  ] as const) {
    await page.keyboard.press(key);
    expect(await focused(), key).toBe(newestFirst[at]);
  }
  await page.keyboard.press('Enter');
  await page.getByText(jobs[1]?.id ?? '', { exact: true }).waitFor();
  expect(await page.evaluate(() => document.activeElement?.id)).toBe('main');
  for (const [keys, title] of [
    ['gl', 'Log of trials'],
    ['gd', 'Devices'],
    ['gj', 'Jobs'],
    ['n', 'New job'],
    ['gc', 'Compare'],
  ]) {
    for (const key of keys ?? '') await page.keyboard.press(key);
    await page.getByRole('heading', { name: title ?? '', level: 1 }).waitFor();
  }
  await page.keyboard.press('?');
  await page.getByRole('dialog', { name: 'Keys' }).waitFor();
  await expectAccessible(page, 'the list of keys');
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  await view(page, '#/log');
  await page.keyboard.press('/');
  await page.keyboard.type('board=pico');
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: /^board: pico/ }).waitFor();
  await page.keyboard.press('/');
  await page.keyboard.press('n');
  expect(await page.evaluate(() => location.hash), 'typing is typing').toContain('#/log');
  await page.keyboard.press('Escape');
  expect(await page.evaluate(() => document.activeElement?.tagName)).toBe('BODY');
  expect(trouble).toEqual([]);
});

test('a daemon that goes away is told of, and the page goes on by itself when it is back', async () => {
  const dir = dataDir();
  const first = await startDaemonProcess(dir, ['--emulate', 'host=1']);
  const { page } = await visit(`${first.url}/`);
  await page.getByText('No job yet.').waitFor();
  await first.end('SIGKILL');
  await page.getByRole('link', { name: 'Devices' }).click();
  await page.getByRole('alert').getByText('does not answer').waitFor();
  const second = await startDaemonProcess(dir, ['--emulate', 'host=1', '--port', new URL(first.url).port]);
  await page.getByText('State and health').waitFor();
  await page.getByRole('alert').waitFor({ state: 'hidden' });
  await second.end('SIGTERM');
});

test('a daemon that wants a token is asked again with one; it stays in the tab, and downloads carry it', async () => {
  const bench = await startBench(undefined, { tokens: 'required' });
  const url = await bench.app.listen({ host: '127.0.0.1', port: 0 });
  const made = addToken(bench.store, 'page', 'tune');
  if (!made.ok) throw new Error(made.error.detail);
  const { page } = await visit(`${url}/`);
  const dialog = page.getByRole('dialog', { name: 'Access token' });
  await dialog.waitFor();
  await expectAccessible(page, 'the dialog for a token');
  await dialog.getByLabel('Token').fill('wrong');
  await page.keyboard.press('Enter');
  await dialog.getByText('not known').waitFor();
  await dialog.getByLabel('Token').fill(made.value.token);
  await page.keyboard.press('Enter');
  await page.getByText('No job yet.').waitFor();
  expect(await page.evaluate(() => [localStorage.length, sessionStorage.length])).toEqual([0, 1]);
  await drop(page, 'small.tflite', smallModel(1));
  await page.getByRole('checkbox', { name: /^mps2-an386/ }).check();
  await page.getByRole('button', { name: 'Start' }).click();
  await page.locator('.chip', { hasText: 'running' }).waitFor();
  await view(page, '#/log');
  const saved = page.waitForEvent('download');
  await page.getByRole('link', { name: 'CSV' }).click();
  expect((await saved).suggestedFilename()).toBe('trials.csv');
});

test('what the daemon refuses is said where it was asked, and nothing is lost', async () => {
  const bench = await startBench();
  const url = await bench.app.listen({ host: '127.0.0.1', port: 0 });
  const { page } = await visit(`${url}/#/new`);
  await drop(page, 'none.tflite', new Uint8Array([1, 2, 3]));
  await page.getByRole('status').getByText('none.tflite').waitFor();
  const model = (await bench.upload(smallModel(1))).json<ModelBody>();
  await view(page, `#/new?model=${model.id}`);
  await page.getByRole('checkbox', { name: /^mps2-an386/ }).check();
  await page.getByText('Options:').click();
  await page.getByLabel('Flash, bytes').fill('16');
  await page.getByRole('button', { name: 'Start' }).click();
  await page.getByRole('alert').getByText('MODEL_TOO_BIG').waitFor();
  await page.getByLabel('Flash, bytes').fill('');
  await page.getByLabel('Until no task improves by').fill('1');
  await page.getByRole('button', { name: 'Start' }).click();
  await page
    .getByRole('alert')
    .getByText(/until.*trials/)
    .waitFor();
  await page.getByLabel('Until no task improves by').fill('');
  await page.getByRole('button', { name: 'Start' }).click();
  await page.locator('.chip', { hasText: 'running' }).waitFor();
  expect(bench.store.jobs()).toHaveLength(1);
});

test('a job is paused, taken up again, put before others, cloned and cancelled by its buttons; several boards make several jobs', async () => {
  const bench = await startBench();
  const url = await bench.app.listen({ host: '127.0.0.1', port: 0 });
  const job = await bench.submit(1);
  const { page, trouble } = await visit(`${url}/#/jobs/${job.id}`);
  const chip = (text: string) => page.locator('.head .chip', { hasText: text });
  for (const [button, state] of [
    ['Pause', 'paused'],
    ['Resume', /running|queued/],
    ['Cancel', 'cancelled'],
  ] as const) {
    await page.getByRole('button', { name: button }).click();
    await page.locator('.head .chip', { hasText: state }).waitFor();
    if (button === 'Resume') {
      await page.getByRole('combobox', { name: /^Priority of/ }).selectOption('high');
      await page.getByRole('status').getByText('high priority').waitFor();
      expect(bench.store.job(job.id)?.priority).toBe('high');
      expect(await page.getByRole('combobox', { name: /^Priority of/ }).inputValue()).toBe('high');
    }
  }
  await page.getByRole('link', { name: 'Clone…' }).click();
  await page.getByRole('checkbox', { name: /^pico/ }).check();
  await page.getByRole('button', { name: 'Start 2 jobs' }).click();
  await page.getByRole('heading', { name: 'Jobs', level: 1 }).waitFor();
  await expect.poll(() => page.locator('article').count(), { timeout: patience }).toBe(2);
  const boards = bench.store.jobs().map((j) => [j.board, j.clonedFrom]);
  expect(boards.slice(0, 2).sort()).toEqual([
    ['mps2-an386', job.id],
    ['pico', job.id],
  ]);
  expect(await chip('done').count()).toBe(0);
  expect(trouble).toEqual([]);
});

test('the theme is the system’s until it is switched, and the choice stays', async () => {
  const bench = await startBench();
  const url = await bench.app.listen({ host: '127.0.0.1', port: 0 });
  const { page } = await visit(`${url}/`, { colorScheme: 'dark' });
  await page.locator('html[data-theme=dark]').waitFor();
  await page.getByRole('button', { name: 'Light or dark' }).click();
  await page.locator('html[data-theme=light]').waitFor();
  await page.reload();
  await page.locator('html[data-theme=light]').waitFor();
});

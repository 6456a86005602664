/**
 * `node scripts/pictures.ts`: the pictures of the page in docs/pictures/, taken from a real daemon with real jobs: the example
 * model on the twin of an STM32L4R5, searched at random and guided by the cost model. Takes some minutes; needs chromium.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Page } from 'playwright-core';
import { Client } from '../client/index.ts';
import type { Result } from '../compiler/result.ts';
import { startDaemon } from '../server/daemon.ts';
import type { JobBody, JobRequest } from '../server/schemas/index.ts';
import { launchChromium } from './chromium.ts';

const root = resolve(import.meta.dirname, '..');
const pictures = join(root, 'docs/pictures');
const board = 'nucleo-l4r5zi';

const data = mkdtempSync(join(tmpdir(), 'microtune-pictures-'));
const emulate = { [board]: 2 };
const daemon = must(
  await startDaemon({ dataDir: data, host: '127.0.0.1', port: 0, devices: [], emulate, logLevel: 'warn' }),
);
const browser = await launchChromium();
try {
  mkdirSync(pictures, { recursive: true });
  const page = await browser.newPage({ viewport: { width: 1280, height: 860 } });
  await takeAll(page, new Client(daemon.url));
} finally {
  await browser.close();
  await daemon.stop();
  rmSync(data, { recursive: true, force: true });
}

async function takeAll(page: Page, client: Client): Promise<void> {
  const file = readFileSync(join(root, 'examples/bearing-fault/bearing-fault.tflite'));
  const { id: model } = must(await client.uploadModel(file, 'bearing-fault.tflite'));
  const start = async (more: Partial<JobRequest>): Promise<JobBody> =>
    must(await client.addJob({ model, board, seed: 1, ...more }));
  const nightly = await start({ trials: 400, name: 'bearing fault, nightly' });
  const second = await start({ trials: 400, seed: 2, priority: 'low', name: 'second seed' });
  await reached(client, second.id, (j) => j.trials.done >= 40);
  await take(page, 'jobs', '');
  must(await client.cancel(second.id));
  const { kind, tasks } = await reached(client, nightly.id, (j) => j.endedAt !== null);
  const random = await start({ trials: 150, policy: 'random', name: 'random search' });
  await reached(client, random.id, (j) => j.endedAt !== null);
  await take(page, 'job', `jobs/${nightly.id}`);
  const total = (t: JobBody['tasks'][number]): number => (t.best ?? 0) * t.occurrences;
  const task = tasks.reduce((a, b) => (total(b) > total(a) ? b : a));
  await take(page, 'task', `tasks/${task.id}?board=${board}&kind=${kind}&job=${nightly.id}`);
  await page.emulateMedia({ colorScheme: 'dark' });
  await take(page, 'compare', `compare?a=${random.id}&b=${nightly.id}`);
  await take(page, 'devices', 'devices?hours=1');
}

/** What is seen at an address once all of it has come. */
async function take(page: Page, name: string, hash: string): Promise<void> {
  await page.goto('about:blank');
  await page.goto(`${daemon.url}/#/${hash}`);
  await page.locator('main h1').waitFor();
  await page.waitForLoadState('networkidle').catch(() => undefined);
  await page.getByText('Loading…').waitFor({ state: 'detached' });
  await page.screenshot({ path: join(pictures, `${name}.png`) });
}

/** A job, once it is so far; looked at every second. */
async function reached(client: Client, id: string, far: (job: JobBody) => boolean): Promise<JobBody> {
  for (;;) {
    const job = must(await client.job(id));
    if (far(job)) return job;
    await new Promise((go) => setTimeout(go, 1000));
  }
}

function must<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(`${result.error.code}: ${result.error.detail}`);
  return result.value;
}

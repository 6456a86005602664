/**
 * Text of others on the page: names of models, jobs and devices, details of failures, knobs. Whatever they hold is shown as it is
 * and does nothing; and if it did get through, the page's policy would not let it run.
 */
import { expect, test } from 'vitest';
import { prepare } from '../../server/models.ts';
import type { JobBody, ModelBody } from '../../server/schemas/index.ts';
import { recordWith, startBench } from '../server/bench.ts';
import { smallModel } from '../server/model.ts';
import { browserOfFile, patience, view } from './browser.ts';

const visit = browserOfFile();
const evil = `<img src=x onerror="window.hit='yes'"><script>window.hit='yes'</script>"';--&lt;`;
/** Whether some text has become code or markup. */
const harm = (): boolean =>
  'hit' in window || document.querySelector('img[src="x"], main script, iframe, object, [onerror]') !== null;

test('markup in names, details, templates and knobs is text everywhere', async () => {
  const bench = await startBench();
  const url = await bench.app.listen({ host: '127.0.0.1', port: 0 });
  const query = `?name=${encodeURIComponent(evil.replaceAll('/', ''))}`;
  const model = (await bench.upload(smallModel(1), query)).json<ModelBody>();
  const asked = { model: model.id, board: 'mps2-an386', trials: 10, name: evil.slice(0, 100) };
  const job = (await bench.post('/v1/jobs', asked)).json<JobBody>();
  const prepared = prepare(smallModel(1), 'small');
  const [first] = prepared.ok ? prepared.value.tasks : [];
  const { id: task = '', key: workload = '' } = first ?? {};
  const config = { template: evil, version: 1, knobs: { [evil]: evil } };
  const of = {
    job: job.id,
    task,
    workload,
    template: evil,
    device: evil,
    policy: evil,
    toolchain: evil,
    flags: evil,
    config,
  };
  const good = bench.store.addRecord(recordWith(of));
  const failure = { status: 'failed', stage: 'run', code: 'FAULT', detail: evil, cycles: null, repeats: null } as const;
  bench.store.addRecord(recordWith({ ...of, ...failure, binary: evil }));
  bench.store.addRecord(recordWith({ ...of, cycles: 900, binary: 'b1', config: { ...config, knobs: { [evil]: 1 } } }));
  bench.begun[0]?.run.log(evil, evil);
  bench.begun[0]?.end({ state: 'failed', error: { stage: 'job', code: 'INTERNAL', detail: evil } });
  const { page, trouble } = await visit(`${url}/`);
  const where = 'board=mps2-an386&kind=instructions';
  const places: readonly (readonly [string, string])[] = [
    ['#/', evil.slice(0, 100)],
    [`#/jobs/${job.id}`, evil],
    [`#/tasks/${task}?${where}`, evil],
    [`#/trials/${good.id}`, evil],
    ['#/log', evil],
    [`#/log?template=${encodeURIComponent(evil)}`, evil],
    [`#/new?model=${model.id}`, model.name],
    [`#/sql?sql=${encodeURIComponent(`SELECT '${evil.replaceAll("'", "''")}'`)}`, 'SQL over the log'],
  ];
  for (const [hash, shown] of places) {
    await view(page, hash);
    await expect.poll(() => page.locator('main').textContent(), { message: hash, timeout: patience }).toContain(shown);
    expect(await page.evaluate(harm), hash).toBe(false);
  }
  await page.goto(`${url}/v1/jobs/${job.id}/report.html`);
  expect(await page.locator('body').textContent()).toContain(evil);
  expect(await page.evaluate(harm), 'report').toBe(false);
  // A database in memory has no queries, which the page says.
  expect(trouble.filter((t) => !t.includes('/v1/query') && !t.includes('Failed to load resource'))).toEqual([]);
});

test('the policy of the page runs nothing but its own files, and lets nobody frame it', async () => {
  const bench = await startBench();
  const url = await bench.app.listen({ host: '127.0.0.1', port: 0 });
  const { page, trouble } = await visit(`${url}/`);
  await page.locator('h1').waitFor();
  await page.evaluate(() => {
    const script = document.createElement('script');
    script.textContent = 'window.hit = 1';
    const other = document.createElement('div');
    other.innerHTML = '<img src="/page/none.png" onerror="window.hit = 1">';
    document.body.append(script, other);
  });
  const blocked = (): number => trouble.filter((t) => /Content Security Policy/.test(t)).length;
  await expect.poll(blocked, { timeout: patience }).toBeGreaterThanOrEqual(2);
  expect(await page.evaluate(() => 'hit' in window)).toBe(false);
  const { headers } = await bench.get('/');
  expect(headers['content-security-policy']).toContain("frame-ancestors 'none'");
});

test('of the files, only those of the page are served', async () => {
  const bench = await startBench();
  for (const path of ['main.js', 'style.css', 'icon.svg', 'uplot.js', 'uplot.css'])
    expect((await bench.get(`/page/${path}`)).statusCode, path).toBe(200);
  for (const path of [
    'uplot.d.ts',
    'index.html',
    '..%2froutes%2fpage.ts',
    '%2e%2e/routes/page.ts',
    '.',
    '',
    'main.js%00',
  ])
    expect((await bench.get(`/page/${path}`)).statusCode, path).toBeGreaterThanOrEqual(400);
});

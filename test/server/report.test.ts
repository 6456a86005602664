/**
 * The report of a job as a document: well-formed whatever is in it, without anything that a browser would run or fetch, and with the
 * numbers of the job. No snapshots: what it must be is said here.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { expect, onTestFinished, test } from 'vitest';
import { openStore } from '../../db/index.ts';
import type { Store } from '../../db/types.ts';
import { main } from '../../server/cli/index.ts';
import { prepare } from '../../server/models.ts';
import { el } from '../../server/report/html.ts';
import { marks } from '../../server/report/svg.ts';
import type { JobBody, ModelBody } from '../../server/schemas/index.ts';
import { samples } from '../samples.ts';
import { Random } from '../unit/random.ts';
import { type Bench, recordWith, startBench } from './bench.ts';
import { smallModel } from './model.ts';

interface Element {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
}
/** Elements in order, and the text between them; throws where a tag is not closed, or something is not escaped. */
function parse(html: string): { readonly elements: readonly Element[]; readonly text: string } {
  const elements: Element[] = [];
  const open: string[] = [];
  let text = '';
  let rest = html.replace(/^<!doctype html>\n/, '');
  while (rest !== '') {
    const plain = /^[^<]+/.exec(rest)?.[0];
    const tag = /^<(\/?)([a-z][a-z0-9]*)((?: [a-zA-Z0-9:-]+="[^"<>]*")*)>/.exec(rest);
    if (plain !== undefined) text += plain;
    else if (tag === null) throw new Error(`no markup: ${rest.slice(0, 80)}`);
    const [whole = '', slash, name = '', list = ''] = tag ?? [];
    if (slash === '/' && open.pop() !== name) throw new Error(`</${name}> closes something else`);
    if (slash === '') {
      elements.push({
        name,
        attributes: Object.fromEntries(
          [...list.matchAll(/ ([^=]+)="([^"]*)"/g)].map((m) => [m[1], unescaped(m[2] ?? '')]),
        ),
      });
      if (name !== 'meta') open.push(name);
    }
    rest = rest.slice((plain ?? whole).length);
  }
  if (open.length > 0) throw new Error(`not closed: ${open.join(', ')}`);
  return { elements, text: unescaped(text) };
}
function unescaped(text: string): string {
  const wrong = /&(?!(amp|lt|gt|quot|#39);)/.exec(text);
  if (wrong !== null) throw new Error(`not escaped: ${text.slice(wrong.index, wrong.index + 20)}`);
  return text
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&amp;', '&');
}

/** Elements that may be in a report: none of them runs, fetches or submits anything. */
const harmless = new Set(
  'html head meta title style body main section p h1 h2 h3 dl div dt dd b table thead tbody tr th td code pre svg line text path rect'.split(
    ' ',
  ),
);

interface Shown {
  readonly bench: Bench;
  readonly job: JobBody;
  readonly html: () => Promise<string>;
}
/** A job whose every text is `evil`, with trials of its first task, that came to `layers`. */
async function jobNamed(evil: string, store?: Store): Promise<Shown> {
  const bench = await startBench(store);
  const model = (
    await bench.upload(smallModel(1), `?name=${encodeURIComponent(evil.slice(0, 150) || 'm')}`)
  ).json<ModelBody>();
  const job = (
    await bench.post('/v1/jobs', { model: model.id, board: 'mps2-an386', trials: 10, name: evil.slice(0, 90) || 'n' })
  ).json<JobBody>();
  const prepared = prepare(smallModel(1), 'small');
  if (!prepared.ok) throw new Error(prepared.error.detail);
  for (const { id: task, key: workload } of prepared.value.tasks) {
    const of = { job: job.id, task, workload, device: evil, toolchain: evil, flags: evil, firmware: evil };
    bench.store.addRecord(recordWith({ ...of, cycles: 2_000_000 }));
    bench.store.addRecord(recordWith({ ...of, template: evil, cycles: 1_234_567, binary: `b-${task}` }));
    bench.store.addRecord(
      recordWith({
        ...of,
        binary: 'f',
        status: 'failed',
        stage: 'run',
        code: 'FAULT',
        detail: evil,
        cycles: null,
        repeats: null,
      }),
    );
  }
  return { bench, job, html: async () => (await bench.get(`/v1/jobs/${job.id}/report.html`)).body };
}

const evil = `</style></title><script>alert(1)</script><img src=x onerror='x'>" & &amp; \u0007`;

test('a report is well-formed and holds nothing that runs or is fetched, whatever names there are', async () => {
  const random = new Random(5);
  const letters = [...`<>"'&;/=- \\\`\u0001é😀${'script'}`];
  const texts = [
    evil,
    ...Array.from({ length: samples(3, 100) }, () => Array.from({ length: 40 }, () => random.pick(letters)).join('')),
  ];
  for (const text of texts) {
    const { bench, job, html } = await jobNamed(text);
    bench.begun[0]?.end({ state: 'failed', error: { stage: 'job', code: 'INTERNAL', detail: text } });
    await expect.poll(() => bench.store.job(job.id)?.state, { timeout: 60_000 }).toBe('failed');
    const { elements, text: shown } = parse(await html());
    for (const { name, attributes } of elements) {
      expect(harmless, `<${name}> of ${JSON.stringify(text)}`).toContain(name);
      for (const a of Object.keys(attributes)) expect(a).not.toMatch(/^on|^href|^src|^style$/);
    }
    expect(shown).toContain(text.replace(/\p{Cc}/gu, '\uFFFD').slice(0, 90));
  }
});

test('the numbers of a report are those of the job', async () => {
  const { bench, job, html } = await jobNamed('motor');
  const report = {
    board: 'mps2-an386',
    kind: 'instructions',
    verifiedInputs: 8,
    cycles: 3_703_701,
    defaultCycles: 8_000_004,
    flashBytes: 17_792,
    ramBytes: 10_552,
    arenaBytes: 10_368,
    arenaLowerBound: 10_240,
    stackBytes: 184,
    layers: [0, 1, 2, 3].map((i) => ({
      name: `m_0${i}_op`,
      op: 'conv2d',
      cycles: 900_001 + i,
      defaultCycles: 2_000_001 + i,
      macs: 10,
      schedule: `plan ${i}`,
      record: null,
      refused: [],
    })),
    trades: { flash: [], ram: [], smallestArena: { arenaBytes: 1, arenaLowerBound: 1 } },
    files: { elf: null, bin: null },
  };
  bench.begun[0]?.end({ state: 'done', report });
  await expect.poll(() => bench.store.job(job.id)?.state, { timeout: 60_000 }).toBe('done');
  const { text } = parse(await html());
  const digits = text.replaceAll('\u202f', '');
  for (const n of [
    report.cycles,
    report.defaultCycles,
    report.flashBytes,
    report.ramBytes,
    report.arenaLowerBound,
    ...report.layers.flatMap((l) => [l.cycles, l.defaultCycles]),
  ])
    expect(digits).toContain(String(n));
  expect(digits).toContain(`${(report.defaultCycles / report.cycles).toFixed(2)}×`);
  expect(digits).toContain('bit for bit on 8 inputs');
  for (const l of report.layers) expect(text).toContain(l.schedule);
  const { done, failed } = bench.store.counts(job.id);
  expect(digits).toContain(`${done} trials were measured, ${failed} of them failed`);
  expect(text).toContain('microtune tune motor.tflite --board mps2-an386');
});

test('the command of a report asks for all that the job was asked for', async () => {
  const bench = await startBench();
  const model = (await bench.upload(smallModel(1), '?name=motor.tflite')).json<ModelBody>().id;
  const made = prepare(smallModel(1), 'motor');
  if (!made.ok) throw new Error(made.error.detail);
  const tasks = made.value.tasks.slice(0, 2).map((t) => t.id);
  const command = async (asked: object): Promise<string> => {
    const { id } = (await bench.post('/v1/jobs', { model, board: 'mps2-an386', ...asked })).json<JobBody>();
    const { text } = parse((await bench.get(`/v1/jobs/${id}/report.html`)).body);
    return /microtune tune .* --out out/.exec(text)?.[0] ?? '';
  };
  const start = 'microtune tune motor.tflite --board mps2-an386 --policy guided --seed 0';
  expect(await command({ trials: 50, time: '2h', until: { percent: 0.5, trials: 200 }, tasks })).toBe(
    `${start} --trials 50 --time 7200000ms --until 0.5/200 --task ${tasks[0]} --task ${tasks[1]} --out out`,
  );
  expect(await command({ until: { percent: 1, trials: 30 } })).toBe(`${start} --until 1/30 --out out`);
});

test('a report is there at any time, says so, and is of equal bytes twice', async () => {
  const { bench, job, html } = await jobNamed('early');
  await bench.post(`/v1/jobs/${job.id}/pause`);
  const first = await html();
  expect(parse(first).text).toContain('The job is paused.');
  expect(await html()).toBe(first);
  const { headers, statusCode } = await bench.get(`/v1/jobs/${job.id}/report.html`);
  expect(headers['content-security-policy']).toContain("default-src 'none'");
  expect(headers['content-type']).toBe('text/html; charset=utf-8');
  expect(statusCode).toBe(200);
  expect((await bench.get('/v1/jobs/j-none-1/report.html')).json()).toMatchObject({ code: 'JOB_NOT_FOUND' });
});

test('the command writes what the daemon serves, and the same from the database where none runs', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'microtune-report-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const opened = openStore({ dir }, { mode: 'write' });
  if (!opened.ok) throw new Error(opened.error.detail);
  const { bench, job, html } = await jobNamed('from anywhere', opened.value);
  await bench.post(`/v1/jobs/${job.id}/cancel`);
  const url = await bench.app.listen({ host: '127.0.0.1', port: 0 });
  const report = async (...args: readonly string[]): Promise<string> => {
    const file = join(dir, 'report.html');
    rmSync(file, { force: true });
    const silent = { stdin: Readable.from([]), stdout: { write: () => true }, stderr: { write: () => true } };
    const code = await main(['report', job.id, '--out', file, ...args], silent);
    return code === 0 ? readFileSync(file, 'utf8') : `exit code ${code}`;
  };
  const served = await html();
  const versionless = (text: string): string => text.replaceAll(/<td>\d+\.\d+\.\d+<\/td>/g, '');
  expect(await report('--url', url)).toBe(served);
  expect(versionless(await report('--data', dir))).toBe(versionless(served));
  expect(await report('--data', join(dir, 'none'))).toBe('exit code 2');
});

test('markup is closed and escaped by construction', () => {
  expect(el('p', { title: `"<'&` }, 'a<b', el('b', {}, 1), undefined, [null, 'c&d']).text).toBe(
    '<p title="&quot;&lt;&#39;&amp;">a&lt;b<b>1</b>c&amp;d</p>',
  );
});

test('marks of an axis lie within it, evenly and on round numbers', () => {
  const random = new Random(9);
  for (let i = 0; i < samples(200, 5000); i++) {
    const from = random.int(0, 1000);
    const to = from + random.int(1, 10_000_000);
    const found = marks(from, to, 5);
    expect(found.length).toBeLessThanOrEqual(12);
    expect(found.length).toBeGreaterThan(0);
    for (const m of found) expect(m >= from && m <= to, `${m} in ${from}..${to}`).toBe(true);
  }
});

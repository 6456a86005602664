/** `microtune report`: a job as one HTML file, from the daemon or from the database where none runs. */
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { boards } from '../../../boards/index.ts';
import { failed, ok, type Result } from '../../../compiler/result.ts';
import { JobViews, nothingRuns } from '../../job-views.ts';
import { Models } from '../../models.ts';
import { reportData } from '../../report/data.ts';
import { reportHtml } from '../../report/page.ts';
import { version } from '../../version.ts';
import { askOrRead } from '../daemon.ts';
import type { Act } from '../index.ts';
import type { Io, Shows } from '../io.ts';
import { type CommonOptions, common, type RemoteOptions, remote } from '../options.ts';
import { readingStore } from '../store.ts';

interface ReportOptions extends CommonOptions, RemoteOptions {
  readonly out?: string;
}

export function addReport(program: Command, act: Act): void {
  const command = program
    .command('report')
    .description('write what came of a job into one HTML file that needs nothing else')
    .argument('<job>', 'a job')
    .option('--out <file>', 'where to (default: JOB.html here)');
  common(remote(command), 'microtune report j-0123456789-1 --out report.html').action(act(report));
}

async function report(_io: Io, id: string, o: ReportOptions): Shows {
  const html = await askOrRead(
    o,
    async (client) => {
      const bytes = await client.report(id);
      return bytes.ok ? ok(Buffer.from(bytes.value).toString('utf8')) : bytes;
    },
    async () => fromStore(id, o.data),
  );
  if (!html.ok) return html;
  const file = resolve(o.out ?? `${id}.html`);
  writeFileSync(file, html.value);
  return ok({ json: { file, bytes: Buffer.byteLength(html.value) }, text: file });
}

function fromStore(id: string, data: string): Result<string> {
  const opened = readingStore(data);
  if (!opened.ok) return opened;
  const store = opened.value;
  try {
    const row = store?.job(id);
    if (store === undefined || row === undefined)
      return failed('request', 'JOB_NOT_FOUND', `no job has the id "${id}"`);
    const models = new Models(store);
    return ok(
      reportHtml(reportData({ store, models, views: new JobViews(store, models, nothingRuns), boards, version }, row)),
    );
  } finally {
    store?.close();
  }
}

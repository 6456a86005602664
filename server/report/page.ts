/**
 * The report of a job as one HTML file that needs nothing else: no script, no font, no request. For whoever looks in the morning, and
 * for whoever gets it by mail. Same job, same bytes.
 */
import {
  bytes,
  count,
  counted,
  kindWords,
  layerName,
  percent,
  short,
  span,
  speedUp,
  sumWords,
  unit,
} from '../dashboard/format.js';
import type { Layer } from '../dashboard/layers.js';
import type { ReportData } from './data.ts';
import { documentOf, el, type Html, type Part } from './html.ts';
import { reproduction } from './reproduce.ts';
import { reportStyle } from './style.ts';
import { curvePicture, layersPicture } from './svg.ts';

/** What browsers may do with it: show it. */
export const reportPolicy =
  "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** The report as HTML text. */
export function reportHtml(d: ReportData): string {
  const { job } = d;
  const name = job.name ?? job.modelName;
  return documentOf(
    `${name} on ${job.board}: ${job.id}`,
    reportStyle,
    el(
      'main',
      {},
      el('p', { class: 'muted' }, `microtune · report of job ${job.id}`),
      el('h1', {}, `${name} on ${job.board}`),
      el('p', { class: 'lead' }, summary(d)),
      job.error !== null && el('p', { class: 'failure' }, `${job.error.stage}: ${job.error.code}: ${job.error.detail}`),
      numbers(d),
      section('Progress', curvePicture(d.curve) ?? el('p', { class: 'muted' }, 'Not every layer has a count yet.')),
      section('Layers, before and after', layersPicture(d.layers, job.kind), layersTable(d.layers, job.kind)),
      memory(d),
      trials(d),
      section('Measured on', facts(environment(d))),
      section('To do it again', ...reproduction(d)),
    ),
  );
}

const section = (title: string, ...parts: readonly Part[]): Html => el('section', {}, el('h2', {}, title), parts);

/** What came of it, in a sentence or two. */
function summary({ job, made }: ReportData): string {
  const { default: before, best: after } = job.cycles;
  const what = unit(job.kind);
  const so =
    after === null
      ? 'Not every layer was measured.'
      : `One inference takes ${count(after)} ${what}${before === null ? '' : `, ${speedUp(before, after)} fewer than the ${count(before)} with default schedules`}.`;
  const proof =
    made === undefined
      ? `The job is ${job.state}.`
      : `The firmware's outputs equal the model's bit for bit on ${counted(made.verifiedInputs, 'input')}.`;
  const kind = job.kind === 'silicon' ? '' : ` Counts are ${kindWords(job.kind)}.`;
  return `${so} ${proof}${kind}`;
}

function numbers({ job, made, board }: ReportData): Html {
  const { default: before, best: after } = job.cycles;
  const seconds = after === null || board === undefined || job.kind === 'instructions' ? null : after / board.clockHz;
  const one = (label: string, value: string, note: string): Html =>
    el('div', {}, el('dt', {}, label), el('dd', {}, el('b', {}, value), ' ', note));
  return el(
    'dl',
    { class: 'numbers' },
    one('tuned', short(after), unit(job.kind)),
    one('default', short(before), unit(job.kind)),
    one('speed-up', speedUp(before, after), ''),
    seconds !== null && one('time', `${(seconds * 1000).toPrecision(3)} ms`, `at ${(board?.clockHz ?? 0) / 1e6} MHz`),
    one('trials', count(job.trials.done), `${count(job.trials.failed)} failed`),
    one('tuning', span(job.spentMs), ''),
    made !== undefined && one('flash', bytes(made.flashBytes), 'code and constants'),
    made !== undefined && one('RAM', bytes(made.ramBytes), `${bytes(made.arenaBytes)} of it arena`),
  );
}

/** A column: its name, its cell, and whether it is a number. */
type Column<Row> = readonly [name: string, cell: (row: Row) => Part, as?: 'number'];

const table = <Row>(columns: readonly Column<Row>[], rows: readonly Row[]): Html =>
  el(
    'div',
    { class: 'scroll' },
    el(
      'table',
      {},
      el(
        'thead',
        {},
        el(
          'tr',
          {},
          columns.map(([name, , as]) => el('th', { class: as }, name)),
        ),
      ),
      el(
        'tbody',
        {},
        rows.map((r) =>
          el(
            'tr',
            {},
            columns.map(([, cell, as]) => el('td', { class: as }, cell(r))),
          ),
        ),
      ),
    ),
  );

function layersTable(layers: readonly Layer[], kind: string): Html {
  const total = layers.reduce((n, l) => n + (l.cycles ?? 0), 0);
  return table<Layer>(
    [
      ['layer', (l) => layerName(l.name)],
      ['MACs', (l) => count(l.macs), 'number'],
      [`default ${unit(kind)}`, (l) => count(l.before), 'number'],
      ['tuned', (l) => count(l.cycles), 'number'],
      ['share', (l) => percent(l.cycles, total), 'number'],
      ['speed-up', (l) => speedUp(l.before, l.cycles), 'number'],
      ['schedule', (l) => l.schedule ?? ''],
      ['trial', (l) => el('code', {}, l.record ?? 'none')],
    ],
    layers,
  );
}

/** What it takes, and what the last kilobytes bought. */
function memory({ made, job }: ReportData): Part {
  if (made === undefined) return undefined;
  type Trade = NonNullable<typeof made.trades>['flash'][number];
  const trade = (title: string, rows: readonly Trade[]): Part =>
    rows.length > 1 && [
      el('h3', {}, title),
      table<Trade>(
        [
          [unit(job.kind), (t) => count(t.cycles), 'number'],
          ['over the fastest', (t) => (t.relative === null ? '–' : `${t.relative.toFixed(2)}×`), 'number'],
          ['flash', (t) => bytes(t.flashBytes), 'number'],
          ['RAM', (t) => bytes(t.ramBytes), 'number'],
          ['of it arena', (t) => bytes(t.arenaBytes), 'number'],
        ],
        rows,
      ),
    ];
  return section(
    'Memory',
    facts([
      ['flash', `${count(made.flashBytes)} bytes: code and constants`],
      ['RAM', `${count(made.ramBytes)} bytes: arena, what is placed there, ${count(made.stackBytes)} of stack`],
      ['arena', `${count(made.arenaBytes)} bytes; no plan can be below ${count(made.arenaLowerBound)}`],
    ]),
    made.trades !== undefined && [
      trade('What the last kilobytes of flash bought', made.trades.flash),
      trade('What the last kilobytes of RAM bought', made.trades.ram),
      el('p', { class: 'muted' }, sumWords(made.cycles, job.kind)),
    ],
  );
}

function trials({ job, devices, stages }: ReportData): Html {
  type Row = (typeof devices)[number];
  const codes = (r: Row): string =>
    Object.entries(r.codes)
      .map(([code, n]) => `${code} ${count(n)}`)
      .join(', ');
  const columns = (what: string): readonly Column<Row>[] => [
    [what, (r) => r.key ?? 'none was reached'],
    ['trials', (r) => count(r.trials), 'number'],
    ['failed', (r) => count(r.failed), 'number'],
    ['why', codes],
  ];
  return section(
    'Trials',
    el(
      'p',
      {},
      `${counted(job.trials.done, 'trial')} ${job.trials.done === 1 ? 'was' : 'were'} measured, ${count(job.trials.failed)} of them failed; what failed is never a result.`,
    ),
    devices.length > 0 && table(columns('device'), devices),
    stages.length > 0 && [el('h3', {}, 'Failures by stage'), table(columns('stage'), stages)],
  );
}

type Fact = readonly [string, Part];
const facts = (rows: readonly Fact[]): Html =>
  table<Fact>(
    [
      ['', ([k]) => k],
      ['', ([, v]) => v],
    ],
    rows,
  );

function environment({ job, board, sample, version, model }: ReportData): readonly Fact[] {
  return [
    ['model', `${model.name}, ${count(model.bytes)} bytes, ${count(model.macs)} MACs, id ${model.id}`],
    ['board', board === undefined ? job.board : `${board.id}: ${board.title}`],
    ['counts', kindWords(job.kind)],
    ['compiler', sample?.toolchain ?? 'no trial was made'],
    ['flags', el('code', {}, sample?.flags ?? '')],
    ['firmware', el('code', {}, sample?.firmware ?? 'none')],
    ['policy', `${job.policy}, seed ${job.seed}`],
    ['started', job.startedAt ?? 'not yet'],
    ['ended', job.endedAt ?? 'not yet'],
    ['microtune', version],
  ];
}

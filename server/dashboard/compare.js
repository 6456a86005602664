// @ts-check
/** Two jobs beside each other, layer by layer. Counts of different kinds are shown, but no ratio is made of them. */
import { h } from './dom.js';
import { count, counted, kindWords, layerName, short, speedUp, unit } from './format.js';
import { linkedLayers } from './job-layers.js';
import { to } from './router.js';
import { empty, section, select, stat, stats, table } from './ui.js';
import { jobTitle, stateChip } from './words.js';

/** @typedef {import('../schemas/index.ts').JobBody} Job */
/** @typedef {import('../schemas/index.ts').JobSummary} JobRow */
/** @typedef {Pick<import('./job-layers.js').Layer, 'name' | 'op' | 'cycles' | 'schedule'> & { href?: string }} Layer  Or the whole network. */
/** @typedef {{ job: Job, layers: readonly import('./job-layers.js').Layer[] }} Side */

/** @type {import('./page.js').View} */
export const compareView = {
  pattern: 'compare',
  nav: 'compare',
  async open(page) {
    page.title('Compare');
    const group = page.query.get('group');
    const { items } = /** @type {{ items: readonly JobRow[] }} */ (
      await page.get(`/v1/jobs?limit=200${group ? `&group=${encodeURIComponent(group)}` : ''}`)
    );
    const counted = items.filter((j) => j.cycles.best !== null && (!group || j.group === group));
    if (counted.length < 2)
      return page.show(
        h('h1', null, 'Compare'),
        empty('Nothing to compare yet.', 'It takes two jobs that have counted every layer.'),
      );
    const [a, b] = [page.query.get('a') ?? counted[1]?.id ?? '', page.query.get('b') ?? counted[0]?.id ?? ''];
    const sides = await Promise.all([a, b].map((id) => side(page, id)));
    page.show(h('h1', null, 'Compare'), choices(counted, a, b), ...both(/** @type {[Side, Side]} */ (sides)));
  },
};

/** @param {import('./page.js').Page} page @param {string} id @returns {Promise<Side>} */
async function side(page, id) {
  const job = await page.get(`/v1/jobs/${encodeURIComponent(id)}`);
  return { job, layers: linkedLayers(job, await page.get(`/v1/models/${encodeURIComponent(job.model)}`)) };
}

/** @param {readonly JobRow[]} jobs @param {string} a @param {string} b */
function choices(jobs, a, b) {
  const options = jobs.map((j) => /** @type {const} */ ([j.id, `${jobTitle(j)} on ${j.board}, ${j.policy} (${j.id})`]));
  const go = (/** @type {Record<string, string>} */ change) => {
    location.hash = to('compare', { a, b, ...change });
  };
  return h(
    'div',
    { class: 'fields halves' },
    select('a', options, a, (v) => go({ a: v }), 'One job'),
    select('b', options, b, (v) => go({ b: v }), 'The other job'),
  );
}

/** @param {string} text */
const note = (text) => (text === '' ? null : h('p', { class: 'note', role: 'note' }, text));

/** What two networks have in common, where that is not everything. @param {readonly Pair[]} rows */
function commonWords(rows) {
  const common = rows.filter(isCommon).length;
  if (common === rows.length) return '';
  return common === 0
    ? 'These two networks have no layer in common: below are the layers of both, and none has anything to be compared with.'
    : `These are two networks that have ${common} of ${counted(rows.length, 'layer')} in common; only those compare.`;
}

/** Of the first and of the second. @param {Pair} r */
const schedules = ({ a, b }) => [
  a?.schedule ?? '–',
  a?.schedule && b?.schedule === a.schedule ? 'the same' : (b?.schedule ?? '–'),
];

/** @param {[Side, Side]} sides @returns {import('./ui.js').Child[]} */
function both([a, b]) {
  const sameKind = a.job.kind === b.job.kind;
  const rows = pairs(a.layers, b.layers);
  return [
    h(
      'div',
      { class: 'two' },
      [a, b].map((s, i) => head(s.job, i === 0 ? '--series-1' : '--series-2')),
    ),
    note(
      sameKind
        ? ''
        : `One side counts ${kindWords(a.job.kind)}, the other ${kindWords(b.job.kind)}: these do not compare, so no ratio is shown.`,
    ),
    note(commonWords(rows)),
    section('Layer by layer', layerTable(rows, a.job, b.job, sameKind)),
  ];
}

/** @param {Job} j @param {string} colour */
const head = (j, colour) =>
  h(
    'article',
    { class: 'card' },
    h(
      'div',
      { class: 'card-head' },
      h(
        'h2',
        null,
        h('span', { class: 'swatch dots', style: { '--colour': `var(${colour})` } }),
        h('a', { href: to('jobs', j.id) }, jobTitle(j)),
      ),
      stateChip(j),
    ),
    h('p', { class: 'muted' }, `${j.board} · ${j.policy}, seed ${j.seed} · ${count(j.trials.done)} trials`),
    stats(
      stat('best', short(j.cycles.best), kindWords(j.kind)),
      stat('default', short(j.cycles.default), unit(j.kind)),
    ),
  );

/** A layer of either side or of both. @typedef {{ name: string, a: Layer | undefined, b: Layer | undefined }} Pair */

/**
 * Layers by their place where both have as many, else by task; what only the second has comes last.
 * @param {Side['layers']} a
 * @param {Side['layers']} b
 * @returns {readonly Pair[]}
 */
function pairs(a, b) {
  if (a.length === b.length && a.every((l, i) => l.op === b[i]?.op))
    return a.map((l, i) => ({ name: l.name, a: l, b: b[i] }));
  const byTask = (/** @type {Side['layers']} */ side) => new Map(side.map((l) => [l.task, l]));
  const [ofA, ofB] = [byTask(a), byTask(b)];
  return [
    ...a.map((l) => ({ name: l.name, a: l, b: ofB.get(l.task) })),
    ...b.filter((l) => ofA.get(l.task) === undefined).map((l) => ({ name: l.name, a: undefined, b: l })),
  ];
}

/** @param {Pair} r */
const isCommon = (r) => r.a !== undefined && r.b !== undefined;

/**
 * A last row: the whole network where all layers are common, as the head counts it, else the sum of those that are.
 * @param {readonly Pair[]} rows
 * @param {Job} ja
 * @param {Job} jb
 * @returns {Pair}
 */
function whole(rows, ja, jb) {
  const common = rows.filter(isCommon);
  const all = common.length === rows.length;
  const sum = (/** @type {(r: Pair) => number | null | undefined} */ of) =>
    common.some((r) => of(r) === null || of(r) === undefined) ? null : common.reduce((n, r) => n + (of(r) ?? 0), 0);
  const nothing = { name: all ? 'whole network' : 'layers in common', op: '', schedule: null };
  return {
    name: nothing.name,
    a: { ...nothing, cycles: all ? ja.cycles.best : sum((r) => r.a?.cycles) },
    b: { ...nothing, cycles: all ? jb.cycles.best : sum((r) => r.b?.cycles) },
  };
}

/** @param {readonly Pair[]} rows @param {Job} ja @param {Job} jb @param {boolean} sameKind */
function layerTable(rows, ja, jb, sameKind) {
  const most = [Math.max(1, ...rows.map((r) => r.a?.cycles ?? 0)), Math.max(1, ...rows.map((r) => r.b?.cycles ?? 0))];
  const scale = sameKind ? [Math.max(...most), Math.max(...most)] : most;
  const bar = (/** @type {number | null | undefined} */ v, /** @type {number} */ i) =>
    h('span', {
      class: 'pair-bar',
      style: { '--share': String((v ?? 0) / (scale[i] ?? 1)), '--colour': `var(--series-${i + 1})` },
    });
  const ratio = (/** @type {Pair} */ r) => (sameKind ? speedUp(r.a?.cycles, r.b?.cycles) : '–');
  return table({
    label: 'Layer by layer',
    rows,
    key: (r) => `${r.a?.name} ${r.b?.name}`,
    ...(rows.some(isCommon) && { foot: whole(rows, ja, jb) }),
    columns: [
      {
        name: 'layer',
        cell: (r) => {
          const href = r.a?.href ?? r.b?.href;
          return href === undefined ? layerName(r.name) : h('a', { href }, layerName(r.name));
        },
      },
      {
        name: 'both',
        cell: (r) =>
          r.a?.op !== '' &&
          h('div', { class: 'pair', 'aria-hidden': 'true' }, bar(r.a?.cycles, 0), bar(r.b?.cycles, 1)),
      },
      { name: `${ja.board}, ${unit(ja.kind)}`, as: 'right', cell: (r) => count(r.a?.cycles) },
      { name: `${jb.board}, ${unit(jb.kind)}`, as: 'right', cell: (r) => count(r.b?.cycles) },
      { name: 'first over second', as: 'right', cell: ratio },
      {
        name: 'schedules, first and second',
        as: 'wide',
        cell: (r) =>
          r.a?.op !== '' &&
          h(
            'div',
            { class: 'schedules muted' },
            schedules(r).map((words) => h('span', null, words)),
          ),
      },
    ],
  });
}

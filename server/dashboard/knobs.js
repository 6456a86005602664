// @ts-check
/**
 * What each knob does: for each value the best and the median of its trials (effect), and every trial of it (slice). Knobs of
 * different templates do not compare, so each template has plots of its own.
 */
import { chart, chartLegend } from './charts.js';
import { h } from './dom.js';
import { axisWords, count, counted, plain, short } from './format.js';

/** @typedef {{ template: string, knob: string, value: unknown, trials: number, failed: number, best: number | null, median: number | null }} KnobRow */
/** @typedef {import('../schemas/index.ts').RecordBody} RecordBody */

/** @typedef {Pick<import('./charts.js').Series, 'label' | 'as' | 'colour'>} Look */
const trials = /** @type {Look} */ ({ label: 'trials', as: 'dots', colour: '--faint' });
const median = /** @type {Look} */ ({ label: 'median', as: 'dashes', colour: '--series-2' });
const best = /** @type {Look} */ ({ label: 'best', as: 'line', colour: '--accent' });

/**
 * @param {readonly KnobRow[]} rows
 * @param {readonly RecordBody[]} records  For the slices.
 * @param {string} kind
 */
export function knobsPart(rows, records, kind) {
  const templates = [...new Set(rows.map((r) => r.template))];
  if (templates.length === 0) return h('p', { class: 'muted' }, 'No trial of a template with knobs yet.');
  return h(
    'div',
    null,
    chartLegend([trials, median, best]),
    templates.map((t) =>
      template(
        t,
        rows.filter((r) => r.template === t),
        records.filter((r) => r.template === t),
        kind,
      ),
    ),
  );
}

/** @param {string} name @param {readonly KnobRow[]} rows @param {readonly RecordBody[]} records @param {string} kind */
function template(name, rows, records, kind) {
  const knobs = [...new Set(rows.map((r) => r.knob))].filter((k) => rows.filter((r) => r.knob === k).length > 1);
  if (knobs.length === 0) return null;
  return h(
    'div',
    { key: name },
    h('h3', null, `Template ${name}`),
    h(
      'div',
      { class: 'small-charts' },
      knobs.map((k) =>
        h(
          'div',
          { key: k },
          effect(
            k,
            rows.filter((r) => r.knob === k),
            records,
            kind,
          ),
        ),
      ),
    ),
  );
}

/** @param {string} knob @param {readonly KnobRow[]} found @param {readonly RecordBody[]} records @param {string} kind */
function effect(knob, found, records, kind) {
  const rows = [...found].sort((a, b) =>
    typeof a.value === 'number' && typeof b.value === 'number'
      ? a.value - b.value
      : plain(a.value).localeCompare(plain(b.value)),
  );
  const at = new Map(rows.map((r, i) => [plain(r.value), i]));
  const points = records.flatMap((r, i) => {
    const value = at.get(plain(/** @type {any} */ (r.config)?.knobs?.[knob]));
    // Beside each other, not on top: the same place for the same trial each time.
    return value === undefined || r.cycles === null
      ? []
      : [{ x: value + (((i * 0.618) % 1) - 0.5) * 0.5, y: r.cycles }];
  });
  const xs = [
    ...points.map((p) => ({ x: p.x, y: p.y, row: -1 })),
    ...rows.map((_, i) => ({ x: i, y: null, row: i })),
  ].sort((a, b) => a.x - b.x);
  const of = (/** @type {(r: KnobRow) => number | null} */ value) =>
    xs.map((p) => (p.row < 0 ? null : value(/** @type {KnobRow} */ (rows[p.row]))));
  return chart({
    label: `${knob}: ${rows.map((r) => `${plain(r.value)} best ${short(r.best)}`).join(', ')}`,
    xLabel: knob,
    yLabel: axisWords(kind),
    x: xs.map((p) => p.x),
    ticks: rows.map((r) => plain(r.value)),
    height: 180,
    legend: 'none',
    series: [
      { ...trials, values: xs.map((p) => p.y) },
      { ...median, values: of((r) => r.median) },
      { ...best, values: of((r) => r.best) },
    ],
    tip: (i) => {
      const r = rows[Math.round(xs[i]?.x ?? 0)];
      return r === undefined
        ? []
        : [
            `${knob} = ${plain(r.value)}`,
            `best ${count(r.best)}`,
            `median ${count(r.median)}`,
            `${counted(r.trials, 'trial')}, ${r.failed} failed`,
          ];
    },
  });
}

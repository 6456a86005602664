// @ts-check
/** What the cost model makes of a task: how well it foretells, which knobs and features it goes by. */
import { chart } from './charts.js';
import { h } from './dom.js';
import { counted, plural, unit } from './format.js';
import { share, stat, stats, table } from './ui.js';

/** @typedef {import('../schemas/index.ts').TaskModelBody} ModelBody */

/** Bars that are shown: the rest is next to nothing. */
const bars = 12;

/** @param {ModelBody} m @param {string} kind */
export function modelPart(m, kind) {
  if (m.points.length === 0) return h('p', { class: 'muted' }, 'There are too few trials to train it on.');
  return h(
    'div',
    null,
    stats(
      stat('trained on', m.trained, plural(m.trained, 'trial')),
      stat(
        'rank correlation',
        m.rank === null ? '–' : m.rank.toFixed(2),
        'of predicted and measured; 1: the same order',
      ),
    ),
    h(
      'div',
      { class: 'two' },
      h('div', null, h('h3', null, 'Predicted against measured'), predicted(m, kind)),
      h(
        'div',
        null,
        importance(
          'Knobs',
          'Which knobs matter',
          m.knobs.map((k) => ({ name: `${k.template}: ${k.knob}`, share: k.share })),
        ),
        importance(
          'Features',
          'Which features of the program matter',
          m.importance.map((f) => ({ name: f.feature, share: f.share })),
        ),
      ),
    ),
  );
}

/** @param {ModelBody} m @param {string} kind */
function predicted(m, kind) {
  const points = [...m.points].sort((a, b) => a.measured - b.measured);
  return chart({
    label: `Predicted against measured ${unit(kind)} of ${counted(points.length, 'trial')}`,
    xLabel: `measured ${unit(kind)}`,
    yLabel: `predicted ${unit(kind)}`,
    x: points.map((p) => p.measured),
    height: 300,
    series: [
      { label: 'trials', as: 'dots', colour: '--series-1', values: points.map((p) => p.predicted) },
      { label: 'as measured', as: 'dashes', colour: '--muted', values: points.map((p) => p.measured) },
    ],
    y: 'linear',
  });
}

/** @param {string} label @param {string} title @param {readonly { name: string, share: number }[]} rows */
function importance(label, title, rows) {
  const first = [...rows].sort((a, b) => b.share - a.share).slice(0, bars);
  return first.length === 0
    ? null
    : h(
        'div',
        null,
        h('h3', null, title),
        table({
          label,
          rows: first,
          key: (r) => r.name,
          columns: [
            { name: label.toLowerCase(), cell: (r) => r.name },
            {
              name: 'share of what it goes by',
              cell: (r) => share(r.share, 1, 'wide'),
            },
          ],
        }),
      );
}

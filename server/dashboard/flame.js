// @ts-check
/**
 * Where the cycles of a network go, as bars: a part a layer, as wide as what it takes. Before and after stand on one scale, so
 * that what was gained is to be seen; the third bar shows the tuned network over the full width, so that what is left is.
 */
import { chartLegend } from './charts.js';
import { h } from './dom.js';
import { count, layerName, percent, speedUp, unit } from './format.js';

/**
 * @typedef {object} Layer
 * @property {string} name
 * @property {string} op
 * @property {number | null} cycles
 * @property {number | null} before
 * @property {string | undefined} href
 */

/** Groups of operators, by colour. @type {Readonly<Record<string, string>>} */
const colours = {
  conv2d: '--series-1',
  depthwise_conv2d: '--series-2',
  fully_connected: '--series-3',
  add: '--series-4',
  average_pool2d: '--series-5',
  max_pool2d: '--series-5',
  mean: '--series-5',
};
/** @param {string} op */
const colourOf = (op) => colours[op] ?? '--series-6';

/**
 * @param {readonly Layer[]} layers  In the order in which they run.
 * @param {string} kind
 */
export function flame(layers, kind) {
  const total = (/** @type {(l: Layer) => number | null} */ of) => layers.reduce((n, l) => n + (of(l) ?? 0), 0);
  const [before, after] = [total((l) => l.before), total((l) => l.cycles)];
  if (before === 0 && after === 0) return h('p', { class: 'muted' }, 'No layer has been counted yet.');
  const scale = Math.max(before, after);
  const same = before > 0 && after > 0 ? after / scale : 1;
  const ops = [...new Set(layers.map((l) => l.op))];
  return h(
    'div',
    { class: 'flame' },
    before > 0 && row('default', layers, (l) => l.before, before, before / scale, kind),
    after > 0 && row('tuned', layers, (l) => l.cycles, after, same, kind),
    after > 0 && same < 0.85 && row('tuned, over the full width', layers, (l) => l.cycles, after, 1, kind),
    chartLegend(ops.map((op) => ({ label: op, as: 'dots', colour: colourOf(op) }))),
  );
}

/**
 * @param {string} label
 * @param {readonly Layer[]} layers
 * @param {(l: Layer) => number | null} of
 * @param {number} total
 * @param {number} width  Of the whole bar: 1 is everything.
 * @param {string} kind
 */
const row = (label, layers, of, total, width, kind) =>
  h(
    'div',
    { class: 'flame-row', key: label },
    h('span', { class: 'flame-label' }, label, ' ', h('span', { class: 'muted num' }, `${count(total)} ${unit(kind)}`)),
    h(
      'div',
      {
        class: 'flame-bar',
        role: 'group',
        'aria-label': `${label}: where ${count(total)} ${unit(kind)} go`,
        style: { width: `${width * 100}%` },
      },
      layers.map((l) => part(l, of(l) ?? 0, { total, width, kind })),
    ),
  );

/** @param {Layer} l @param {number} value @param {{ total: number, width: number, kind: string }} bar */
function part(l, value, { total, width, kind }) {
  const text = `${layerName(l.name)}: ${count(value)} ${unit(kind)}, ${percent(value, total)} of the network, ${speedUp(l.before, l.cycles)} faster than default`;
  const props = {
    class: 'flame-part',
    key: l.name,
    title: text,
    style: { 'flex-grow': String(value), '--colour': `var(${colourOf(l.op)})` },
  };
  const wide = (value / total) * width > 0.06 ? layerName(l.name) : '';
  return l.href === undefined
    ? h('span', props, wide)
    : h('a', { ...props, href: l.href, 'aria-label': text }, h('span', { 'aria-hidden': 'true' }, wide));
}

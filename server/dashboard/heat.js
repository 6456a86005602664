// @ts-check
/** How busy each device was, a cell a stretch of time: the darker, the busier; a red foot where trials failed. */
import { h } from './dom.js';
import { counted, percent, when } from './format.js';
import { absent } from './ui.js';

/** @typedef {{ at: string, busyMs: number, trials: number, failed: number }} Bucket */
/** @typedef {{ since: string, until: string, items: readonly { device: string, board: string, buckets: readonly Bucket[] }[] }} Night */

/** @param {Night | undefined} night @param {ReadonlySet<string>} shown  Names of devices. */
export function heatStrip(night, shown) {
  if (night === undefined) return absent('utilisation');
  const rows = night.items.filter((d) => shown.has(d.device) && d.buckets.some((b) => b.busyMs > 0 || b.trials > 0));
  if (rows.length === 0) return h('p', { class: 'muted' }, 'No device worked in this time.');
  const ms = (Date.parse(night.until) - Date.parse(night.since)) / Math.max(1, rows[0]?.buckets.length ?? 1);
  const middle = new Date((Date.parse(night.since) + Date.parse(night.until)) / 2).toISOString();
  return h(
    'div',
    { class: 'heat-strip' },
    rows.map((d) => strip(d.device, d.buckets, ms)),
    h(
      'div',
      { class: 'heat-axis muted num', 'aria-hidden': 'true' },
      h('span', null, when(night.since)),
      h('span', null, when(middle)),
      h('span', null, when(night.until)),
    ),
    h(
      'ul',
      { class: 'legend' },
      h('li', null, h('span', { class: 'swatch ramp' }), 'idle to busy'),
      h('li', null, h('span', { class: 'swatch failed' }), 'trials failed'),
    ),
  );
}

/** @param {string} device @param {readonly Bucket[]} buckets @param {number} ms  A bucket's length. */
function strip(device, buckets, ms) {
  const trials = buckets.reduce((n, b) => n + b.trials, 0);
  const busy = buckets.reduce((n, b) => n + b.busyMs, 0);
  const label = `${device}: busy ${percent(busy, ms * buckets.length)} of the time, ${counted(trials, 'trial')}`;
  return h(
    'div',
    { class: 'heat-row', key: device },
    h('span', { class: 'heat-name', title: device }, device),
    h(
      'div',
      { class: 'heat-cells', role: 'img', 'aria-label': label },
      buckets.map((b, i) =>
        h('span', {
          key: i,
          class: b.failed > 0 ? 'cell failed' : 'cell',
          style: { '--share': String(Math.min(1, b.busyMs / ms)) },
          title: `${when(b.at)}: busy ${percent(b.busyMs, ms)}, ${counted(b.trials, 'trial')}, ${b.failed} failed`,
        }),
      ),
    ),
    h('span', { class: 'num muted' }, percent(busy, ms * buckets.length)),
  );
}

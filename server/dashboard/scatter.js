// @ts-check
/** All trials of a task in their order, coloured by template; those that failed stand on the ground line. */
import { chart } from './charts.js';
import { axisWords, count, counted, unit, when } from './format.js';

/** @typedef {{ record: string, n?: number, at: string, cycles: number | null, template: string, status: string, job?: string | null }} Trial */

/** Colours that can be told apart, also by those who see fewer. */
const palette = ['--series-1', '--series-2', '--series-3', '--series-4', '--series-5'];
/** @param {string} template @param {number} i */
const colourOf = (template, i) => (template === 'default' ? '--muted' : (palette[i % palette.length] ?? '--muted'));

/**
 * @param {readonly Trial[]} trials  In the order in which they were measured.
 * @param {string} kind
 * @param {(record: string) => void} pick
 */
export function scatterChart(trials, kind, pick) {
  const cycles = trials.flatMap((t) => (t.cycles === null ? [] : [t.cycles]));
  const ground = cycles.length === 0 ? 1 : Math.min(...cycles) * 0.96;
  const templates = [...new Set(trials.filter((t) => t.cycles !== null).map((t) => t.template))].sort(
    (a, b) => Number(a === 'default') - Number(b === 'default') || (a < b ? -1 : 1),
  );
  const failed = trials.some((t) => t.cycles === null);
  let best = Number.POSITIVE_INFINITY;
  const front = trials.map((t) => {
    best = Math.min(best, t.cycles ?? best);
    return Number.isFinite(best) ? best : null;
  });
  return chart({
    label: `${counted(trials.length, 'trial')} by ${templates.join(', ')}; the best took ${count(cycles.length === 0 ? null : Math.min(...cycles))} ${unit(kind)}`,
    xLabel: 'trials of this task, in their order',
    yLabel: axisWords(kind),
    x: trials.map((t, i) => t.n ?? i + 1),
    height: 320,
    series: [
      { label: 'best so far', as: 'steps', colour: '--faint', values: front },
      ...templates.map(
        (name, i) =>
          /** @type {import('./charts.js').Series} */ ({
            label: name,
            as: 'dots',
            colour: colourOf(name, i),
            values: trials.map((t) => (t.template === name ? t.cycles : null)),
          }),
      ),
      ...(failed
        ? [
            /** @type {import('./charts.js').Series} */ ({
              label: 'failed (no count)',
              as: 'dots',
              colour: '--bad',
              values: trials.map((t) => (t.cycles === null ? ground : null)),
            }),
          ]
        : []),
    ],
    tip: (i) => {
      const t = trials[i];
      return t === undefined
        ? []
        : [`${t.template}, ${when(t.at)}`, t.cycles === null ? 'failed' : `${count(t.cycles)} ${unit(kind)}`, t.record];
    },
    pick: (i) => {
      const t = trials[i];
      if (t !== undefined) pick(t.record);
    },
  });
}

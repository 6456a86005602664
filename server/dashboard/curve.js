// @ts-check
/** The best count against the number of trials: of a job, with the default schedules and random search as lines to compare with. */
import { chart } from './charts.js';
import { axisWords, counted, short, unit } from './format.js';

/** @typedef {{ kind: string, default: number | null, points: readonly { n: number, cycles: number }[] }} Curve */

/**
 * @param {Curve} curve
 * @param {{ random?: number | undefined, height?: number }} [o]
 */
export function curveChart(curve, o = {}) {
  const { points } = curve;
  const x = points.map((p) => p.n);
  const line = (/** @type {number} */ v) => x.map(() => v);
  const first = points[0]?.cycles;
  const last = points.at(-1)?.cycles;
  /** @type {import('./charts.js').Series[]} */
  const series = [{ label: 'best so far', values: points.map((p) => p.cycles), colour: '--accent', as: 'steps' }];
  if (curve.default !== null)
    series.push({
      label: `default schedules: ${short(curve.default)}`,
      values: line(curve.default),
      colour: '--muted',
      as: 'dashes',
    });
  if (o.random !== undefined)
    series.push({
      label: `random search: ${short(o.random)}`,
      values: line(o.random),
      colour: '--series-2',
      as: 'dashes',
    });
  return chart({
    label: `Best ${unit(curve.kind)} against trials: from ${short(first)} to ${short(last)} after ${counted(x.at(-1) ?? 0, 'trial')}`,
    xLabel: 'trials',
    yLabel: axisWords(curve.kind),
    x,
    from: 0,
    series,
    ...(o.height !== undefined && { height: o.height }),
  });
}

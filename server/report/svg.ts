/** The pictures of a report, as SVG that needs nothing else: the curve of a job, and its layers before and after. */
import type { Curve } from '../../db/log-types.ts';
import { count, kindWords, layerName, roundStep, short, speedUp, unit } from '../dashboard/format.js';
import type { Layer } from '../dashboard/layers.js';
import { el, type Html, type Part } from './html.ts';

const width = 960;
/** Where the axes stand. */
const frame = { left: 76, right: 16, top: 12, bottom: 44 };

type Scale = (value: number) => number;
const linear =
  (from: number, to: number, a: number, b: number): Scale =>
  (v) =>
    a + ((v - from) / (to - from || 1)) * (b - a);
const at = (n: number): string => n.toFixed(1);

/** Round marks between two numbers, about as many as are wanted. */
export function marks(from: number, to: number, wanted: number): readonly number[] {
  const step = roundStep((to - from || Math.abs(to) || 1) / wanted);
  const first = Math.ceil(from / step);
  const n = Math.floor(to / step + 1e-9) - first + 1;
  return Array.from({ length: Math.max(0, n) }, (_, i) => (first + i) * step);
}

/** Best count against trials, with the default schedules as a line; undefined where there is nothing to draw. */
export function curvePicture({ points, default: usual, kind }: Curve): Html | undefined {
  const [first, last] = [points[0], points.at(-1)];
  if (first === undefined || last === undefined || kind === null) return undefined;
  const height = 300;
  const highest = Math.max(usual ?? 0, ...points.map((p) => p.cycles)) * 1.05;
  const x = linear(0, Math.max(1, last.n), frame.left, width - frame.right);
  const y = linear(0, highest, height - frame.bottom, frame.top);
  const steps = points.map(
    (p, i) => `${i === 0 ? 'M' : `H${at(x(p.n))}V`}${i === 0 ? `${at(x(p.n))} ` : ''}${at(y(p.cycles))}`,
  );
  const label = `The best after n trials: ${short(first.cycles)} at first, ${short(last.cycles)} after ${count(last.n)}`;
  return el(
    'svg',
    { viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': label },
    marks(0, highest, 5).map((v) => [
      el('line', { class: 'grid', x1: frame.left, x2: width - frame.right, y1: at(y(v)), y2: at(y(v)) }),
      el('text', { class: 'mark end', x: frame.left - 8, y: at(y(v) + 4) }, short(v)),
    ]),
    marks(0, last.n, 8)
      .filter((v) => Number.isInteger(v))
      .map((v) => el('text', { class: 'mark middle', x: at(x(v)), y: height - frame.bottom + 18 }, count(v))),
    usual !== null && [
      el('line', { class: 'default', x1: frame.left, x2: width - frame.right, y1: at(y(usual)), y2: at(y(usual)) }),
      el(
        'text',
        { class: 'mark end', x: width - frame.right, y: at(y(usual) - 6) },
        `default schedules ${short(usual)}`,
      ),
    ],
    el('path', { class: 'curve', d: steps.join('') }),
    el('text', { class: 'mark middle', x: width / 2, y: height - 6 }, 'trials'),
    turned(kindWords(kind), height),
  );
}

const turned = (text: string, height: number): Html =>
  el('text', { class: 'mark middle', transform: `translate(14 ${height / 2 - 16}) rotate(-90)` }, text);

/** A pair of bars a layer: with default schedules above, tuned below, on one scale. */
export function layersPicture(layers: readonly Layer[], kind: string): Html | undefined {
  const most = Math.max(0, ...layers.flatMap((l) => [l.before ?? 0, l.cycles ?? 0]));
  if (most === 0) return undefined;
  const row = 30;
  const [left, right] = [210, 200];
  const x = linear(0, most, left, width - right);
  const bar = (cycles: number | null, kindOf: string, y: number): Part =>
    cycles !== null && el('rect', { class: kindOf, x: left, y, width: at(Math.max(1, x(cycles) - left)), height: 9 });
  return el(
    'svg',
    {
      viewBox: `0 0 ${width} ${layers.length * row + 8}`,
      role: 'img',
      'aria-label': `${unit(kind)} of each layer, before and after; the table has the numbers`,
    },
    layers.map((l, i) => {
      const y = i * row + 6;
      const end = x(Math.max(l.before ?? 0, l.cycles ?? 0));
      return [
        el('text', { class: 'name end', x: left - 8, y: y + 14 }, layerName(l.name)),
        bar(l.before, 'before', y),
        bar(l.cycles, 'after', y + 10),
        el(
          'text',
          { class: 'mark', x: at(end + 8), y: y + 14 },
          `${short(l.before)} → ${short(l.cycles)}, ${speedUp(l.before, l.cycles)}`,
        ),
      ];
    }),
  );
}

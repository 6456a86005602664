// @ts-check
/**
 * Charts, drawn by uPlot in the page's colours, each with a legend of ours, a tip at the pointer and a sentence for those who
 * cannot see it. Must stay true: every axis has a name with its unit.
 */
import { h } from './dom.js';
import { axisTicks, count, roundStep, short, tickText } from './format.js';
import uPlot from './uplot.js';

/**
 * @typedef {object} Series
 * @property {string} label
 * @property {readonly (number | null)[]} values  One for each x.
 * @property {string} colour  A custom property of style.css: '--accent', '--series-1'.
 * @property {'line' | 'steps' | 'dashes' | 'dots'} as
 */
/**
 * @typedef {object} ChartData
 * @property {string} label  What it shows, in a sentence.
 * @property {string} xLabel
 * @property {string} yLabel
 * @property {readonly number[]} x  Ascending.
 * @property {readonly Series[]} series
 * @property {number} [height]
 * @property {'linear'} [y]  Else logarithmic where the largest value is many times the smallest.
 * @property {number} [from]  Where the x axis begins; else at the first value.
 * @property {'none'} [legend]  Where several charts share one.
 * @property {readonly string[]} [ticks]  Words in place of the numbers 0, 1, … of the x axis.
 * @property {(i: number) => readonly string[]} [tip]  Lines about the point i.
 * @property {(i: number) => void} [pick]  When the point i is clicked.
 */

/** @param {ChartData} data */
export const chart = (data) =>
  h(
    'figure',
    { class: 'chart' },
    h('div', { widget: drawn, data, role: 'img', 'aria-label': data.label, style: { height: `${heightOf(data)}px` } }),
    data.series.length < 2 || data.legend === 'none' ? null : h('figcaption', null, chartLegend(data.series)),
  );

/** @param {readonly Pick<Series, 'label' | 'colour' | 'as'>[]} series */
export const chartLegend = (series) => h('ul', { class: 'legend' }, series.map(legend));

/** @param {Pick<Series, 'label' | 'colour' | 'as'>} s */
const legend = (s) =>
  h('li', null, h('span', { class: `swatch ${s.as}`, style: { '--colour': `var(${s.colour})` } }), s.label);

/** Beside the plot, for the numbers of its y axis and its name. */
const yAxisPixels = 58;

const heightOf = (/** @type {ChartData} */ d) => d.height ?? 260;

/**
 * @param {Element} at
 * @returns {import('./dom.js').Widget}
 */
function drawn(at) {
  const element = /** @type {HTMLElement} */ (at);
  /** @type {uPlot | undefined} */
  let plot;
  /** @type {ChartData | undefined} */
  let data;
  let shape = '';
  const redraw = () => {
    plot?.destroy();
    plot =
      data === undefined || element.clientWidth === 0
        ? undefined
        : new uPlot(
            optionsOf(data, () => data, element),
            dataOf(data),
            element,
          );
  };
  const resized = new ResizeObserver(() => {
    if (plot === undefined) redraw();
    else if (plot.width !== element.clientWidth) plot.setSize({ width: element.clientWidth, height: plot.height });
  });
  resized.observe(element);
  document.addEventListener('themechange', redraw);
  return {
    update(next) {
      data = next;
      // A series more, or another axis, is another chart; new values are the same one.
      const nextShape = JSON.stringify([
        next.series.map((/** @type {Series} */ s) => [s.label, s.as]),
        next.xLabel,
        next.yLabel,
        next.ticks,
      ]);
      if (plot === undefined || shape !== nextShape) redraw();
      else plot.setData(dataOf(next));
      shape = nextShape;
    },
    end() {
      resized.disconnect();
      document.removeEventListener('themechange', redraw);
      plot?.destroy();
    },
  };
}

/** @param {ChartData} d */
const dataOf = (d) => /** @type {import('uplot').AlignedData} */ ([d.x, ...d.series.map((s) => s.values)]);

/** @param {string} name */
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/**
 * @param {ChartData} d
 * @param {() => ChartData | undefined} now  What is shown by now, for what happens later.
 * @param {HTMLElement} element
 * @returns {import('uplot').Options}
 */
function optionsOf(d, now, element) {
  return {
    width: element.clientWidth,
    height: heightOf(d),
    legend: { show: false },
    cursor: { drag: { x: false, y: false }, points: { show: d.pick === undefined }, y: false },
    scales: { x: { time: false, range: (_u, min, max) => widened(d, min, max) }, y: yScale(d) },
    axes: [
      axis(
        d.xLabel,
        d.ticks === undefined
          ? undefined
          : (v) => axisTicks(now()?.ticks ?? [], element.clientWidth - yAxisPixels)[v] ?? '',
        d,
      ),
      { ...axis(d.yLabel, short, d), size: yAxisPixels },
    ],
    series: [{}, ...d.series.map(drawnSeries)],
    plugins: [tips(now)],
  };
}

/** @param {ChartData} d @param {number} min @param {number} max @returns {[number, number]} */
function widened(d, min, max) {
  if (d.ticks !== undefined) return [-0.5, d.ticks.length - 0.5];
  if (d.from !== undefined) return [d.from, Math.max(max, d.from + 1)];
  return min === max ? [min - 1, max + 1] : [min, max];
}

/** @param {ChartData} d @returns {import('uplot').Scale} */
function yScale(d) {
  const positive = d.series.flatMap((s) => s.values.filter((v) => v !== null && v > 0));
  const values = /** @type {number[]} */ (positive.slice(0, 30000));
  const wide = Math.max(...values) > 3 * Math.min(...values);
  return wide && d.y !== 'linear'
    ? { distr: 3, range: (_u, min, max) => [min * 0.93, max * 1.08] }
    : { range: (_u, min, max) => [Math.max(0, min - (max - min || max) * 0.08), max + (max - min || max) * 0.08 || 1] };
}

/**
 * @param {string} label
 * @param {((v: number) => string) | undefined} words
 * @param {ChartData} d
 * @returns {import('uplot').Axis}
 */
function axis(label, words, d) {
  const font = '12px system-ui, sans-serif';
  return {
    label,
    labelFont: font,
    labelSize: 22,
    labelGap: 2,
    font,
    stroke: colour('--muted'),
    grid: { stroke: colour('--line'), width: 1 },
    ticks: { stroke: colour('--line'), width: 1, size: 4 },
    values: (_u, splits) => splits.map(tickText(words ?? count)),
    ...(words === short
      ? { splits: ySplits }
      : {
          size: 30,
          ...(d.ticks === undefined ? { incrs: wholeSteps } : { splits: () => d.ticks?.map((_, i) => i) ?? [] }),
        }),
  };
}

/** There is no half a trial. */
const wholeSteps = Array.from({ length: 12 }, (_, e) => [1, 2, 5].map((m) => m * 10 ** e)).flat();

/** Marks of a logarithmic axis at 1, 2, 3, 5, 7 of each power, for as few powers as there often are; of others, round steps.
 * @type {import('uplot').Axis.Splits} */
const ySplits = (u, _axis, min, max, step) => {
  const room = Math.max(2, Math.floor(u.bbox.height / devicePixelRatio / 26));
  if (u.scales.y?.distr !== 3) {
    const round = roundStep(Math.max(step, (max - min) / room));
    return Array.from(
      { length: Math.floor(max / round) - Math.ceil(min / round) + 1 },
      (_, i) => (Math.ceil(min / round) + i) * round,
    );
  }
  const marks = (/** @type {readonly number[]} */ of) =>
    Array.from({ length: 14 }, (_, e) => of.map((m) => m * 10 ** e))
      .flat()
      .filter((v) => v >= min && v <= max);
  const sets = [[1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9], [1, 2, 3, 5, 7], [1, 2, 5], [1, 3], [1]].map(marks);
  return sets.find((s) => s.length <= room) ?? sets.at(-1) ?? [];
};

/** @param {Series} s @returns {import('uplot').Series} */
function drawnSeries(s) {
  const stroke = colour(s.colour);
  switch (s.as) {
    case 'line':
      return { label: s.label, stroke, width: 2, points: { show: false }, spanGaps: true };
    case 'steps':
      return { label: s.label, stroke, width: 2, points: { show: false }, spanGaps: true, ...steps() };
    case 'dashes':
      return { label: s.label, stroke, width: 1.5, dash: [6, 5], points: { show: false }, spanGaps: true };
    case 'dots':
      return {
        label: s.label,
        stroke,
        width: 0,
        paths: () => null,
        points: { show: true, size: 6, width: 0, fill: `${stroke}cc`, stroke },
      };
  }
}
const steps = () => {
  const paths = uPlot.paths.stepped?.({ align: 1 });
  return paths === undefined ? {} : { paths };
};

/** What is at the pointer, in words; and clicks. @param {() => ChartData | undefined} now @returns {import('uplot').Plugin} */
function tips(now) {
  const tip = document.createElement('div');
  tip.className = 'tip';
  tip.hidden = true;
  return {
    hooks: {
      init: (u) => {
        u.over.append(tip);
        u.over.addEventListener('mouseleave', () => {
          tip.hidden = true;
        });
        u.over.addEventListener('click', () => {
          const { idx } = u.cursor;
          if (idx !== null && idx !== undefined) now()?.pick?.(idx);
        });
        if (now()?.pick !== undefined) u.over.classList.add('pickable');
      },
      setCursor: (u) => {
        const d = now();
        const { idx, left = -1, top = -1 } = u.cursor;
        tip.hidden = d === undefined || idx === null || idx === undefined || left < 0;
        if (tip.hidden || d === undefined || idx === null || idx === undefined) return;
        tip.textContent = (d.tip?.(idx) ?? usualTip(d, idx)).join('\n');
        const right = left > u.over.clientWidth / 2;
        tip.style.transform = `translate(${right ? left - tip.offsetWidth - 12 : left + 12}px, ${Math.min(Math.max(0, top - 12), u.over.clientHeight - tip.offsetHeight)}px)`;
      },
    },
  };
}

/** @param {ChartData} d @param {number} i */
const usualTip = (d, i) => [
  `${d.xLabel}: ${d.ticks?.[i] ?? count(d.x[i])}`,
  ...d.series.flatMap((s) =>
    s.values[i] === null || s.values[i] === undefined ? [] : [`${s.label}: ${short(s.values[i])}`],
  ),
];

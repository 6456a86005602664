// @ts-check
/** Numbers, times and kinds of counts as people read them. A count is never shown without what it counts. */

/** @typedef {import('../../boards/board.ts').Kind | string} Kind */

/** Between a number and its unit, and between groups of digits; never broken. */
const thin = '\u202f';

/** @param {number | null | undefined} n 1234567 -> "1 234 567" */
export const count = (n) =>
  n === null || n === undefined
    ? '–'
    : Math.round(n)
        .toString()
        .replace(/\B(?=(\d{3})+$)/g, thin);

/** @param {number} n @param {string} one What is counted: "trial" -> "trial" of one, "trials" of any other number. */
export const plural = (n, one) => (n === 1 ? one : `${one}s`);

/** @param {number} n @param {string} one 1 -> "1 trial", 2000 -> "2 000 trials" */
export const counted = (n, one) => `${count(n)} ${plural(n, one)}`;

/** @param {number | null | undefined} n 5174000 -> "5.17 M", to three digits */
export function short(n) {
  if (n === null || n === undefined) return '–';
  for (const [size, unit] of /** @type {const} */ ([
    [1e9, 'G'],
    [1e6, 'M'],
    [1e3, 'k'],
  ]))
    if (Math.abs(n) >= size * 0.9995) return `${three(n / size)}${thin}${unit}`;
  return three(n);
}

/** @param {number} n to three digits, without an exponent */
const three = (n) => (Math.abs(n) >= 999.5 || Number.isInteger(n) ? String(Math.round(n)) : n.toPrecision(3));

/** For an axis: some of its lines have no number, which is no number that is missing. @param {(n: number) => string} words */
export const tickText = (words) => (/** @type {number | null} */ n) => (n === null ? '' : words(n));

/**
 * Words under an axis, one for each place, so that none touches the next: as they are, else without their middle, else '' at some
 * places. Numbers are whole.
 * @param {readonly string[]} words
 * @param {number} pixels  That all places have together.
 */
export function axisTicks(words, pixels) {
  const room = pixels / Math.max(1, words.length);
  const longest = Math.max(0, ...words.map((w) => w.length));
  const least = words.every((w) => w !== '' && Number.isFinite(Number(w))) ? longest : Math.min(longest, 5);
  const step = Math.max(1, Math.ceil((least * letterPixels + gapPixels) / room));
  const letters = Math.floor((step * room - gapPixels) / letterPixels);
  return words.map((w, i) => (i % step > 0 ? '' : w.length <= letters ? w : middleCut(w, letters)));
}
/** Lists of flags begin alike, names of layouts end alike. @param {string} w @param {number} letters */
const middleCut = (w, letters) =>
  `${w.slice(0, Math.ceil((letters - 1) / 2))}…${w.slice(-Math.floor((letters - 1) / 2))}`;
/** Of the font of axes: a wide letter, and what is left free between two words. */
const [letterPixels, gapPixels] = [8, 6];

/** @param {number} size The least of 1, 2, 5 times a power of ten that is no smaller: what marks of an axis are apart. */
export function roundStep(size) {
  const power = 10 ** Math.floor(Math.log10(size));
  return power * ([1, 2, 5, 10].find((m) => m * power >= size) ?? 10);
}

/** @param {Kind} kind What counts of a kind count. */
export const unit = (kind) => (kind === 'instructions' ? 'instructions' : kind === 'host' ? 'ticks' : 'cycles');

/** @param {Kind} kind Where such counts come from, for beside a number. */
export const kindWords = (kind) => kinds[kind] ?? kind;
/** @type {Readonly<Record<string, string>>} */
const kinds = {
  silicon: 'cycles on silicon',
  model: 'cycles of the timing model',
  instructions: 'instructions, not cycles',
  host: "ticks of this computer's clock",
};

/** @param {Kind} kind The same for an axis, where there is little room. */
export const axisWords = (kind) =>
  kind === 'model' ? 'cycles (model)' : kind === 'host' ? 'ticks (this computer)' : unit(kind);

/**
 * Why what single layers took does not add up to what the network takes that was made of them.
 * @param {number | null | undefined} whole  What that one took as a whole.
 * @param {Kind} kind
 */
export const sumWords = (whole, kind) =>
  `Added up from what each layer took alone in its trial.${
    whole === null || whole === undefined
      ? ''
      : ` The network that was built took ${count(whole)} ${unit(kind)} as a whole: with the calls between its layers, and with code and constants where they ship.`
  }`;

/** @param {number | null | undefined} before @param {number | null | undefined} after "4.98×" */
export const speedUp = (before, after) => (before && after ? `${(before / after).toFixed(2)}×` : '–');

/** @param {number | null | undefined} part @param {number} whole "12 %" */
export const percent = (part, whole) =>
  part === null || part === undefined || whole === 0 ? '–' : `${share(part / whole)}${thin}%`;
/** @param {number} s */
const share = (s) => (s > 0 && s < 0.01 ? '<1' : String(Math.round(s * 100)));

/** @param {number | null | undefined} n 17792 -> "17.4 KiB" */
export function bytes(n) {
  if (n === null || n === undefined) return '–';
  if (n < 1024) return `${n}${thin}B`;
  if (n < 1024 ** 2) return `${three(n / 1024)}${thin}KiB`;
  return n < 1024 ** 3 ? `${three(n / 1024 ** 2)}${thin}MiB` : `${three(n / 1024 ** 3)}${thin}GiB`;
}

/** @param {number | null | undefined} ms "8 s", "3 min 20 s", "2 h 05 min" */
export function span(ms) {
  if (ms === null || ms === undefined) return '–';
  const s = Math.max(0, Math.round(ms / 1000));
  const two = (/** @type {number} */ n) => String(n).padStart(2, '0');
  if (s < 60) return `${s}${thin}s`;
  if (s < 3600) return `${Math.floor(s / 60)}${thin}min ${two(s % 60)}${thin}s`;
  const h = Math.floor(s / 3600);
  if (h < 48) return `${h}${thin}h ${two(Math.floor((s % 3600) / 60))}${thin}min`;
  return `${Math.floor(h / 24)}${thin}d ${h % 24}${thin}h`;
}

/** @param {number | null | undefined} ms "2.91 ms", "1.20 s" */
export const duration = (ms) =>
  ms === null || ms === undefined ? '–' : ms < 1000 ? `${three(ms)}${thin}ms` : `${three(ms / 1000)}${thin}s`;

/** @param {string | null | undefined} iso Local time: today's without the date. */
export function when(iso) {
  if (!iso) return '–';
  const at = new Date(iso);
  const time = at.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
  if (at.toDateString() === new Date().toDateString()) return time;
  return `${at.toLocaleDateString([], { month: 'short', day: 'numeric' })}, ${time}`;
}

/** @param {string} name "bearing_fault_00_conv2d" of "bearing_fault" layers -> "00 conv2d" */
export const layerName = (name) => {
  const [, index, op] = /_(\d\d+)_(\w+)$/.exec(name) ?? [];
  return index === undefined ? name : `${index} ${op}`;
};

/** @param {Pick<import('../schemas/index.ts').RecordBody, 'config'>} record Its knobs in one line: "pixels=4 pairs=8". */
export const knobText = (record) =>
  Object.entries(/** @type {any} */ (record.config)?.knobs ?? {})
    .map(([k, v]) => `${k}=${v}`)
    .join(' ');

/** @param {unknown} value A knob's or cell's value as text. */
export const plain = (value) =>
  value === null || value === undefined ? '' : typeof value === 'object' ? JSON.stringify(value) : String(value);

// @ts-check
/** A trial's code: the schedule in words and as data, the C, the machine code with its counts. */
import { h } from './dom.js';
import { count, duration } from './format.js';
import { highlighted } from './highlight.js';
import { absent } from './ui.js';

/** @param {any} trial  As GET /v1/trials/:id tells it. */
export function codeParts(trial) {
  const { words, source, disassembly, record } = trial;
  return h(
    'div',
    null,
    words && h('p', null, words),
    h(
      'details',
      null,
      h('summary', null, 'The schedule as data'),
      code('Schedule', JSON.stringify(record.schedule, null, 1)),
    ),
    h(
      'details',
      { open: true },
      h('summary', null, 'C'),
      source ? code('C source', source, highlighted(source)) : absent('the source of this trial'),
    ),
    compiler(trial.compiler),
    h(
      'details',
      null,
      h('summary', null, 'Machine code'),
      disassembly ? listing(disassembly) : absent('the machine code of this trial'),
    ),
  );
}

/** @param {any} c */
const compiler = (c) =>
  c &&
  h(
    'details',
    null,
    h('summary', null, 'Compiler'),
    h('p', null, c.version),
    code('Command', Array.isArray(c.command) ? c.command.join(' ') : String(c.command ?? '')),
    c.output ? code('What it said', c.output) : h('p', { class: 'muted' }, 'It said nothing.'),
  );

/** @param {string} label @param {string} text @param {import('./dom.js').Child} [shown] */
const code = (label, text, shown) =>
  h('pre', { class: 'code', tabindex: 0, role: 'region', 'aria-label': label }, h('code', null, shown ?? text));

/** @param {any} d */
function listing(d) {
  const most = Math.max(1, ...d.lines.map((/** @type {any} */ l) => l.cycles ?? 0));
  const counted = d.lines.some((/** @type {any} */ l) => l.count !== null && l.count !== undefined);
  return h(
    'div',
    { class: 'scroll code', tabindex: 0, role: 'region', 'aria-label': 'Machine code' },
    h(
      'table',
      { class: 'asm' },
      h(
        'thead',
        null,
        h(
          'tr',
          null,
          h('th', { scope: 'col' }, 'address'),
          counted && [
            h('th', { scope: 'col', class: 'right' }, 'executed'),
            h('th', { scope: 'col', class: 'right' }, d.cycles ? `cycles (${d.cycles})` : 'cycles'),
          ],
          h('th', { scope: 'col' }, 'instruction'),
        ),
      ),
      h(
        'tbody',
        null,
        d.lines.map((/** @type {any} */ l, /** @type {number} */ i) => asmLine(l, i, most, counted)),
      ),
    ),
  );
}

/** @param {any} l @param {number} i @param {number} most @param {boolean} counted */
const asmLine = (l, i, most, counted) =>
  h(
    'tr',
    { key: i, class: l.symbol ? 'symbol' : '' },
    h('td', { class: 'muted' }, String(l.address ?? '')),
    counted && [
      h('td', { class: 'right num' }, l.count === null ? '' : count(l.count)),
      h(
        'td',
        { class: 'right num heat', title: causes(l.causes), style: { '--share': String((l.cycles ?? 0) / most) } },
        l.cycles === null ? '' : count(l.cycles),
      ),
    ],
    h('td', null, l.symbol ? `${l.symbol}: ` : '', l.text),
  );

/** @param {Record<string, number> | null | undefined} c */
const causes = (c) =>
  c
    ? Object.entries(c)
        .filter(([, n]) => n > 0)
        .map(([k, n]) => `${k} ${count(n)}`)
        .join(', ')
    : '';

/** @param {Readonly<Record<string, number>>} times Milliseconds by stage. */
export const stageTimes = (times) =>
  h(
    'ul',
    { class: 'legend' },
    Object.entries(times).map(([stage, ms]) => h('li', null, `${stage} `, h('span', { class: 'num' }, duration(ms)))),
  );

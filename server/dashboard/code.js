// @ts-check
/** A trial's code: the schedule in words and as data, the C, the machine code with its counts. */
import { h } from './dom.js';
import { count, duration } from './format.js';
import { highlighted } from './highlight.js';

/** @typedef {import('../schemas/index.ts').TrialBody} Trial */

/** @param {Trial} trial */
export function codeParts({ words, source, disassembly, record, compiler, missing, sameBinary }) {
  return h(
    'div',
    null,
    h('p', null, words),
    missing && h('p', { class: 'note' }, missing),
    sameBinary === false && h('p', { class: 'note' }, 'What is made today is not the binary that was measured.'),
    h(
      'details',
      null,
      h('summary', null, 'The schedule as data'),
      code('Schedule', JSON.stringify(record.schedule, null, 1)),
    ),
    source && cParts(source),
    compiler && compilerPart(compiler),
    disassembly && h('details', null, h('summary', null, 'Machine code, with what it took'), listing(disassembly)),
  );
}

/** The kernel, and folded before it what all kernels share. @param {string} source */
function cParts(source) {
  const at = Math.max(0, source.search(/^(extern|void|static void) /m));
  const [shared, kernel] = [source.slice(0, at), source.slice(at)];
  return [
    shared &&
      h('details', null, h('summary', null, 'C that all kernels share'), code('Shared C', shared, highlighted(shared))),
    h(
      'details',
      { open: true },
      h('summary', null, 'C of the kernel'),
      code('C of the kernel', kernel, highlighted(kernel)),
    ),
  ];
}

/** @param {NonNullable<Trial['compiler']>} c */
const compilerPart = (c) =>
  h(
    'details',
    null,
    h('summary', null, 'Compiler'),
    h('p', null, c.version),
    code('Command', [c.command, ...c.flags].join(' ')),
    c.output ? code('What it said', c.output) : h('p', { class: 'muted' }, 'It said nothing.'),
  );

/** @param {string} label @param {string} text @param {import('./dom.js').Child} [shown] */
const code = (label, text, shown) =>
  h('pre', { class: 'code', tabindex: 0, role: 'region', 'aria-label': label }, h('code', null, shown ?? text));

/** @param {NonNullable<Trial['disassembly']>} d */
function listing(d) {
  const most = Math.max(1, ...d.lines.map((l) => l.cycles ?? 0));
  const counted = d.lines.some((l) => l.count !== null);
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
            h('th', { scope: 'col', class: 'right' }, 'cycles'),
          ],
          h('th', { scope: 'col' }, 'instruction'),
        ),
      ),
      h(
        'tbody',
        null,
        d.lines.map((l, i) => asmLine(l, i, most, counted)),
      ),
    ),
  );
}

/** @param {NonNullable<Trial['disassembly']>['lines'][number]} l @param {number} i @param {number} most @param {boolean} counted */
const asmLine = (l, i, most, counted) =>
  h(
    'tr',
    { key: i, class: l.symbol ? 'symbol' : '' },
    h('td', { class: 'muted' }, l.address.toString(16)),
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

/** @param {Readonly<Record<string, number>> | null} c */
const causes = (c) =>
  c
    ? Object.entries(c)
        .filter(([, n]) => n > 0)
        .map(([k, n]) => `${k} ${count(n)}`)
        .join(', ')
    : '';

/** @param {Trial['stages']} stages */
export const stageTimes = (stages) =>
  h(
    'ul',
    { class: 'legend' },
    stages.map(({ stage, ms }) => h('li', null, `${stage} `, h('span', { class: 'num' }, duration(ms)))),
  );

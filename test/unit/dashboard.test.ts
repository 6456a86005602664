/** The parts of the page that need no browser: numbers and states as text, marks of axes, references, addresses, the colours of C. */
import { expect, test } from 'vitest';
import {
  axisTicks,
  axisWords,
  bytes,
  count,
  counted,
  duration,
  layerName,
  percent,
  plural,
  short,
  span,
  speedUp,
  tickText,
} from '../../server/dashboard/format.js';
import { highlighted } from '../../server/dashboard/highlight.js';
import { randomReference, referenceWords } from '../../server/dashboard/reference.js';
import { match, readHash, to } from '../../server/dashboard/router.js';
import { stateWords, trialsWords } from '../../server/dashboard/words.js';
import { type JobSummary, WaitingBody } from '../../server/schemas/index.ts';
import { samples } from '../samples.ts';
import { Random } from './random.ts';

const plain = (text: string): string => text.replaceAll('\u202f', ' ');

test('numbers are short, exact where they are counts, and never without a sign for none', () => {
  expect([5_174_000, 815_480, 999_600, 1_200_000_000, 12, 1.5, 0].map((n) => plain(short(n)))).toEqual([
    '5.17 M',
    '815 k',
    '1.00 M',
    '1.20 G',
    '12',
    '1.50',
    '0',
  ]);
  expect([0, 999, 1000, 1234567].map((n) => plain(count(n)))).toEqual(['0', '999', '1 000', '1 234 567']);
  expect([512, 17_792, 4 * 2 ** 20].map((n) => plain(bytes(n)))).toEqual(['512 B', '17.4 KiB', '4 MiB']);
  expect([8000, 200_000, 7_500_000, 200_000_000].map((n) => plain(span(n)))).toEqual([
    '8 s',
    '3 min 20 s',
    '2 h 05 min',
    '2 d 7 h',
  ]);
  expect([2.911, 1200].map((n) => plain(duration(n)))).toEqual(['2.91 ms', '1.20 s']);
  expect([speedUp(4_058_640, 815_480), speedUp(null, 1), speedUp(1, 0)]).toEqual(['4.98×', '–', '–']);
  expect([plain(percent(1, 300)), plain(percent(1, 3)), percent(1, 0)]).toEqual(['<1 %', '33 %', '–']);
  expect([500_000, null].map(tickText(short)).map(plain)).toEqual(['500 k', '']);
  expect([count, short, bytes, span, duration].map((f) => f(null))).toEqual(['–', '–', '–', '–', '–']);
  expect(new Set(['silicon', 'model', 'instructions', 'host'].map(axisWords)).size).toBe(4);
  expect([layerName('bearing_fault_00_conv2d'), layerName('x')]).toEqual(['00 conv2d', 'x']);
});

test('one is one, and every other number is many', () => {
  expect([0, 1, 2, 1000].map((n) => plain(counted(n, 'trial')))).toEqual([
    '0 trials',
    '1 trial',
    '2 trials',
    '1 000 trials',
  ]);
  expect([plural(1, 'row'), plural(2, 'row')]).toEqual(['row', 'rows']);
  const job = (done: number, budget: number, timeMs: number | null) =>
    trialsWords({ trials: { done, budget, failed: 0 }, timeMs } as JobSummary);
  expect([job(1, 1, null), job(1, 400, null), job(1, 10_000_000, 60_000)]).toEqual([
    '1 / 1 trial',
    '1 / 400 trials',
    '1 trial',
  ]);
});

test('words under an axis keep clear of each other, whatever there are and however narrow it is; numbers are whole', () => {
  const random = new Random(5);
  for (let i = 0; i < samples(500, 20_000); i++) {
    const numbers = random.int(0, 1) === 0;
    const words = Array.from({ length: random.int(1, 40) }, () =>
      numbers ? String(random.int(0, 4096)) : 'w'.repeat(random.int(1, 14)),
    );
    const pixels = random.int(120, 1200);
    const shown = axisTicks(words, pixels);
    expect(shown.length).toBe(words.length);
    expect(shown[0]).not.toBe('');
    const place = pixels / words.length;
    let free = Number.NEGATIVE_INFINITY;
    shown.forEach((word, at) => {
      if (word === '') return;
      if (numbers) expect(word).toBe(words[at]);
      // A letter is 7 pixels wide, few are wider.
      const [left, right] = [-0.5, 0.5].map((half) => (at + 0.5) * place + half * 7 * word.length) as [number, number];
      expect([words.join(' '), pixels, left > free]).toEqual([words.join(' '), pixels, true]);
      free = right;
    });
  }
  expect(axisTicks(['1', '2', '4'], 240)).toEqual(['1', '2', '4']);
  expect(axisTicks(['first_long', 'second_long'], 150)).toEqual(['firs…ong', 'seco…ong']);
});

test('every reason to wait is told in words', () => {
  for (const { const: code } of WaitingBody.properties.code.anyOf) {
    const waiting = { code, detail: '', until: null };
    const said = stateWords({ state: 'running', waiting } as JobSummary);
    expect(said).toMatch(/^Waiting: [a-z]/);
    expect(said).not.toContain(code);
  }
});

test('random search is a reference wherever some task has trials of it, of whatever job, and is said to be what it is', async () => {
  const task = (id: string, usual: number | null) => ({ id, occurrences: 2, default: usual });
  const reference = (policy: string, tasks: readonly object[], items: readonly object[]) => {
    const asked: string[] = [];
    const find = async (path: string) => {
      asked.push(path);
      return { items };
    };
    const job = { policy, model: 'm', board: 'b', kind: 'model', tasks } as never;
    return randomReference({ find }, job).then((found) => ({ found, asked }));
  };
  const of = (id: string, best: number | null) => ({ task: id, best, trials: 5 });
  const two = [task('t0', 100), task('t1', 50)];
  const all = await reference('guided', two, [of('t0', 30), of('t1', 20)]);
  expect(all).toEqual({
    found: { cycles: 100, trials: 10, without: 0 },
    asked: ['/v1/stats/best?network=m&board=b&kind=model&policy=random'],
  });
  expect(referenceWords(all.found)).toMatch(/^Random search: the best of 10 trials of that policy .* of any job\.$/);
  // One task was measured by another policy, before any random job came; random search had its default schedule too.
  const some = await reference('guided', two, [of('t0', 30)]);
  expect(some.found).toEqual({ cycles: 160, trials: 5, without: 1 });
  expect(referenceWords(some.found)).toContain('1 task without any by default schedules');
  expect((await reference('guided', two, [of('t0', 120), of('t1', null)])).found?.cycles).toBe(300);
  expect((await reference('guided', [task('t0', null), task('t1', 1)], [of('t1', 1)])).found).toBeUndefined();
  expect((await reference('guided', two, [])).found).toBeUndefined();
  expect(await reference('random', two, [of('t0', 30)])).toEqual({ found: undefined, asked: [] });
});

test('three digits of a short number are right to half of the last one', () => {
  const random = new Random(3);
  for (let i = 0; i < samples(2000, 100_000); i++) {
    const n = Math.floor(random.int(0, 1_000_000) ** (1 + random.int(0, 2) / 4));
    const [digits = '', unit = ''] = short(n).split('\u202f');
    const shown = Number(digits) * ({ k: 1e3, M: 1e6, G: 1e9 }[unit] ?? 1);
    expect(Math.abs(shown - n), String(n)).toBeLessThanOrEqual(n * 0.00501 + 0.5);
    expect(digits.replace(/[.]/, '').length).toBeLessThanOrEqual(3);
  }
});

test('whatever is in an address comes out of it again', () => {
  const random = new Random(4);
  const letters = [...'ab/#?&=% +é😀"<'];
  const word = (): string => Array.from({ length: random.int(1, 6) }, () => random.pick(letters)).join('');
  for (let i = 0; i < samples(500, 20_000); i++) {
    const [id, board] = [word(), word()];
    const { parts, query } = readHash(to('tasks', id, { board, kind: undefined }));
    expect(match('tasks/:id', parts)).toEqual({ id });
    expect([...query]).toEqual([['board', board]]);
  }
  expect(readHash('#/tasks/%zz').parts).toEqual(['tasks', '%zz']);
  expect(match('tasks/:id', ['jobs', '1'])).toBeUndefined();
  expect([to(''), readHash('#/').parts, readHash('').parts]).toEqual(['#/', [], []]);
});

test('colours take nothing from C and add nothing', () => {
  const textOf = (parts: ReturnType<typeof highlighted>): string =>
    parts.map((p) => (typeof p === 'string' ? p : p.children.join(''))).join('');
  const pieces = [
    '/* a "b" */',
    '// c\n',
    '"s\\"t"',
    "'x'",
    '#define A 1\n',
    '0x1fU',
    'int32_t',
    'mt_add(',
    'for',
    ' ',
    '\n',
    '/*',
    '"',
    '<',
    '*/',
    'x1',
  ];
  const random = new Random(6);
  for (let i = 0; i < samples(1000, 50_000); i++) {
    const code = Array.from({ length: random.int(0, 30) }, () => random.pick(pieces)).join('');
    expect(textOf(highlighted(code))).toBe(code);
  }
  const kinds = highlighted('/* for\n * 1 */ static int32_t y = mt_add(x, 2); /* open').flatMap((p) =>
    typeof p === 'string' ? [] : [[p.props.class, p.children[0]]],
  );
  expect(kinds).toEqual([
    ['tok-comment', '/* for\n * 1 */'],
    ['tok-keyword', 'static'],
    ['tok-type', 'int32_t'],
    ['tok-call', 'mt_add'],
    ['tok-number', '2'],
    ['tok-comment', '/* open'],
  ]);
});

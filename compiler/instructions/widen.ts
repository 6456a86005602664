/**
 * widen: bytes to int16, sixteen at a time, by LDM, SXTB16 and STM. In quads 0 2 1 3 they lie as SXTB16 leaves them; in order
 * two PKH more are needed a word. Rows of the source may lie S apart: the pixels that a stride skips are not read.
 */
import { buffer, iter, load, loop, mul, num, program, refuse, store } from '../program/build.ts';
import type { Loop } from '../program/program.ts';
import { advance } from './asm-lines.ts';
import type { Params, Recipe } from './instruction.ts';
import { quad } from './mac-block.ts';
import { stepOf } from './nest.ts';
import { straightCycles } from './static-cycles.ts';

/** A word of four bytes in `low` becomes two words of int16. In order it takes r11 as well. */
export function halves(quads: number, low: string, high: string): readonly string[] {
  const odd = `sxtb16 ${high}, ${low}, ror #8`;
  if (quads === 1) return [odd, `sxtb16 ${low}, ${low}`];
  const sorted = [`pkhbt ${low}, r11, ${high}, lsl #16`, `pkhtb ${high}, ${high}, r11, asr #16`];
  return [odd, `sxtb16 r11, ${low}`, ...sorted];
}
const sixteen = (quads: number): readonly string[] => [
  'ldmia r0!, {r3, r5, r7, r9}',
  ...[3, 5, 7, 9].flatMap((n) => halves(quads, `r${n}`, `r${n + 1}`)),
  'stmia r1!, {r3-r10}',
];
const four = (quads: number): readonly string[] => [
  'ldr r3, [r0], #4',
  ...halves(quads, 'r3', 'r4'),
  'stmia r1!, {r3, r4}',
];

/** r0 source, r1 target, r2 rows, r3 words of a row; `skip` bytes of the source lie between rows. */
const lines = (quads: number, skip: number): readonly string[] => [
  'push {r4-r11, lr}',
  'mov r12, r3',
  '.balign 4',
  '1:',
  'lsrs lr, r12, #2',
  'beq 3f',
  '.balign 4',
  '2:',
  ...sixteen(quads),
  'subs lr, #1',
  'bne 2b',
  '3:',
  'ands lr, r12, #3',
  'beq 5f',
  '4:',
  ...four(quads),
  'subs lr, #1',
  'bne 4b',
  '5:',
  ...advance('r0', skip),
  'subs r2, #1',
  'bne 1b',
  'pop {r4-r11, pc}',
];

function plain(quads: number, skip: number): string {
  const order = quads === 1 ? quad.order : [0, 1, 2, 3];
  return `  for (; rows > 0; rows--) {
    int32_t n;
    for (n = 0; n < words; n++) {
${order.map((from, to) => `      dst[${to}] = src[${from}];\n`).join('')}      src += 4;
      dst += 4;
    }
    src += ${skip};
  }
`;
}

/** Cycles of a call for `rows` rows of `words` words. */
const cyclesOf = (quads: number, rows: number, words: number): number =>
  30 +
  rows * (10 + (words >> 2) * (straightCycles(sixteen(quads)) + 3) + (words & 3) * (straightCycles(four(quads)) + 3));

function infer(nest: Loop, shape: (role: string) => readonly number[]): Params {
  const [inner] = nest.body;
  if (inner?.kind !== 'loop') return { R: 0, K: nest.extent };
  const [copied] = inner.body;
  const from = copied?.kind === 'store' && copied.value.kind === 'load' ? copied.value.index.at(-2) : undefined;
  const S = shape('src').length < 2 ? 1 : stepOf(from, nest);
  return { R: nest.extent, K: inner.extent, ...(S > 1 && { S }) };
}

/** dst[a, b] = src[S*a, b], R rows of K; R = 0: dst[b] = src[b]. */
export const widen: Recipe = {
  name: 'widen',
  examples: [
    { R: 0, K: 8 },
    { R: 3, K: 8 },
    { R: 2, K: 4, quad: 1 },
    { R: 3, K: 28, quad: 1, S: 2 },
    { R: 2, K: 20, S: 3 },
  ],
  infer,
  make({ R = 0, K = 0, quad: quads = 0, S = 1 }) {
    if (S < 1 || (R === 0 && S > 1)) refuse('widen: rows that lie apart');
    const total = Math.max(1, R) * K;
    if (total < 4 || total % 4 !== 0 || (S > 1 && K % 4 !== 0)) refuse('widen works on four bytes at a time');
    const at = R === 0 ? [iter('b')] : [iter('a'), iter('b')];
    const from = R === 0 ? at : [mul(num(S), iter('a')), iter('b')];
    const inner = loop('b', K, store('dst', at, load('src', ...from)));
    const skip = (S - 1) * K;
    const [rows, words] = S > 1 ? [R, K / 4] : [1, total / 4];
    return {
      symbol: `mt_widen${quads === 1 ? '_quads' : ''}${skip > 0 ? `_skip${skip}` : ''}`,
      features: ['dsp'],
      stackBytes: 36,
      get cycles() {
        return cyclesOf(quads, rows, words);
      },
      meaning: program(
        'widen',
        [
          buffer('src', 'i8', R === 0 ? [K] : [S * (R - 1) + 1, K], 'in'),
          buffer('dst', 'i16', R === 0 ? [K] : [R, K], 'out'),
        ],
        R === 0 ? inner : loop('a', R, inner),
      ),
      operands: {
        src: { dtype: 'i8', align: 4 },
        dst: { dtype: 'i16', align: 4, ...(quads === 1 && { layout: quad }) },
      },
      c: (where) => `${where.function}(${where.src}, ${where.dst}, ${rows}, ${words});`,
      get function() {
        return {
          params: ['const int8_t *src', 'int16_t *dst', 'int32_t rows', 'int32_t words'],
          lines: lines(quads, skip),
          plain: plain(quads, skip),
        };
      },
      prelude: '',
      portable: '',
    };
  },
};

/**
 * widen_rows: rows of an image from int8 to int16, in order, with their border made real: what lies beside or above the image is
 * one value. The rows may begin anywhere, also outside: where, is known only when it runs.
 */
import { affine } from '../program/affine.ts';
import { add, buffer, iter, load, loadOr, loop, num, program, refuse, store } from '../program/build.ts';
import type { Expr, Loop, Store } from '../program/program.ts';
import type { Params, Recipe, Window } from './instruction.ts';

interface Shape {
  /** Of the image. */
  readonly H: number;
  readonly W: number;
  readonly C: number;
  /** Rows and columns of the copy; `left` columns of it lie before the image. */
  readonly R: number;
  readonly XW: number;
  readonly left: number;
  /** The border's value; undefined where nothing lies outside. */
  readonly value: number | undefined;
}

function shapeOf({ H = 1, W = 1, C = 1, R = 1, XW = 1, left = 0, bordered = 0, value = 0 }: Params): Shape {
  if (left < 0 || left >= XW) refuse('widen_rows: the copy begins before the image or with it');
  if (bordered === 0 && (left > 0 || XW > W)) refuse('widen_rows: without a border rows lie inside');
  if (value < -32768 || value > 32767) refuse('widen_rows: the border is int16');
  return { H, W, C, R, XW, left, value: bordered === 0 ? undefined : value };
}

function infer(nest: Loop, shape: (role: string) => readonly number[]): Params {
  const [columns] = nest.body;
  const channels = columns?.kind === 'loop' ? columns.body[0] : undefined;
  const only = channels?.kind === 'loop' ? channels.body[0] : undefined;
  if (columns?.kind !== 'loop' || channels?.kind !== 'loop' || only?.kind !== 'store')
    return refuse('widen_rows: loops over rows, columns and channels');
  const [H = 1, W = 1, C = 1] = shape('src').slice(-3);
  return { H, W, C, R: nest.extent, XW: columns.extent, ...borderOf(only) };
}
function borderOf({ value }: Store): Params {
  if (value.kind !== 'load') return refuse('widen_rows: a copy');
  const shift = affine(value.index.at(-2) ?? num(0)).get('')?.coef ?? 0;
  return { left: -shift, ...(value.outside === undefined ? {} : { bordered: 1, value: value.outside }) };
}

/** The text knows the image's extents, and that only rows move. */
function wholeImage({ H, W, C }: Shape, { buffer: image, origin }: Window): string | undefined {
  const fixed = origin.slice(1).every((e) => e.kind === 'const' && e.value === 0);
  return fixed && image.shape.join() === [H, W, C].join() ? undefined : 'src is not the image it was made for';
}

/** Four bytes become two words in order: two SXTB16 and two PKH. */
const head = `static inline void mt_widen_word(const int8_t *from, int16_t *to) {
  mt_word *const pairs = (mt_word *)(void *)to;
  uint32_t four, even, odd;
  __builtin_memcpy(&four, from, 4);
  __asm__("sxtb16 %0, %1" : "=r"(even) : "r"(four));
  __asm__("sxtb16 %0, %1, ror #8" : "=r"(odd) : "r"(four));
  pairs[0] = (even & 0xffffu) | (odd << 16);
  pairs[1] = (even >> 16) | (odd & 0xffff0000u);
}
static inline void mt_widen_run(const int8_t *from, int16_t *to, int32_t n) {
  const int8_t *const end = from + n;
  /* Stores in pairs begin at words; loads may begin anywhere. */
  if (n > 0 && ((uintptr_t)to & 2) != 0) *to++ = *from++;
  for (; end - from >= 16; from += 16, to += 16) {
    mt_widen_word(from, to);
    mt_widen_word(from + 4, to + 4);
    mt_widen_word(from + 8, to + 8);
    mt_widen_word(from + 12, to + 12);
  }
  while (from != end) *to++ = *from++;
}
`;
const plainHead = `static inline void mt_widen_run(const int8_t *from, int16_t *to, int32_t n) {
  int32_t i;
  for (i = 0; i < n; i++) to[i] = from[i];
}
`;
/** Lengths are elements; a row of the copy is `left`, then `inside`, then `right`. */
const rowsText = `static inline void mt_fill_run(int16_t *to, int32_t n, int32_t value) {
  while (n-- > 0) *to++ = (int16_t)value;
}
static inline void mt_widen_rows(const int8_t *src, int16_t *dst, int32_t row, int32_t rows, int32_t height,
                                 int32_t pitch, int32_t left, int32_t inside, int32_t right, int32_t value) {
  int32_t r;
  for (r = row; r < row + rows; r++, dst += left + inside + right) {
    if (r < 0 || r >= height) {
      mt_fill_run(dst, left + inside + right, value);
    } else {
      mt_fill_run(dst, left, value);
      mt_widen_run(src + pitch * r, dst + left, inside);
      mt_fill_run(dst + left + inside, right, value);
    }
  }
}
`;

export const widenRows: Recipe = {
  name: 'widen_rows',
  examples: [
    { H: 4, W: 8, C: 3, R: 4, XW: 8 },
    { H: 5, W: 7, C: 3, R: 6, XW: 10, left: 1, bordered: 1, value: -7 },
    { H: 3, W: 20, C: 1, R: 2, XW: 24, left: 2, bordered: 1, value: 100 },
  ],
  infer,
  make(params) {
    const s = shapeOf(params);
    const [a, b, c] = ['a', 'b', 'c'].map(iter) as [Expr, Expr, Expr];
    const from = [a, add(b, num(-s.left)), c];
    const value = s.value === undefined ? load('src', ...from) : loadOr(s.value, 'src', ...from);
    const inside = Math.min(s.W, s.XW - s.left);
    const lengths = [s.left, inside, s.XW - s.left - inside].map((n) => n * s.C);
    return {
      symbol: 'mt_widen_rows',
      features: ['dsp'],
      stackBytes: 0,
      // About two cycles an element, and what a row costs.
      cycles: s.R * (2 * s.XW * s.C + 30),
      meaning: program(
        'widen_rows',
        [buffer('src', 'i8', [s.H, s.W, s.C], 'in'), buffer('dst', 'i16', [s.R, s.XW, s.C], 'out')],
        loop('a', s.R, loop('b', s.XW, loop('c', s.C, store('dst', [a, b, c], value)))),
      ),
      operands: { src: { dtype: 'i8' }, dst: { dtype: 'i16', align: 4 } },
      requires: (_, window) => wholeImage(s, window('src')),
      c: (at) =>
        `mt_widen_rows(${[at['src.base'], at.dst, at['src.0'], s.R, s.H, s.W * s.C, ...lengths, s.value ?? 0].join(', ')});`,
      prelude: `${head}${rowsText}`,
      portable: `${plainHead}${rowsText}`,
    };
  },
};

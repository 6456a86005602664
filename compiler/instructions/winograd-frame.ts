/**
 * winograd_frame: rows of an int8 image with their border made real, as bytes from 0 on: what winograd_input reads. Four bytes at a time;
 * turning the top bit of each is adding 128. Which row comes first is known only when it runs.
 */
import { affine } from '../program/affine.ts';
import { add, buffer, iter, load, loadOr, loop, num, program, refuse, store, sub } from '../program/build.ts';
import type { Expr, Loop, Stmt } from '../program/program.ts';
import { flipSixteen } from './flip-bytes.ts';
import type { Params, Recipe } from './instruction.ts';

const text = `static inline mt_word *mt_frame_fill(mt_word *to, int32_t words, uint32_t value) {
  while (words-- > 0) *to++ = value;
  return to;
}
static inline void mt_frame(const int8_t *x, uint8_t *y, int32_t row, int32_t rows, int32_t height, int32_t words,
                            int32_t left, int32_t right, int32_t border) {
  const uint32_t value = (uint32_t)border * 0x01010101u;
  mt_word *to = (mt_word *)(void *)y;
  for (; rows-- > 0; row++) {
    const mt_word *from;
    int32_t i;
    if (row < 0 || row >= height) {
      to = mt_frame_fill(to, left + words + right, value);
      continue;
    }
    from = (const mt_word *)(const void *)(x + 4 * words * row);
    to = mt_frame_fill(to, left, value);
    for (i = words; i >= 4; i -= 4) {
${flipSixteen('      ')}    }
    while (i-- > 0) *to++ = *from++ ^ 0x80808080u;
    to = mt_frame_fill(to, right, value);
  }
}
`;

/** Reads extents, and how far x lies inside, off `y[a, b, c] = (x[a - top, b - left, c] or border) + 128`. */
function infer(nest: Loop, shape: (role: string) => readonly number[]): Params {
  const [H = 0, W = 0, C = 0] = shape('x');
  const columns = nest.body[0];
  let at: Stmt | undefined = columns;
  while (at?.kind === 'loop') at = at.body[0];
  const value = at?.kind === 'store' && at.value.kind === 'binary' ? at.value.a : undefined;
  if (columns?.kind !== 'loop' || value?.kind !== 'load') return refuse('winograd_frame: no copy with a border');
  const [top, left] = value.index.map((e) => -(affine(e).get('')?.coef ?? 0));
  return { H, W, C, PH: nest.extent, PW: columns.extent, top: top ?? 0, left: left ?? 0, border: value.outside ?? 0 };
}

/** y[a, b, c] = (x[a - top, b - left, c] or border) + 128. */
export const winogradFrame: Recipe = {
  name: 'winograd_frame',
  examples: [
    { H: 2, W: 5, C: 4, PH: 4, PW: 7, top: 1, left: 1, border: -7 },
    { H: 3, W: 3, C: 8, PH: 3, PW: 3, top: 0, left: 0, border: 0 },
    { H: 2, W: 3, C: 4, PH: 4, PW: 4, top: 0, left: 1, border: 127 },
  ],
  infer,
  make: ({ H = 0, W = 0, C = 0, PH = 0, PW = 0, top = 0, left = 0, border = 0 }: Params) => {
    const right = PW - W - left;
    if (C % 4 !== 0 || top < 0 || left < 0 || right < 0) refuse('winograd_frame: whole words, all of a row of x');
    if (border < -128 || border > 127) refuse('winograd_frame: a border of int8');
    const [a, b, c] = [iter('a'), iter('b'), iter('c')];
    const at: readonly Expr[] = [sub(a, num(top)), sub(b, num(left)), c];
    const inside = top === 0 && PH <= H && PW === W;
    const pixel = inside ? load('x', ...at) : loadOr(border, 'x', ...at);
    const words = [W, left, right].map((n) => (n * C) / 4);
    return {
      symbol: 'mt_frame',
      features: [],
      stackBytes: 0,
      cycles: (3 * PH * PW * C) / 4 + 20 * PH,
      meaning: program(
        'winograd_frame',
        [buffer('x', 'i8', [H, W, C], 'in'), buffer('y', 'u8', [PH, PW, C], 'out')],
        loop('a', PH, loop('b', PW, loop('c', C, store('y', [a, b, c], add(pixel, num(128)))))),
      ),
      operands: { x: { dtype: 'i8', align: 4, moves: true }, y: { dtype: 'u8', align: 4 } },
      c: (at) =>
        `mt_frame(${at['x.base']}, ${at.y}, ${at['x.0']} - ${top}, ${PH}, ${H}, ${words.join(', ')}, ${border + 128});`,
      prelude: text,
      portable: text,
    };
  },
};

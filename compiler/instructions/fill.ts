/** fill: one int16 value everywhere in a buffer of up to three dimensions, a word at a time. The border of a padded input. */
import { buffer, iter, loop, num, program, refuse, store } from '../program/build.ts';
import type { Expr, Loop, Stmt } from '../program/program.ts';
import type { Params, Recipe } from './instruction.ts';
import { quad } from './mac-block.ts';

const axes = ['A', 'B', 'C', 'D'] as const;

const text = `static inline void mt_fill16(int16_t *dst, int32_t words, int32_t value) {
  const uint32_t pair = ((uint32_t)value & 0xffffu) | ((uint32_t)value << 16);
  mt_word *to = (mt_word *)(void *)dst;
  mt_word *end = to + (words & ~7);
  while (to != end) {
    to[0] = pair; to[1] = pair; to[2] = pair; to[3] = pair;
    to[4] = pair; to[5] = pair; to[6] = pair; to[7] = pair;
    to += 8;
  }
  for (end += words & 7; to != end; to++) *to = pair;
}
`;

/** dst[a, b, ...] = value. */
export const fill: Recipe = {
  name: 'fill',
  examples: [
    { A: 18, V: -7 },
    { A: 3, B: 4, V: 300 },
    { A: 2, B: 3, C: 4, V: -128, quad: 1 },
  ],
  infer(nest: Loop): Params {
    const params: Record<string, number> = {};
    let at: Stmt | undefined = nest;
    for (const axis of axes) {
      if (at?.kind !== 'loop') break;
      params[axis] = at.extent;
      at = at.body[0];
    }
    return { ...params, V: at?.kind === 'store' && at.value.kind === 'const' ? at.value.value : 0 };
  },
  make(params) {
    const shape = axes.flatMap((a) => params[a] ?? []);
    const total = shape.reduce((n, d) => n * d, 1);
    const value = params.V ?? 0;
    if (shape.length === 0 || total % 2 !== 0 || value < -32768 || value > 32767) refuse('fill writes pairs of int16');
    const names = shape.map((_, d) => `i${d}`);
    const body = names.reduceRight<Stmt>(
      (inner, n, d) => loop(n, shape[d] ?? 1, inner),
      store('dst', names.map(iter) as readonly Expr[], num(value)),
    );
    return {
      symbol: 'mt_fill16',
      features: [],
      stackBytes: 0,
      meaning: program('fill', [buffer('dst', 'i16', shape, 'out')], body),
      operands: { dst: { dtype: 'i16', align: 4, ...(params.quad === 1 && { layout: quad }) } },
      c: (at) => `mt_fill16(${at.dst}, ${total / 2}, ${value});`,
      prelude: text,
      portable: text,
    };
  },
};

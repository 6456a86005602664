/**
 * winograd_words_sums: the products of a Winograd convolution in words, summed over input channels: all products of up to four tiles
 * for one output channel. Thumb-1.
 *   r0 transformed inputs, r1 filters, r2-r5 a channel's words of the tiles, r6 two filters, r7 one; r8-r11 sums, r12 where they go.
 * Both streams are read to their ends in order; a filter word serves two channels of all tiles.
 */
import { buffer, num, program, refuse } from '../program/build.ts';
import { enterThumb, leaveThumb } from './asm-lines.ts';
import type { Instruction, Params, Recipe } from './instruction.ts';
import { tileOfProducts } from './winograd-tile.ts';
import { wordSumNest } from './winograd-words.ts';

interface Shape {
  readonly products: number;
  readonly down: number;
  readonly across: number;
  readonly C: number;
}
const tilesIn = ({ down, across }: Shape): number => down * across;
const words = ['r2', 'r3', 'r4', 'r5'] as const;
const sums = ['r8', 'r9', 'r10', 'r11'] as const;
/** Most pairs of channels in one stretch of code. */
const mostPairs = 32;
const stretchOf = ({ C }: Shape): number =>
  Array.from({ length: mostPairs }, (_, i) => mostPairs - i).find((n) => (C / 2) % n === 0) ?? 1;

/** Two channels; `first`: products begin their sums. */
function pair(tiles: number, first: boolean): readonly string[] {
  const one = (begins: boolean): readonly string[] => [
    `ldmia r0!, {${words.slice(0, tiles).join(', ')}}`,
    ...words.slice(0, tiles).flatMap((w, t) => [`muls ${w}, r7, ${w}`, `${begins ? 'mov' : 'add'} ${sums[t]}, ${w}`]),
  ];
  return ['ldmia r1!, {r6}', 'sxth r7, r6', ...one(first), 'asrs r7, r6, #16', ...one(false)];
}

function assembly(s: Shape): readonly string[] {
  const tiles = tilesIn(s);
  const stretch = stretchOf(s);
  const passes = s.C / 2 / stretch;
  const zero = ['movs r7, #0', ...sums.slice(0, tiles).map((r) => `mov ${r}, r7`)];
  const pairs = Array.from({ length: stretch }, (_, k) => pair(tiles, passes === 1 && k === 0)).flat();
  // The end of a product's filters.
  const looped = ['ldr r7, [sp, #4]', 'adds r7, r1, r7', 'mov lr, r7', ...zero, '2:', ...pairs, 'cmp r1, lr', 'beq 4f'];
  return [
    ...enterThumb(4),
    'sub sp, #8',
    'mov r12, r2',
    `ldr r7, =${4 * tiles * s.products}`,
    'adds r7, r2, r7',
    'str r7, [sp]',
    `ldr r7, =${2 * s.C}`,
    'str r7, [sp, #4]',
    'b 1f',
    '.ltorg',
    '1:',
    ...(passes === 1 ? pairs : [...looped, 'b 2b', '4:']),
    ...words.slice(0, tiles).map((w, t) => `mov ${w}, ${sums[t]}`),
    'mov r7, r12',
    `stmia r7!, {${words.slice(0, tiles).join(', ')}}`,
    'mov r12, r7',
    'ldr r6, [sp]',
    'cmp r7, r6',
    'beq 5f',
    'bl 1b',
    '5:',
    'add sp, #8',
    ...leaveThumb(4),
  ];
}

function plainOf(s: Shape): string {
  const tiles = tilesIn(s);
  return `  int32_t p, c, t;
  for (p = 0; p < ${s.products}; p++) {
    uint32_t sum[${tiles}] = {0};
    for (c = 0; c < ${s.C}; c++) {
      const uint32_t f = (uint32_t)(int32_t)*w++;
      for (t = 0; t < ${tiles}; t++) sum[t] += (uint32_t)*v++ * f;
    }
    for (t = 0; t < ${tiles}; t++) *s++ = (int32_t)sum[t];
  }
`;
}

function shapeOf({ products = 36, down = 1, across = 1, C = 2 }: Params): Shape {
  const s = { products, down, across, C };
  if (tilesIn(s) < 1 || tilesIn(s) > 4 || C % 2 !== 0)
    refuse('winograd_words_sums: up to four tiles of pairs of channels');
  return s;
}

/** s[p, ti, tj] = sum over c of v[p, c, ti, tj] * w[p, c]. */
export const winogradWordsSums: Recipe = {
  name: 'winograd_words_sums',
  examples: [
    { products: 36, down: 1, across: 4, C: 4 },
    { products: 36, down: 3, across: 1, C: 2 },
    { products: 16, down: 2, across: 2, C: 66 },
    { products: 16, down: 1, across: 1, C: 74 },
  ],
  infer(nest, shape) {
    const [down, across] = shape('s').slice(-2);
    return { products: nest.extent, down: down ?? 1, across: across ?? 1, C: shape('w').at(-1) ?? 2 };
  },
  make: (params): Instruction => {
    const s = shapeOf(params);
    const { products, down, across, C } = s;
    const tiles = tilesIn(s);
    return {
      symbol: `mt_words_sums_${products}_${tiles}x${C}`,
      features: ['thumb'],
      stackBytes: 44,
      cycles: 60 + products * (14 + 2 * tiles + (C / 2) * (6 + 6 * tiles)),
      meaning: program(
        'winograd_words_sums',
        [
          buffer('v', 'i32', [products, C, down, across], 'in'),
          buffer('w', 'i16', [1, products, C], 'in'),
          buffer('s', 'i32', [products, down, across], 'out'),
        ],
        wordSumNest({ tile: tileOfProducts(products), down, across }, C, num(0)),
      ),
      operands: { v: { dtype: 'i32' }, w: { dtype: 'i16', align: 4 }, s: { dtype: 'i32' } },
      c: (at) => `${at.function}(${at.v}, ${at.w}, ${at.s});`,
      get function() {
        return {
          params: ['const int32_t *v', 'const int16_t *w', 'int32_t *s'],
          lines: assembly(s),
          plain: plainOf(s),
        };
      },
      prelude: '',
      portable: '',
    };
  },
};

/**
 * winograd_words_output: the output transform of a Winograd convolution in words with its requantise, for the tiles of a region and
 * one channel. Thumb-1. Rows of sums are transformed into the frame, then its columns from there to bytes.
 *   r0 sums; r8 y, r9 a row of y in bytes, r10 from below a column to the next one. Values come out in r3-r6.
 * Must stay true: the table's row is where SP points, for that is how the requantise reads it.
 */
import { buffer, num, program, refuse } from '../program/build.ts';
import type { Stmt, Store } from '../program/program.ts';
import { loopsIn } from '../program/walk.ts';
import { countAgain, countFrom, enterThumb, highNumber, leaveThumb } from './asm-lines.ts';
import type { Instruction, Params, Recipe } from './instruction.ts';
import {
  inferParts,
  type PartsForm,
  partsCycles,
  partsFormOf,
  partsLines,
  partsMeaning,
  partsPlain,
  partsTag,
  rowWords,
} from './requantize-parts.ts';
import { type Region, tileOf } from './winograd-tile.ts';
import { doublings, wordOutputNest } from './winograd-words.ts';

interface Shape {
  readonly region: Region;
  /** Pixels in a row of y, and channels of each. */
  readonly W: number;
  readonly N: number;
  /** What takes the odd number back. */
  readonly inverse: number;
  readonly form: PartsForm;
}
type Load = (register: string, k: number) => readonly string[];

/** A times six values: results by number in `resultOf`; r2 is a temporary. */
const outputTransform = (load: Load): readonly string[] => [
  ...load('r2', 1),
  ...load('r3', 2),
  'adds r4, r2, r3',
  'subs r2, r2, r3',
  ...load('r3', 3),
  ...load('r5', 4),
  'adds r6, r3, r5',
  'subs r3, r3, r5',
  'subs r5, r6, r4',
  'lsls r4, r4, #2',
  'subs r6, r6, r4',
  ...load('r4', 0),
  'lsls r4, r4, #1',
  'adds r4, r4, r6',
  ...load('r6', 5),
  'adds r6, r6, r3',
  'lsls r6, r6, #1',
  'subs r6, r6, r2',
  'lsls r2, r2, #1',
  'subs r3, r3, r2',
];
const resultOf = ['r4', 'r3', 'r5', 'r6'] as const;
/** Where an STM of r3-r6 puts result number j, in words. */
const stored = [1, 0, 2, 3] as const;
const six = [0, 1, 2, 3, 4, 5] as const;
const four = [0, 1, 2, 3] as const;

/** Bytes from SP: the table's row, the inverse, a tile's 6 x 4 words, sums of a tile, tiles left in a row, rows left. */
function frameOf(form: PartsForm): {
  readonly at: (n: number) => string;
  readonly tile: number;
  readonly bytes: number;
} {
  const row = rowWords(form);
  const slot = (n: number): string => `[sp, #${4 * n}]`;
  return {
    at: (n) => slot(n === 0 ? row : row + 24 + n),
    tile: 4 * (row + 1),
    bytes: 8 * Math.ceil((row + 28) / 2),
  };
}

function tileLines({ region, form }: Shape): readonly string[] {
  const frame = frameOf(form);
  const tiles = region.down * region.across;
  const rows = six.flatMap((i) => [
    ...outputTransform((r, k) => [`ldr ${r}, [r0, #${4 * tiles * k}]`]),
    'stmia r1!, {r3-r6}',
    ...(i < 5 ? [`adds r0, #${24 * tiles}`] : []),
  ]);
  const byte = (i: number, j: number): readonly string[] => {
    const u = resultOf[i] ?? '';
    return [
      `ldr r2, ${frame.at(0)}`,
      `muls ${u}, r2, ${u}`,
      `asrs ${u}, ${u}, #${doublings(region.tile, i, j)}`,
      'mov r1, sp',
      ...partsLines(form, u, 'r1', ['r0', 'r2', 'r7']),
      'mov r0, r8',
      `strb ${u}, [r0]`,
      'add r8, r9',
    ];
  };
  const columns = four.flatMap((j) => [
    ...outputTransform((r, k) => [`ldr ${r}, [sp, #${frame.tile + 16 * k + 4 * (stored[j] ?? 0)}]`]),
    ...four.flatMap((i) => byte(i, j)),
    'add r8, r10',
  ]);
  return [`ldr r0, ${frame.at(1)}`, `add r1, sp, #${frame.tile}`, ...rows, ...columns];
}

function assembly(s: Shape): readonly string[] {
  const { region, W, N, form } = s;
  const { m } = region.tile;
  const frame = frameOf(form);
  return [
    ...enterThumb(3),
    `sub sp, #${frame.bytes}`,
    ...Array.from({ length: rowWords(form) }, (_, n) => [`ldr r4, [r1, #${4 * n}]`, `str r4, [sp, #${4 * n}]`]).flat(),
    `ldr r4, =${s.inverse}`,
    `str r4, ${frame.at(0)}`,
    `str r0, ${frame.at(1)}`,
    'mov r8, r2',
    ...highNumber('r9', W * N),
    ...highNumber('r10', N - m * W * N),
    ...countFrom(frame.at(3), region.down),
    'b 1f',
    '.ltorg',
    '1:',
    ...countFrom(frame.at(2), region.across),
    '2:',
    ...tileLines(s),
    `ldr r4, ${frame.at(1)}`,
    'adds r4, #4',
    `str r4, ${frame.at(1)}`,
    ...countAgain(frame.at(2), '2b'),
    `ldr r4, =${m * (W - region.across) * N}`,
    'add r8, r4',
    ...countAgain(frame.at(3), '1b'),
    `add sp, #${frame.bytes}`,
    ...leaveThumb(3),
  ];
}

function plainOf({ region, W, N, form, inverse }: Shape): string {
  const { tile, down, across } = region;
  const { m, n, output, doubled } = tile;
  const tiles = down * across;
  return `  static const int8_t a[${m}][${n}] = {${output.map((r) => `{${r.join(', ')}}`).join(', ')}};
  static const int8_t doubled[${m}] = {${doubled.join(', ')}};
  int32_t t, i, j, k;
  for (t = 0; t < ${tiles}; t++) {
    int8_t *to = y + (${m * W} * (t / ${across}) + ${m} * (t % ${across})) * ${N};
    uint32_t q[${n}][${m}];
    for (i = 0; i < ${n}; i++)
      for (j = 0; j < ${m}; j++)
        for (q[i][j] = 0, k = 0; k < ${n}; k++)
          q[i][j] += (uint32_t)(int32_t)a[j][k] * (uint32_t)s[(${n} * i + k) * ${tiles} + t];
    for (i = 0; i < ${m}; i++) {
      for (j = 0; j < ${m}; j++) {
        const int32_t *row = table;
        uint32_t u = 0;
        for (k = 0; k < ${n}; k++) u += (uint32_t)(int32_t)a[i][k] * q[k][j];
        u = (uint32_t)((int32_t)(u * ${inverse >>> 0}u) >> (${doublings(tile, m - 1, m - 1)} + doubled[i] + doubled[j]));
        ${partsPlain(form, 'u', 'row', `to[(${W} * i + j) * ${N}]`)}
      }
    }
  }
`;
}

function shapeOf(q: Params): Shape {
  const { down = 1, across = 1, W = 4, N = 1, inverse = 0 } = q;
  const tiles = down * across;
  if (tiles < 1 || tiles > 6 || W < 4 * across) return refuse('winograd_words_output: tiles are more than a row');
  return { region: { tile: tileOf(4), down, across }, W, N, inverse, form: partsFormOf(q) };
}

/** y = requantised (A s A') of each tile. */
export const winogradWordsOutput: Recipe = {
  name: 'winograd_words_output',
  examples: [
    { down: 1, across: 4, W: 19, N: 5, inverse: 954437177, parts: 3, bits: 10, unsigned: 0 },
    { down: 2, across: 2, W: 9, N: 300, inverse: 7, parts: 3, bits: 9, unsigned: 0, signed: 1 },
    { down: 2, across: 1, W: 4, N: 1, inverse: 3, parts: 2, bits: 11, unsigned: 1, min: -100 },
  ],
  infer(nest, shape) {
    const [down, across] = shape('s').slice(-2);
    const inner = loopsIn([nest])[1]?.body ?? [];
    const stores = inner.filter((s: Stmt): s is Store => s.kind === 'store');
    const value = stores[0]?.value;
    const product = value?.kind === 'binary' && value.a.kind === 'binary' ? value.a : undefined;
    const inverse = [product?.a, product?.b].find((e) => e?.kind === 'const');
    if (inverse?.kind !== 'const') return refuse('winograd_words_output: no tiles of bytes');
    const [W, N] = shape('y').slice(-2);
    const extents = { down: down ?? 1, across: across ?? 1, W: W ?? 1, N: N ?? 1 };
    return { ...extents, inverse: inverse.value, ...inferParts(stores.at(-1)) };
  },
  make: (params): Instruction => {
    const s = shapeOf(params);
    const { region, W, N, form, inverse } = s;
    const { tile, down, across } = region;
    return {
      symbol: `mt_words_output_${down}x${across}_y${W}x${N}_i${inverse >>> 0}_${partsTag(form)}`,
      features: ['thumb'],
      stackBytes: 32 + frameOf(form).bytes,
      cycles: 80 + down * across * (330 + 16 * (partsCycles(form) + 10)),
      meaning: program(
        'winograd_words_output',
        [
          buffer('s', 'i32', [tile.n ** 2, down, across], 'in'),
          buffer('table', 'i32', [1, rowWords(form)], 'in'),
          buffer('y', 'i8', [tile.m * down, W, N], 'out'),
        ],
        wordOutputNest(region, [num(0), num(0), num(0)], inverse, (sum) => partsMeaning(form, sum, 'table', [num(0)])),
      ),
      operands: { s: { dtype: 'i32' }, table: { dtype: 'i32' }, y: { dtype: 'i8' } },
      c: (at) => `${at.function}(${at.s}, ${at.table}, ${at.y});`,
      get function() {
        return {
          params: ['const int32_t *s', 'const int32_t *table', 'int8_t *y'],
          lines: assembly(s),
          plain: plainOf(s),
        };
      },
      prelude: '',
      portable: '',
    };
  },
};

/**
 * winograd_sums: the products of a Winograd convolution, summed over input channels: all products of some tiles for two output
 * channels. Up to four tiles x two channels stay in registers over all input channels; the next tiles then reuse the filters,
 * which are read from slow memory. Instructions are wide (.w): a load at an odd halfword does not follow another in one cycle.
 */
import { buffer, num, program, refuse } from '../program/build.ts';
import type { Loop, Stmt } from '../program/program.ts';
import { advance, park, unpark } from './asm-lines.ts';
import type { Params, Recipe } from './instruction.ts';
import { productBytes } from './packings/winograd-filters.ts';
import { straightCycles } from './static-cycles.ts';
import { sumNest, tileOfProducts } from './winograd-tile.ts';

interface Shape {
  readonly products: number;
  readonly down: number;
  readonly across: number;
  readonly C: number;
  /** Pairs of input channels in one stretch of code. */
  readonly depth: number;
}
const pairs = ({ C }: Shape): number => C / 2;
const tilesIn = ({ down, across }: Shape): number => down * across;
/** Tiles in registers at once. */
const blockOf = (s: Shape): number => [4, 3, 2, 1].find((n) => tilesIn(s) % n === 0) ?? 1;

/** r0 pixels, r1 filters, r2-r5 what was loaded last; sums of the two channels in the others. s0: where sums go, s1: its end. */
const sums = [
  ['r10', 'r11', 'r12', 'lr'],
  ['r6', 'r7', 'r8', 'r9'],
] as const;
/** Start values are loaded into the registers of the last tile's sums: nothing overwrites them before all tiles have begun. */
const starts = ['lr', 'r9'] as const;
const sum = (channel: number, tile: number, block: number): string =>
  sums[channel]?.[tile === block - 1 ? 3 : tile] ?? refuse('winograd_sums: four tiles at most');

/** Where a block of tiles reads, in bytes from r0 and r1. */
interface From {
  readonly x: number;
  readonly w: number;
}
/** One pair of input channels: loads in twos, so that they pipeline; then products. `old` are the sums' values before. */
function pairLines(s: Shape, from: From, k: number, old: (channel: number, tile: number) => string): readonly string[] {
  const block = blockOf(s);
  const out = [`ldr.w r2, [r1, #${from.w + 8 * k}]`, `ldr.w r3, [r1, #${from.w + 8 * k + 4}]`];
  for (let first = 0; first < block; first += 2) {
    const some = ['r4', 'r5'].slice(0, Math.min(2, block - first));
    out.push(...some.map((x, i) => `ldr.w ${x}, [r0, #${from.x + 2 * s.C * (first + i) + 4 * k}]`));
    for (const [i, x] of some.entries()) {
      for (const channel of [0, 1]) {
        const to = sum(channel, first + i, block);
        out.push(`smlad ${to}, ${x}, ${channel === 0 ? 'r2' : 'r3'}, ${old(channel, first + i)}`);
      }
    }
  }
  return out;
}
const loadStarts = [`ldr ${starts[0]}, [r1]`, `ldr ${starts[1]}, [r1, #4]`];
const tileBytes = ({ products }: Shape): number => 4 * products;
/** A block's sums to `at` bytes behind where s0 points; r2 ends there. */
const storeSums = (s: Shape, at: number): readonly string[] => [
  unpark('r2', 's0'),
  ...advance('r2', at),
  ...upTo(blockOf(s)).flatMap((tile) =>
    [0, 1].map((channel) => `str ${sum(channel, tile, blockOf(s))}, [r2, #${tileBytes(s) * (2 * tile + channel)}]`),
  ),
];
const upTo = (n: number): readonly number[] => Array.from({ length: n }, (_, i) => i);

/** A product of all tiles in one stretch: the first pair starts from the start values, addresses are immediate. */
function straight(s: Shape): readonly string[] {
  const block = blockOf(s);
  const old = (k: number) => (channel: number, tile: number) =>
    k === 0 ? (starts[channel] ?? '') : sum(channel, tile, block);
  const groups = upTo(tilesIn(s) / block).map((g) => [
    ...loadStarts,
    ...upTo(pairs(s)).flatMap((k) => pairLines(s, { x: 2 * s.C * block * g, w: 8 }, k, old(k))),
    ...storeSums(s, 2 * tileBytes(s) * block * g),
  ]);
  return [
    ...groups.flat(),
    ...advance('r0', 2 * s.C * tilesIn(s)),
    ...advance('r1', productBytes(s.C)),
    ...advance('r2', -2 * tileBytes(s) * (tilesIn(s) - block)),
  ];
}

/** The same with a loop over blocks of tiles and one over stretches of `depth` pairs: for long sums, and for code in slow memory. */
function looped(s: Shape): readonly string[] {
  const block = blockOf(s);
  const groups = tilesIn(s) / block;
  const begin = [0, 1].flatMap((channel) =>
    upTo(block - 1).map((tile) => `mov ${sum(channel, tile, block)}, ${starts[channel]}`),
  );
  const pass = upTo(s.depth).flatMap((k) =>
    pairLines(s, { x: 0, w: 0 }, k, (channel, tile) => sum(channel, tile, block)),
  );
  const all = 2 * tileBytes(s) * tilesIn(s);
  return [
    `mov r3, #${groups}`,
    park('s2', 'r3'),
    '.balign 4',
    '2:',
    ...loadStarts,
    ...advance('r1', 8),
    ...begin,
    `mov r2, #${pairs(s) / s.depth}`,
    park('s3', 'r2'),
    '.balign 4',
    '3:',
    ...pass,
    ...advance('r0', 4 * s.depth),
    ...advance('r1', 8 * s.depth),
    ...countDown('r2', 's3', '3b'),
    ...storeSums(s, 0),
    ...advance('r2', 2 * tileBytes(s) * block),
    park('s0', 'r2'),
    ...advance('r0', 2 * s.C * (block - 1)),
    ...advance('r1', -productBytes(s.C)),
    ...countDown('r3', 's2', '2b'),
    ...advance('r1', productBytes(s.C)),
    ...advance('r2', -all),
  ];
}
const countDown = (register: string, single: string, label: string): readonly string[] => [
  unpark(register, single),
  `subs ${register}, ${register}, #1`,
  park(single, register),
  `bne ${label}`,
];

const lines = (s: Shape): readonly string[] => [
  'push {r4-r11, lr}',
  park('s0', 'r2'),
  'mov r3, r2',
  ...advance('r3', tileBytes(s)),
  park('s1', 'r3'),
  '.balign 4',
  '1:',
  ...(isStraight(s) ? straight(s) : looped(s)),
  // To the next product, until the first tile's sums are all there.
  ...advance('r2', 4),
  park('s0', 'r2'),
  unpark('r3', 's1'),
  'cmp r2, r3',
  'bne 1b',
  'pop {r4-r11, pc}',
];

function plain(s: Shape): string {
  const tiles = tilesIn(s);
  return `  int32_t p, t, d, k;
  for (p = 0; p < ${s.products}; p++) {
    const mt_word *start = (const mt_word *)(const void *)(w + ${productBytes(s.C)} * p);
    for (t = 0; t < ${tiles}; t++) {
      const int16_t *x = v + ${s.C} * (${tiles} * p + t);
      for (d = 0; d < 2; d++) {
        int32_t sum = (int32_t)start[d];
        for (k = 0; k < ${pairs(s)}; k++) {
          const uint32_t pair = start[2 + 2 * k + d];
          sum = mt_add(sum, x[2 * k] * (int16_t)pair);
          sum = mt_add(sum, x[2 * k + 1] * (int16_t)(pair >> 16));
        }
        s[${s.products} * (2 * t + d) + p] = sum;
      }
    }
  }
`;
}

/** Pairs of all tiles in one stretch of code, and in a loop, where a schedule does not ask for fewer. */
const [mostStraight, mostDepth] = [64, 32];
/** Does one stretch hold all pairs of all tiles, within reach of immediate offsets? */
const isStraight = (s: Shape): boolean =>
  s.depth === pairs(s) && (pairs(s) * tilesIn(s)) / blockOf(s) <= mostStraight && 2 * s.C * tilesIn(s) <= farthest;
const farthest = 4095;

function shapeOf({ products = 0, down = 1, across = 1, C = 0, depth = 0 }: Params): Shape {
  const all = C / 2;
  const largest = upTo(mostDepth)
    .map((i) => mostDepth - i)
    .find((n) => all % n === 0);
  const s = { products, down, across, C, depth: depth === 0 ? (largest ?? 1) : depth };
  if (C < 4 || C % 4 !== 0 || down < 1 || across < 1) refuse('winograd_sums: fours of input channels');
  if (s.depth < 1 || s.depth > mostDepth || all % s.depth !== 0)
    refuse(`winograd_sums: ${s.depth} does not divide ${all} pairs`);
  if (2 * C * 3 + 4 * s.depth > farthest) refuse('winograd_sums: too many input channels for an immediate offset');
  return s;
}

function infer(nest: Loop): Params {
  const chain: number[] = [];
  let at: Stmt | undefined = nest;
  while (at?.kind === 'loop') {
    chain.push(at.extent);
    at = at.body.find((x) => x.kind === 'loop');
  }
  const [products = 0, down = 0, across = 0, , C = 0] = chain;
  return { products, down, across, C };
}

/** Of the stretches as they are repeated. */
function cyclesOf(s: Shape): number {
  const around = 20 + 12 * s.products;
  if (isStraight(s)) return around + s.products * straightCycles(straight(s));
  const pass = straightCycles(pairLines(s, { x: 0, w: 0 }, 0, () => 'r6')) * s.depth + 10;
  const group = (pairs(s) / s.depth) * pass + 26 + 2 * blockOf(s);
  return around + s.products * (tilesIn(s) / blockOf(s)) * group;
}

/** s[ti, tj, d, p] = w[d, p, 0] + sum over c of v[p, ti, tj, c] * w[d, p, c + 1]. */
export const winogradSums: Recipe = {
  name: 'winograd_sums',
  examples: [
    { products: 16, down: 1, across: 4, C: 4 },
    { products: 36, down: 2, across: 4, C: 8 },
    { products: 16, down: 1, across: 3, C: 12, depth: 2 },
    { products: 16, down: 2, across: 1, C: 8, depth: 2 },
    { products: 36, down: 1, across: 1, C: 4 },
    { products: 16, down: 3, across: 4, C: 16, depth: 4 },
    { products: 36, down: 4, across: 4, C: 4 },
  ],
  infer,
  make: (params) => {
    const s = shapeOf(params);
    const { products, down, across, C } = s;
    return {
      symbol: `mt_winograd_sums_${products}_${tilesIn(s)}x${C}_${s.depth}`,
      features: ['dsp', 'fpu'],
      stackBytes: 36,
      get cycles() {
        return cyclesOf(s);
      },
      meaning: program(
        'winograd_sums',
        [
          buffer('v', 'i16', [products, down, across, C], 'in'),
          buffer('w', 'i32', [2, products, C + 1], 'in'),
          buffer('s', 'i32', [down, across, 2, products], 'out'),
        ],
        sumNest({ tile: tileOfProducts(products), down, across }, C, num(0)),
      ),
      operands: {
        v: { dtype: 'i16', align: 4, layout: { kind: 'quad', order: [0, 2, 1, 3] } },
        w: { dtype: 'i32', align: 4, layout: { kind: 'packed', packing: 'winograd_filters', params: {} } },
        s: { dtype: 'i32', align: 4 },
      },
      c: (at) => `${at.function}(${at.v}, ${at.w}, ${at.s});`,
      get function() {
        return { params: ['const int16_t *v', 'const uint8_t *w', 'int32_t *s'], lines: lines(s), plain: plain(s) };
      },
      prelude: '',
      portable: '',
    };
  },
};

/**
 * winograd_sums: the products of a Winograd convolution, summed over input channels: all products of some tiles for two output
 * channels. Up to four tiles x two channels stay in registers over all input channels; the next tiles then reuse the filters,
 * which are read from slow memory.
 */
import { buffer, num, program, refuse } from '../program/build.ts';
import type { Loop, Stmt } from '../program/program.ts';
import { advance, park, unpark } from './asm-lines.ts';
import type { Params, Recipe } from './instruction.ts';
import { productBytes } from './packings/winograd-filters.ts';
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

/** One pair of input channels: loads in twos, so that they pipeline; then products. `from` are the sums' old values. */
function pairLines(s: Shape, k: number, from: (channel: number, tile: number) => string): readonly string[] {
  const block = blockOf(s);
  const out = [`ldr r2, [r1, #${8 * k}]`, `ldr r3, [r1, #${8 * k + 4}]`];
  for (let first = 0; first < block; first += 2) {
    const some = ['r4', 'r5'].slice(0, Math.min(2, block - first));
    out.push(...some.map((x, i) => `ldr ${x}, [r0, #${2 * s.C * (first + i) + 4 * k}]`));
    for (const [i, x] of some.entries()) {
      for (const channel of [0, 1]) {
        const to = sum(channel, first + i, block);
        out.push(`smlad ${to}, ${x}, ${channel === 0 ? 'r2' : 'r3'}, ${from(channel, first + i)}`);
      }
    }
  }
  return out;
}

/** All pairs in one stretch: the first products start from the start values. */
const straight = (s: Shape): readonly string[] =>
  Array.from({ length: pairs(s) }, (_, k) =>
    pairLines(s, k, (channel, tile) => (k === 0 ? (starts[channel] ?? '') : sum(channel, tile, blockOf(s)))),
  ).flat();

/** Stretches of `depth` pairs in a loop; r0 and r1 end behind what was read. */
function looped(s: Shape): readonly string[] {
  const block = blockOf(s);
  const begin = [0, 1].flatMap((channel) =>
    Array.from({ length: block - 1 }, (_, tile) => `mov ${sum(channel, tile, block)}, ${starts[channel]}`),
  );
  const body = Array.from({ length: s.depth }, (_, k) => pairLines(s, k, (channel, tile) => sum(channel, tile, block)));
  return [
    ...begin,
    `mov r2, #${pairs(s) / s.depth}`,
    park('s3', 'r2'),
    '3:',
    ...body.flat(),
    ...advance('r0', 4 * s.depth),
    ...advance('r1', 8 * s.depth),
    unpark('r2', 's3'),
    'subs r2, r2, #1',
    park('s3', 'r2'),
    'bne 3b',
  ];
}

function lines(s: Shape): readonly string[] {
  const block = blockOf(s);
  const groups = tilesIn(s) / block;
  const oneStretch = s.depth === pairs(s);
  const walked = oneStretch ? 0 : pairs(s);
  const tileBytes = 4 * s.products;
  const stores = Array.from({ length: block }, (_, tile) =>
    [0, 1].map((channel) => `str ${sum(channel, tile, block)}, [r2, #${tileBytes * (2 * tile + channel)}]`),
  ).flat();
  const nextGroup = [
    ...advance('r1', -8 - 8 * walked),
    ...advance('r2', 2 * tileBytes * block),
    park('s0', 'r2'),
    unpark('r3', 's2'),
    'subs r3, r3, #1',
    park('s2', 'r3'),
    'bne 2b',
  ];
  return [
    'push {r4-r11, lr}',
    park('s0', 'r2'),
    'mov r3, r2',
    ...advance('r3', tileBytes),
    park('s1', 'r3'),
    '1:',
    ...(groups > 1 ? [`mov r3, #${groups}`, park('s2', 'r3'), '2:'] : []),
    `ldr ${starts[0]}, [r1]`,
    `ldr ${starts[1]}, [r1, #4]`,
    'add r1, r1, #8',
    ...(oneStretch ? straight(s) : looped(s)),
    unpark('r2', 's0'),
    ...stores,
    ...advance('r0', 2 * s.C * block - 4 * walked),
    ...(groups > 1 ? nextGroup : []),
    // To the next product: filters and sums follow each other.
    ...advance('r1', 8 * (pairs(s) - walked) + (groups > 1 ? 8 + 8 * walked : 0)),
    ...advance('r2', 4 - (groups > 1 ? 2 * tileBytes * tilesIn(s) : 0)),
    park('s0', 'r2'),
    unpark('r3', 's1'),
    'cmp r2, r3',
    'bne 1b',
    'pop {r4-r11, pc}',
  ];
}

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

/** The longest stretch that a schedule gets without asking. */
const mostDepth = 32;

function shapeOf({ products = 0, down = 1, across = 1, C = 0, depth }: Params): Shape {
  const pairsOf = C / 2;
  const largest = Array.from({ length: mostDepth }, (_, i) => mostDepth - i).find((n) => pairsOf % n === 0) ?? 1;
  const s = { products, down, across, C, depth: depth === undefined || depth === 0 ? largest : depth };
  if (C < 4 || C % 4 !== 0 || down < 1 || across < 1) refuse('winograd_sums: fours of input channels');
  if (s.depth < 1 || s.depth > 64 || pairsOf % s.depth !== 0)
    refuse(`winograd_sums: ${s.depth} does not divide ${pairsOf} pairs`);
  // Offsets of pixels and of sums are immediate.
  if (2 * C * 3 + 4 * s.depth > 4095 || 8 * s.depth > 4095) refuse('winograd_sums: too many input channels');
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

/** Of a block and pair 8 products and its loads; then what comes around them. */
const cyclesOf = (s: Shape): number => {
  const [block, groups] = [blockOf(s), tilesIn(s) / blockOf(s)];
  const loads = 3 + Math.ceil(block / 2) * 3;
  const passes = s.depth === pairs(s) ? 0 : pairs(s) / s.depth;
  return 20 + s.products * (10 + groups * (12 + 2 * block + pairs(s) * (loads + 2 * block) + 10 * passes));
};

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
  ],
  infer,
  make: (params) => {
    const s = shapeOf(params);
    const { products, down, across, C } = s;
    return {
      symbol: `mt_winograd_sums_${products}_${tilesIn(s)}x${C}_${s.depth}`,
      features: ['dsp', 'fpu'],
      stackBytes: 36,
      cycles: cyclesOf(s),
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
      function: { params: ['const int16_t *v', 'const uint8_t *w', 'int32_t *s'], lines: lines(s), plain: plain(s) },
      prelude: '',
      portable: '',
    };
  },
};

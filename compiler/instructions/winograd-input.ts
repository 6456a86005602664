/**
 * winograd_input: the input transform of a Winograd convolution, for some tiles over all channels. Two channels share a word, so that
 * one instruction works on both: for tiles of 4 plain additions with free shifts, which is right because the lift keeps the
 * lower lane from borrowing; for tiles of 2 SADD16 and SSUB16. Instructions are wide (.w), so that loads begin at whole words and
 * follow each other in one cycle. Must stay true: x holds bytes from 0 on.
 */
import { buffer, num, program, refuse } from '../program/build.ts';
import type { Loop, Stmt } from '../program/program.ts';
import { advance, park, unpark } from './asm-lines.ts';
import type { Params, Recipe } from './instruction.ts';
import { straightCycles } from './static-cycles.ts';
import { inputNest, type Tile, tileOfProducts } from './winograd-tile.ts';

interface Shape {
  readonly tile: Tile;
  readonly down: number;
  readonly across: number;
  readonly C: number;
  /** Pixels in a row of x. */
  readonly W: number;
}

/** r0 pixels, r2 the same three rows down, r1 where v goes, r3 the end of a tile's channels; one edge of values from r4 on. */
const first = 4;
const value = (k: number): string => `r${first + k}`;

/** B times the values in r4-r9, into these registers. */
const four = {
  lines: [
    'sub r4, r4, r6',
    'sub r10, r8, r6, lsl #2',
    'sub r11, r8, r6',
    'add r4, r11, r4, lsl #2',
    'sub r12, r7, r5',
    'sub lr, r7, r5, lsl #2',
    'sub r9, r9, r7',
    'sub r9, r9, r12, lsl #2',
    'add r5, r10, lr',
    'sub r6, r10, lr',
    'add r7, r11, r12, lsl #1',
    'sub r8, r11, r12, lsl #1',
  ],
  to: ['r4', 'r5', 'r6', 'r7', 'r8', 'r9'],
};
/** The same for r4-r7. */
const two = {
  lines: ['ssub16 r4, r4, r6', 'sadd16 r8, r5, r6', 'ssub16 r6, r6, r5', 'ssub16 r7, r5, r7'],
  to: ['r4', 'r8', 'r6', 'r7'],
};
const transformOf = ({ m }: Tile): typeof four => (m === 4 ? four : two);

const upTo = (n: number): readonly number[] => Array.from({ length: n }, (_, i) => i);

/** Every second of four channels of column j: loaded, lifted, transformed, kept on the stack. */
function column(s: Shape, j: number, odd: number): readonly string[] {
  const { n, lift } = s.tile;
  const pitch = s.W * s.C;
  const loads = upTo(n).map((k) => `ldr.w ${value(k)}, [${k < 3 ? 'r0' : 'r2'}, #${(k % 3) * pitch + j * s.C}]`);
  const halves = upTo(n).map((k) => `uxtb16 ${value(k)}, ${value(k)}${odd === 1 ? ', ror #8' : ''}`);
  // In each row of B the coefficients of the last two inputs add up to 1: lifting these in both directions lifts all products.
  const lifted = lift !== 0 && j >= n - 2 ? [n - 2, n - 1] : [];
  const { lines, to } = transformOf(s.tile);
  return [
    ...loads,
    ...halves,
    ...lifted.map((k) => `add ${value(k)}, ${value(k)}, #${lift * 0x10001}`),
    ...lines,
    ...to.map((r, i) => `str.w ${r}, [sp, #${4 * (n * i + j)}]`),
  ];
}

/** Row i from the stack: transformed and stored, `bytes` from one product to the next; r1 has moved by `moved`. */
function row(
  s: Shape,
  i: number,
  moved: number,
  bytes: number,
): { readonly lines: readonly string[]; readonly moved: number } {
  const { n } = s.tile;
  const { lines, to } = transformOf(s.tile);
  const out = [...upTo(n).map((k) => `ldr.w ${value(k)}, [sp, #${4 * (n * i + k)}]`), ...lines];
  let at = moved;
  for (const [j, r] of to.entries()) {
    const offset = (n * i + j) * bytes;
    if (offset - at > farthest) {
      out.push(...advance('r1', offset - at));
      at = offset;
    }
    out.push(`str.w ${r}, [r1, #${offset - at}]`);
  }
  return { lines: out, moved: at };
}
const farthest = 4095;

/** Four channels of a tile, the even ones first. r0, r1 and r2 end at the next four. */
function channels(s: Shape): readonly string[] {
  const { n } = s.tile;
  const bytes = 2 * s.C * s.down * s.across;
  const out: string[] = [];
  for (const odd of [0, 1]) {
    for (const j of upTo(n)) out.push(...column(s, j, odd));
    let moved = 0;
    for (const i of upTo(n)) {
      const done = row(s, i, moved, bytes);
      out.push(...done.lines);
      moved = done.moved;
    }
    out.push(...advance('r1', 4 - moved));
  }
  return [...out, 'add r0, r0, #4', 'add r2, r2, #4', 'cmp r0, r3'];
}

function lines(s: Shape): readonly string[] {
  const { m, n } = s.tile;
  const frame = 4 * n * n;
  const pitch = s.W * s.C;
  const count = (single: string, label: string): readonly string[] => [
    unpark('r3', single),
    'subs r3, r3, #1',
    park(single, 'r3'),
    `bne ${label}`,
  ];
  return [
    'push {r4-r11, lr}',
    ...advance('sp', -frame),
    `mov r3, #${s.down}`,
    park('s0', 'r3'),
    '1:',
    `mov r3, #${s.across}`,
    park('s1', 'r3'),
    '2:',
    'mov r3, r0',
    ...advance('r3', s.C),
    'mov r2, r0',
    ...advance('r2', 3 * pitch),
    '.balign 4',
    '3:',
    ...channels(s),
    'bne 3b',
    ...advance('r0', (m - 1) * s.C),
    ...count('s1', '2b'),
    ...advance('r0', m * pitch - m * s.C * s.across),
    ...count('s0', '1b'),
    ...advance('sp', frame),
    'pop {r4-r11, pc}',
  ];
}

function plain({ tile, down, across, C, W }: Shape): string {
  const { m, n, input, lift } = tile;
  return `  static const int8_t b[${n}][${n}] = {${input.map((r) => `{${r.join(', ')}}`).join(', ')}};
  int32_t t, c, i, j, k;
  for (t = 0; t < ${down * across}; t++) {
    const uint8_t *from = x + (${m * W} * (t / ${across}) + ${m} * (t % ${across})) * ${C};
    for (c = 0; c < ${C}; c++) {
      int16_t *to = v + ${C} * t + ((c & ~3) | ((c & 1) << 1) | ((c & 2) >> 1));
      int32_t u[${n}][${n}];
      for (i = 0; i < ${n}; i++)
        for (j = 0; j < ${n}; j++)
          for (u[i][j] = 0, k = 0; k < ${n}; k++) u[i][j] += b[i][k] * from[(${W} * k + j) * ${C} + c];
      for (i = 0; i < ${n}; i++) {
        for (j = 0; j < ${n}; j++) {
          int32_t sum = ${lift};
          for (k = 0; k < ${n}; k++) sum += b[j][k] * u[i][k];
          to[${C * down * across} * (${n} * i + j)] = (int16_t)sum;
        }
      }
    }
  }
`;
}

function shapeOf({ products = 0, down = 1, across = 1, C = 0, W = 0 }: Params): Shape {
  const tile = tileOfProducts(products);
  const s = { tile, down, across, C, W };
  if (C < 4 || C % 4 !== 0) refuse('winograd_input: fours of channels');
  if (W < tile.m * across + 2) refuse('winograd_input: rows are shorter than its tiles');
  if (2 * W * C + (tile.n - 1) * C > farthest) refuse('winograd_input: the rows are too long for an immediate offset');
  return s;
}

function infer(nest: Loop, shape: (role: string) => readonly number[]): Params {
  const chain: number[] = [];
  let at: Stmt | undefined = nest;
  while (at?.kind === 'loop') {
    chain.push(at.extent);
    at = at.body[0];
  }
  const [down = 0, across = 0, C = 0] = chain;
  return { products: shape('v')[0] ?? 0, down, across, C, W: shape('x').at(-2) ?? 0 };
}

const cyclesOf = (s: Shape): number => 40 + s.down * s.across * (12 + (s.C / 4) * (straightCycles(channels(s)) + 2));

/** v[n*i + j, ti, tj, c] = lift + (B x B')[i, j] of each tile and channel. */
export const winogradInput: Recipe = {
  name: 'winograd_input',
  examples: [
    { products: 36, down: 1, across: 2, C: 8, W: 11 },
    { products: 36, down: 2, across: 1, C: 4, W: 6 },
    { products: 36, down: 2, across: 4, C: 64, W: 18 },
    { products: 16, down: 2, across: 2, C: 8, W: 6 },
    { products: 16, down: 1, across: 3, C: 4, W: 9 },
  ],
  infer,
  make: (params) => {
    const s = shapeOf(params);
    const { tile, down, across, C, W } = s;
    return {
      symbol: `mt_winograd_input_${tile.n * tile.n}_${down}x${across}x${C}_w${W}`,
      features: ['dsp', 'fpu'],
      stackBytes: 36 + 4 * tile.n * tile.n,
      get cycles() {
        return cyclesOf(s);
      },
      meaning: program(
        'winograd_input',
        [
          buffer('x', 'u8', [tile.m * down + 2, W, C], 'in'),
          buffer('v', 'i16', [tile.n * tile.n, down, across, C], 'out'),
        ],
        inputNest({ tile, down, across }, C, [num(0), num(0)]),
      ),
      operands: {
        x: { dtype: 'u8', align: 4 },
        v: { dtype: 'i16', align: 4, layout: { kind: 'quad', order: [0, 2, 1, 3] } },
      },
      c: (at) => `${at.function}(${at.x}, ${at.v});`,
      get function() {
        return { params: ['const uint8_t *x', 'int16_t *v'], lines: lines(s), plain: plain(s) };
      },
      prelude: '',
      portable: '',
    };
  },
};

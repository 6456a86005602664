/**
 * winograd_output: the output transform of a Winograd convolution with its requantise, for some tiles of two output channels. An output is
 * a power of two times larger than another; it is shifted out by the shift that the requantise has anyway, and the addend is kept
 * in as many doublings as there are. Instructions are wide (.w), so that loads begin at whole words.
 */
import { buffer, num, program, refuse } from '../program/build.ts';
import type { Loop, Stmt, Store } from '../program/program.ts';
import { loopsIn } from '../program/walk.ts';
import { advance, park, unpark } from './asm-lines.ts';
import type { Params, Recipe } from './instruction.ts';
import { clampLines, inferRequantize, requantizeOf, requantizeTag } from './requantize-lines.ts';
import { straightCycles } from './static-cycles.ts';
import {
  type AffineForm,
  affineByte,
  affineRoles,
  mostDoubled,
  outputNest,
  type Tile,
  tileOfProducts,
} from './winograd-tile.ts';

interface Shape {
  readonly tile: Tile;
  readonly down: number;
  readonly across: number;
  /** Pixels in a row of y, and their channels. */
  readonly W: number;
  readonly N: number;
  readonly form: AffineForm;
  readonly tag: string;
}

/** r0 sums, r1 bytes, r2 multiplier, r3 addend; one edge of values from r4 on; doublings of the addend in these. */
const value = (k: number): string => `r${4 + k}`;
const multiplier = 'r2';
const addends = ['r3', 'r11', 'r12', 'lr', 'r8'] as const;
/** Beside the values when they are ready: the correction and a temporary. */
const fix = 'r5';
const temp = 'r10';
/** What waits there: constants of this channel and the next by role, and counters of channels, rows and columns of tiles. */
const parked: Readonly<Record<string, readonly [string, string]>> = {
  mul: ['s0', 's1'],
  add: ['s2', 's3'],
  fix: ['s4', 's5'],
};
const [channelsLeft, rowsLeft, columnsLeft] = ['s6', 's7', 's8'] as const;

/** A times the values in r4-r9, into these registers; r5, r8 and r10 come out free. */
const four = {
  lines: [
    'add r10, r5, r6',
    'sub r5, r5, r6',
    'add r6, r7, r8',
    'sub r7, r7, r8',
    'add r4, r6, r4, lsl #1',
    'sub r4, r4, r10, lsl #2',
    'sub r6, r6, r10',
    'add.w r9, r9, r7',
    'sub r7, r7, r5, lsl #1',
    'rsb r9, r5, r9, lsl #1',
  ],
  to: ['r4', 'r7', 'r6', 'r9'],
};
/** The same for r4-r7. */
const two = {
  lines: ['add.w r4, r4, r5', 'add.w r4, r4, r6', 'sub r6, r5, r6', 'sub r6, r6, r7'],
  to: ['r4', 'r6'],
};
const transformOf = ({ m }: Tile): typeof four => (m === 4 ? four : two);
const upTo = (n: number): readonly number[] => Array.from({ length: n }, (_, i) => i);

/** Column j of a tile's sums, transformed, to the stack. */
function column({ tile }: Shape, j: number): readonly string[] {
  const { n } = tile;
  const { lines, to } = transformOf(tile);
  return [
    ...upTo(n).map((k) => `ldr.w ${value(k)}, [r0, #${4 * (n * k + j)}]`),
    ...lines,
    ...to.map((r, i) => `str.w ${r}, [sp, #${4 * (n * i + j)}]`),
  ];
}

/** A sum that was doubled so often becomes a byte. */
function byteLines({ form }: Shape, sum: string, doubled: number): readonly string[] {
  const addend = addends[doubled] ?? refuse('winograd_output: too many doublings');
  const shift = form.right + doubled;
  const signed = [
    `and ${temp}, ${fix}, ${sum}, asr #31`,
    `add.w ${temp}, ${addend}, ${temp}${doubled > 0 ? `, lsl #${doubled}` : ''}`,
  ];
  const [lines, plus] = form.form === 'signed' ? [signed, temp] : [[], addend];
  return [
    ...lines,
    `smmla ${sum}, ${sum}, ${multiplier}, ${plus}`,
    `ssat ${sum}, #8, ${sum}${shift > 0 ? `, asr #${shift}` : ''}`,
    ...clampLines(form, sum),
  ];
}

/** Row i of a tile's bytes from the stack; r1 stands at the row. */
function row(s: Shape, i: number): readonly string[] {
  const { n, doubled } = s.tile;
  const { lines, to } = transformOf(s.tile);
  const most = (doubled[i] ?? 0) + Math.max(...doubled);
  return [
    ...upTo(n).map((k) => `ldr.w ${value(k)}, [sp, #${4 * (n * i + k)}]`),
    ...lines,
    ...(most === 4 ? [`lsl ${addends[4]}, ${addends[0]}, #4`] : []),
    ...(s.form.form === 'signed' ? [unpark(fix, parked.fix?.[0] ?? '')] : []),
    ...to.flatMap((r, j) => [
      ...byteLines(s, r, (doubled[i] ?? 0) + (doubled[j] ?? 0)),
      `strb.w ${r}, [r1, #${s.N * j}]`,
    ]),
  ];
}

const tileLines = (s: Shape): readonly string[] => [
  ...upTo(s.tile.n).flatMap((j) => column(s, j)),
  ...upTo(s.tile.m).flatMap((i) => [...row(s, i), ...advance('r1', s.W * s.N)]),
];

function lines(s: Shape): readonly string[] {
  const { m, n } = s.tile;
  const { down, across, N } = s;
  const frame = 4 * m * n;
  const tileBytes = 4 * n * n;
  const pitch = s.W * N;
  const roles = affineRoles(s.form.form);
  const begin = (single: string, n: number): readonly string[] => [`mov r4, #${n}`, park(single, 'r4')];
  const count = (single: string, label: string): readonly string[] => [
    unpark('r4', single),
    'subs r4, r4, #1',
    park(single, 'r4'),
    `bne ${label}`,
  ];
  const constants = roles.flatMap((role, i) => {
    const [here, next] = parked[role] ?? ['', ''];
    const from = i === 2 ? [`ldr r6, [sp, #36]`, 'ldrd r4, r5, [r6]'] : [`ldrd r4, r5, [r${2 + i}]`];
    return [...from, park(here, 'r4'), park(next, 'r5')];
  });
  return [
    'push {r4-r11, lr}',
    ...constants,
    ...advance('sp', -frame),
    ...begin(channelsLeft, 2),
    '1:',
    unpark(multiplier, parked.mul?.[0] ?? ''),
    unpark(addends[0], parked.add?.[0] ?? ''),
    ...upTo(Math.min(3, mostDoubled(s.tile))).map((k) => `lsl ${addends[k + 1]}, ${addends[0]}, #${k + 1}`),
    ...begin(rowsLeft, down),
    '2:',
    ...begin(columnsLeft, across),
    '.balign 4',
    '3:',
    ...tileLines(s),
    ...advance('r0', 2 * tileBytes),
    ...advance('r1', m * N - m * pitch),
    ...count(columnsLeft, '3b'),
    ...advance('r1', m * pitch - across * m * N),
    ...count(rowsLeft, '2b'),
    ...advance('r0', tileBytes - 2 * tileBytes * down * across),
    ...advance('r1', 1 - down * m * pitch),
    ...roles.flatMap((role) => {
      const [here, next] = parked[role] ?? ['', ''];
      return [`vmov.f32 ${here}, ${next}`];
    }),
    ...count(channelsLeft, '1b'),
    ...advance('sp', frame),
    'pop {r4-r11, pc}',
  ];
}

function plain({ tile, down, across, W, N, form }: Shape): string {
  const { m, n, output, doubled } = tile;
  const addend = form.form === 'signed' ? 'mt_add((sum >> 31) & fix[d], add[d])' : 'add[d]';
  return `  static const int8_t a[${m}][${n}] = {${output.map((r) => `{${r.join(', ')}}`).join(', ')}};
  static const int8_t doubled[${m}] = {${doubled.join(', ')}};
  int32_t t, d, i, j, k;
  for (t = 0; t < ${2 * down * across}; t++) {
    int8_t *to = y + (${m * W} * (t / ${2 * across}) + ${m} * (t / 2 % ${across})) * ${N} + t % 2;
    int32_t q[${m}][${n}];
    d = t % 2;
    for (i = 0; i < ${m}; i++)
      for (j = 0; j < ${n}; j++)
        for (q[i][j] = 0, k = 0; k < ${n}; k++)
          q[i][j] = mt_add(q[i][j], mt_mul(a[i][k], s[${n * n} * t + ${n} * k + j]));
    for (i = 0; i < ${m}; i++) {
      for (j = 0; j < ${m}; j++) {
        const int32_t n = doubled[i] + doubled[j];
        int32_t sum = 0;
        for (k = 0; k < ${n}; k++) sum = mt_add(sum, mt_mul(a[j][k], q[i][k]));
        sum = mt_mulhi_add(sum, mul[d], mt_shl(${addend}, n)) >> (${form.right} + n);
        to[(${W} * i + j) * ${N}] = (int8_t)mt_clamp(sum, ${form.min}, ${form.max});
      }
    }
  }
`;
}

function shapeOf(params: Params): Shape {
  const { products = 0, down = 1, across = 1, W = 0, N = 0 } = params;
  const tile = tileOfProducts(products);
  const q = requantizeOf(params);
  if (q.form !== 'affine' && q.form !== 'signed') return refuse(`winograd_output: no form ${q.form}`);
  if (q.right + mostDoubled(tile) > 31) refuse('winograd_output: a shift too far');
  if (W < tile.m * across || N < 2) refuse('winograd_output: rows are shorter than its tiles');
  if ((tile.m - 1) * N > 4095) refuse('winograd_output: the channels are too many for an immediate offset');
  const form: AffineForm = { form: q.form, right: q.right, min: q.min, max: q.max };
  return { tile, down, across, W, N, form, tag: requantizeTag(q) };
}

/** Extents; and the form of the last byte of a tile, which has no doublings. */
function infer(nest: Loop, shape: (role: string) => readonly number[]): Params {
  const [, down, across] = loopsIn([nest]);
  const [, , W = 0, N = 0] = [0, ...shape('y')];
  const last = across?.body.findLast((s: Stmt): s is Store => s.kind === 'store');
  if (down === undefined || across === undefined || last === undefined)
    return refuse('winograd_output: no tiles of bytes');
  return {
    products: shape('s').at(-1) ?? 0,
    down: down.extent,
    across: across.extent,
    W,
    N,
    ...inferRequantize(last.value),
  };
}

/** y = requantised A s A' of each tile and channel. */
export const winogradOutput: Recipe = {
  name: 'winograd_output',
  examples: [
    { products: 36, down: 1, across: 2, W: 9, N: 2, form: 0, right: 12 },
    { products: 36, down: 2, across: 1, W: 4, N: 6, form: 1, right: 9 },
    { products: 36, down: 1, across: 1, W: 5, N: 4, form: 1, right: 0, min: -100, max: 90 },
    { products: 16, down: 2, across: 2, W: 6, N: 3, form: 0, right: 10, min: -5 },
    { products: 16, down: 1, across: 3, W: 6, N: 2, form: 1, right: 11 },
  ],
  infer,
  make: (params) => {
    const s = shapeOf(params);
    const { tile, down, across, W, N, form } = s;
    const roles = affineRoles(form.form);
    return {
      symbol: `mt_winograd_output_${tile.n * tile.n}_${down}x${across}_y${W}x${N}_${s.tag}`,
      features: ['dsp', 'fpu'],
      stackBytes: 36 + 4 * tile.m * tile.n,
      get cycles() {
        return 60 + 2 * down * across * (straightCycles(tileLines(s)) + 8);
      },
      meaning: program(
        'winograd_output',
        [
          buffer('s', 'i32', [down, across, 2, tile.n * tile.n], 'in'),
          ...roles.map((role) => buffer(role, 'i32', [2], 'in')),
          buffer('y', 'i8', [tile.m * down, W, N], 'out'),
        ],
        outputNest({ tile, down, across }, [num(0), num(0), num(0)], (sum, doubled, o) =>
          affineByte(form, sum, doubled, o),
        ),
      ),
      operands: {
        s: { dtype: 'i32', align: 4 },
        ...Object.fromEntries(roles.map((role) => [role, { dtype: 'i32', align: 4 } as const])),
        y: { dtype: 'i8' },
      },
      c: (at) => `${at.function}(${at.s}, ${at.y}, ${roles.map((role) => at[role]).join(', ')});`,
      get function() {
        return {
          params: ['const int32_t *s', 'int8_t *y', ...roles.map((role) => `const int32_t *${role}`)],
          lines: lines(s),
          plain: plain(s),
        };
      },
      prelude: '',
      portable: '',
    };
  },
};

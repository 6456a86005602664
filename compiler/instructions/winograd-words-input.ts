/**
 * winograd_words_input: the input transform of a Winograd convolution in words, for the tiles of a region and all channels. Thumb-1.
 * A tile's rows are transformed into the frame, then its columns from there to v; both in r1-r7.
 *   r0 where values are read or stored; r8 a row of x, r9 six products of v and r11 one, in bytes; r10 where a column goes; r12 x.
 */
import { buffer, num, program, refuse } from '../program/build.ts';
import { countAgain, countFrom, enterThumb, highNumber, leaveThumb } from './asm-lines.ts';
import type { Instruction, Params, Recipe } from './instruction.ts';
import { type Region, tileOf } from './winograd-tile.ts';
import { wordInputNest } from './winograd-words.ts';

interface Shape {
  readonly region: Region;
  readonly C: number;
  /** Pixels in a row of x. */
  readonly pitch: number;
}
type Access = (register: string, k: number) => readonly string[];

/** B times six values, results in order; r7 is free while `load` runs, r5-r7 are temporaries. */
function inputTransform(load: Access, store: Access): readonly string[] {
  const four = [1, 2, 3, 4].flatMap((k) => load(`r${k}`, k));
  return [
    ...four,
    ...load('r5', 0),
    'subs r5, r5, r2',
    'lsls r5, r5, #2',
    'adds r5, r5, r4',
    'subs r5, r5, r2',
    ...store('r5', 0),
    'lsls r5, r2, #2',
    'subs r5, r4, r5',
    'lsls r6, r1, #2',
    'subs r6, r3, r6',
    'adds r7, r5, r6',
    ...store('r7', 1),
    'subs r5, r5, r6',
    ...store('r5', 2),
    'subs r4, r4, r2',
    'subs r5, r3, r1',
    'lsls r5, r5, #1',
    'adds r6, r4, r5',
    ...store('r6', 3),
    'subs r6, r4, r5',
    ...store('r6', 4),
    ...load('r6', 5),
    'subs r6, r6, r3',
    'lsls r5, r5, #1',
    'subs r6, r6, r5',
    ...store('r6', 5),
  ];
}

/** A constant in a low register: a byte, or a byte shifted left. */
function constantTo(register: string, value: number): readonly string[] {
  const shift = value === 0 ? 0 : Math.max(0, Math.log2(value & -value));
  if (value < 256) return [`movs ${register}, #${value}`];
  if (value >> shift < 256) return [`movs ${register}, #${value >> shift}`, `lsls ${register}, ${register}, #${shift}`];
  return refuse(`winograd_words_input: ${value} is no shifted byte`);
}

/** The frame: a transformed tile, then these words. */
const scratchWords = 36;
const slot = (n: number): string => `[sp, #${4 * (scratchWords + n)}]`;
const [vHere, vTile, xEnd, left, rows] = [0, 1, 2, 3, 4].map(slot) as [string, string, string, string, string];
const frameBytes = 4 * (scratchWords + 5) + 4;
const six = [0, 1, 2, 3, 4, 5] as const;

function tileLines(C: number): readonly string[] {
  const pixel: Access = (r, k) => [...constantTo('r7', k * C), `ldrsb ${r}, [r0, r7]`];
  return [
    'mov r0, r12',
    ...six.flatMap((i) => [
      ...inputTransform(pixel, (r, k) => [`str ${r}, [sp, #${4 * (6 * i + k)}]`]),
      ...(i < 5 ? ['add r0, r8'] : []),
    ]),
    `ldr r4, ${vHere}`,
    'mov r10, r4',
    ...six.flatMap((j) => [
      'mov r0, r10',
      ...inputTransform(
        (r, k) => [`ldr ${r}, [sp, #${4 * (6 * k + j)}]`],
        (r, k) => [`str ${r}, [r0]`, ...(k < 5 ? ['add r0, r9'] : [])],
      ),
      ...(j < 5 ? ['add r10, r11'] : []),
    ]),
  ];
}

function assembly({ region, C, pitch }: Shape): readonly string[] {
  const { down, across, tile } = region;
  const tiles = down * across;
  const add = (register: string, value: number): readonly string[] => [`ldr r5, =${value}`, `add ${register}, r5`];
  return [
    ...enterThumb(4),
    `sub sp, #${frameBytes}`,
    'mov r12, r0',
    `str r1, ${vTile}`,
    ...highNumber('r8', pitch * C),
    ...highNumber('r9', 6 * 4 * C * tiles),
    ...highNumber('r11', 4 * C * tiles),
    ...countFrom(rows, down),
    'b 1f',
    '.ltorg',
    '1:',
    ...countFrom(left, across),
    '2:',
    `ldr r4, ${vTile}`,
    `str r4, ${vHere}`,
    'mov r4, r12',
    ...add('r4', C),
    `str r4, ${xEnd}`,
    '3:',
    ...tileLines(C),
    `ldr r4, ${vHere}`,
    `adds r4, #${4 * tiles}`,
    `str r4, ${vHere}`,
    'movs r4, #1',
    'add r12, r4',
    `ldr r4, ${xEnd}`,
    'cmp r12, r4',
    'beq 4f',
    'bl 3b',
    '4:',
    `ldr r4, ${vTile}`,
    'adds r4, #4',
    `str r4, ${vTile}`,
    ...add('r12', (tile.m - 1) * C),
    ...countAgain(left, '2b'),
    ...add('r12', tile.m * (pitch - across) * C),
    ...countAgain(rows, '1b'),
    `add sp, #${frameBytes}`,
    ...leaveThumb(4),
  ];
}

function plainOf({ region, C, pitch }: Shape): string {
  const { tile, down, across } = region;
  const { m, n, input } = tile;
  return `  static const int8_t b[${n}][${n}] = {${input.map((r) => `{${r.join(', ')}}`).join(', ')}};
  int32_t t, c, i, j, k;
  for (t = 0; t < ${down * across}; t++) {
    for (c = 0; c < ${C}; c++) {
      const int8_t *from = x + (${m * pitch} * (t / ${across}) + ${m} * (t % ${across})) * ${C} + c;
      int32_t u[${n}][${n}];
      for (i = 0; i < ${n}; i++)
        for (j = 0; j < ${n}; j++)
          for (u[i][j] = 0, k = 0; k < ${n}; k++) u[i][j] += b[i][k] * from[(${pitch} * k + j) * ${C}];
      for (i = 0; i < ${n}; i++) {
        for (j = 0; j < ${n}; j++) {
          int32_t value = 0;
          for (k = 0; k < ${n}; k++) value += b[j][k] * u[i][k];
          v[(${C} * (${n} * i + j) + c) * ${down * across} + t] = value;
        }
      }
    }
  }
`;
}

function shapeOf({ down = 1, across = 1, C = 1, pitch = 6 }: Params): Shape {
  if (down < 1 || across < 1 || down > 8 || across > 8 || pitch < 4 * across + 2)
    refuse('winograd_words_input: tiles are more than a row');
  // Its text must have these, whenever it is made.
  for (const k of six) constantTo('r7', k * C);
  return { region: { tile: tileOf(4), down, across }, C, pitch };
}

/** v[p, c, ti, tj] = (B x B')[p] of each tile. */
export const winogradWordsInput: Recipe = {
  name: 'winograd_words_input',
  examples: [
    { down: 1, across: 4, C: 3, pitch: 20 },
    { down: 2, across: 2, C: 64, pitch: 10 },
    { down: 1, across: 1, C: 1, pitch: 7 },
  ],
  infer(nest, shape) {
    const across = nest.body[0];
    return {
      down: nest.extent,
      across: across?.kind === 'loop' ? across.extent : 1,
      C: shape('x').at(-1) ?? 1,
      pitch: shape('x').at(-2) ?? 1,
    };
  },
  make: (params): Instruction => {
    const s = shapeOf(params);
    const { region, C, pitch } = s;
    const { tile, down, across } = region;
    return {
      symbol: `mt_words_input_${down}x${across}x${C}_${pitch}`,
      features: ['thumb'],
      stackBytes: 36 + frameBytes,
      cycles: 60 + down * across * (20 + 640 * C),
      meaning: program(
        'winograd_words_input',
        [
          buffer('x', 'i8', [tile.m * down + 2, pitch, C], 'in'),
          buffer('v', 'i32', [tile.n ** 2, C, down, across], 'out'),
        ],
        wordInputNest(region, C, [num(0), num(0)]),
      ),
      operands: { x: { dtype: 'i8' }, v: { dtype: 'i32' } },
      c: (at) => `${at.function}(${at.x}, ${at.v});`,
      get function() {
        return { params: ['const int8_t *x', 'int32_t *v'], lines: assembly(s), plain: plainOf(s) };
      },
      prelude: '',
      portable: '',
    };
  },
};

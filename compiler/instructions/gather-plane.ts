/**
 * gather_plane: one channel of an image as a plane of words with its border made real: what sweeps over columns read. Thumb-1.
 * Must stay true: all of the plane is written, the border with `zero`, row by row in one pass.
 */
import { add, buffer, iter, load, loadOr, loop, num, program, refuse, store } from '../program/build.ts';
import type { Expr, Program, Stmt } from '../program/program.ts';
import type { Instruction, Params, Recipe } from './instruction.ts';
import { constantIn } from './nest.ts';

interface Plane {
  /** The image, channels between pixels. */
  readonly H: number;
  readonly W: number;
  readonly C: number;
  /** The plane, and what of it lies above and left of the image. */
  readonly rows: number;
  readonly pitch: number;
  readonly top: number;
  readonly left: number;
  /** What lies around the image; undefined: nothing does. */
  readonly zero: number | undefined;
}
/** Rows and columns of the image that lie in the plane, and the plane's border behind them. */
interface Inside {
  readonly height: number;
  readonly width: number;
  readonly right: number;
  readonly bottom: number;
}
function insideOf({ H, W, rows, pitch, top, left }: Plane): Inside {
  const [height, width] = [Math.min(H, rows - top), Math.min(W, pitch - left)];
  return { height, width, right: pitch - left - width, bottom: rows - top - height };
}

const not = (why: string): never => refuse(`gather_plane: ${why}`);

function planeOf(q: Params): Plane {
  const { H = 1, W = 1, C = 1, rows = 1, pitch = 1, top = 0, left = 0, padded = 0, zero = 0 } = q;
  const p: Plane = { H, W, C, rows, pitch, top, left, zero: padded === 1 ? zero : undefined };
  const { height, width, right, bottom } = insideOf(p);
  if (top < 0 || left < 0 || height < 1 || width < 1) not('the image does not lie in the plane');
  if (padded !== 1 && top + left + right + bottom > 0) not('the plane is larger than the image');
  return p;
}

function meaningOf({ H, W, C, rows, pitch, top, left, zero }: Plane): Program {
  const [a, b, d] = [iter('a'), iter('b'), iter('d')] as const;
  const from: readonly Expr[] = [add(a, num(-top)), add(b, num(-left)), d];
  const value = zero === undefined ? load('src', ...from) : loadOr(zero, 'src', ...from);
  const body: Stmt = loop('a', rows, loop('b', pitch, loop('d', 1, store('dst', [a, b, d], value))));
  return program(
    'gather_plane',
    [buffer('src', 'i8', [H, W, C], 'in'), buffer('dst', 'i32', [rows, pitch, 1], 'out')],
    body,
  );
}

/** Words of the frame: rows that are left, the border's value. */
const [left, border] = ['[sp]', '[sp, #4]'] as const;
/** Most groups of four in a row without a branch. */
const mostGroups = 4;

/** `count` border words at r1. */
function fillLines(count: number): readonly string[] {
  if (count === 0) return [];
  const [groups, rest] = [Math.floor(count / 4), count % 4];
  const begin = [`ldr r2, ${border}`, 'mov r3, r2', 'mov r4, r2', 'mov r5, r2'].slice(0, groups > 0 ? 4 : rest);
  const four = 'stmia r1!, {r2-r5}';
  const tail = rest === 0 ? [] : [`stmia r1!, {${['r2', 'r3', 'r4'].slice(0, rest).join(', ')}}`];
  if (groups <= mostGroups) return [...begin, ...Array.from({ length: groups }, () => four), ...tail];
  return [...begin, `ldr r7, =${16 * groups}`, 'adds r7, r1, r7', '2:', four, 'cmp r1, r7', 'bne 2b', ...tail];
}
/** `width` pixels of a row from r0, r6 bytes apart, to r1; r7 is zero: LDRSB knows no other offset than a register. */
function gatherLines(width: number): readonly string[] {
  const take = (count: number): readonly string[] => {
    const registers = ['r2', 'r3', 'r4', 'r5'].slice(0, count);
    const loads = registers.flatMap((r) => [`ldrsb ${r}, [r0, r7]`, 'adds r0, r0, r6']);
    return count === 0 ? [] : [...loads, `stmia r1!, {${registers.join(', ')}}`];
  };
  const [groups, rest] = [Math.floor(width / 4), width % 4];
  if (groups <= mostGroups) return [...Array.from({ length: groups }, () => take(4)).flat(), ...take(rest)];
  return ['mov r12, r1', 'add r12, lr', '3:', ...take(4), 'cmp r1, r12', 'bne 3b', ...take(rest)];
}

function assembly(p: Plane): readonly string[] {
  const { height, width, right, bottom } = insideOf(p);
  const skipped = (p.W - width) * p.C;
  return [
    'push {r4-r7, lr}',
    'sub sp, #8',
    `ldr r2, =${height}`,
    `str r2, ${left}`,
    `ldr r2, =${p.zero ?? 0}`,
    `str r2, ${border}`,
    `ldr r6, =${p.C}`,
    `ldr r2, =${16 * Math.floor(width / 4)}`,
    'mov lr, r2',
    ...fillLines(p.top * p.pitch),
    '1:',
    ...fillLines(p.left),
    'movs r7, #0',
    ...gatherLines(width),
    ...fillLines(right),
    ...(skipped > 0 ? [`ldr r2, =${skipped}`, 'adds r0, r0, r2'] : []),
    `ldr r2, ${left}`,
    'subs r2, #1',
    `str r2, ${left}`,
    'bne 1b',
    ...fillLines(bottom * p.pitch),
    'add sp, #8',
    'pop {r4-r7, pc}',
  ];
}

function plainOf({ H, W, C, rows, pitch, top, left: before, zero }: Plane): string {
  const from = `src[(${W} * (a - ${top}) + b - ${before}) * ${C}]`;
  const inside = `a >= ${top} && a < ${top + H} && b >= ${before} && b < ${before + W}`;
  const value = zero === undefined ? from : `${inside} ? ${from} : ${zero}`;
  return `  int32_t a, b;
  for (a = 0; a < ${rows}; a++)
    for (b = 0; b < ${pitch}; b++) *dst++ = ${value};
`;
}

/** Per pixel a load, an addition and its share of an STM; per border word little more than that share. */
function cyclesOf(p: Plane): number {
  const { height, width } = insideOf(p);
  return height * (4.5 * width + 14) + 1.5 * (p.rows * p.pitch - height * width) + 30;
}

/** dst[a, b] = src[a - top, b - left], or zero where that leaves src. */
export const gatherPlane: Recipe = {
  name: 'gather_plane',
  examples: [
    { H: 3, W: 5, C: 3, rows: 5, pitch: 7, top: 1, left: 1, padded: 1, zero: -7 },
    { H: 4, W: 22, C: 2, rows: 6, pitch: 43, top: 0, left: 2, padded: 1, zero: 300 },
    { H: 4, W: 6, C: 300, rows: 3, pitch: 5 },
  ],
  infer(nest, shape) {
    const [H = 1, W = 1, C = 1] = shape('src').slice(-3);
    const [rows = 1, pitch = 1] = shape('dst').slice(-3);
    const inner = nest.body[0]?.kind === 'loop' ? nest.body[0].body[0] : undefined;
    const [copy] = inner?.kind === 'loop' ? inner.body : [];
    if (copy?.kind !== 'store' || copy.value.kind !== 'load') return not('no copy of an image');
    const { outside, index } = copy.value;
    const [top, before] = [-constantIn(index.at(-3)), -constantIn(index.at(-2))];
    return { H, W, C, rows, pitch, top, left: before, padded: outside === undefined ? 0 : 1, zero: outside ?? 0 };
  },
  make: (params): Instruction => {
    const p = planeOf(params);
    const border = p.zero === undefined ? '' : `_z${p.zero}`.replace('-', 'm');
    return {
      symbol: `mt_gather_${p.H}x${p.W}x${p.C}_${p.rows}x${p.pitch}_${p.top}_${p.left}${border}`,
      features: ['thumb'],
      stackBytes: 28,
      cycles: cyclesOf(p),
      meaning: meaningOf(p),
      operands: { src: { dtype: 'i8' }, dst: { dtype: 'i32' } },
      c: (at) => `${at.function}(${at.src}, ${at.dst});`,
      get function() {
        return { params: ['const int8_t *src', 'int32_t *dst'], lines: assembly(p), plain: plainOf(p) };
      },
      prelude: '',
      portable: '',
    };
  },
};

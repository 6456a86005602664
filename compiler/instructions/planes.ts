/**
 * planes: channels of an NHWC image, four at a time, as planes of bytes, row beside row, with a border around. Must stay true: every
 * byte of the planes is written, what lies outside the image with its value.
 */
import { buffer, iter, load, loadOr, loop, num, program, refuse, store, sub } from '../program/build.ts';
import type { Loop, Stmt } from '../program/program.ts';
import { advance, park, unpark } from './asm-lines.ts';
import { type Code, rounds, sequence, straight } from './code.ts';
import type { Params, Recipe } from './instruction.ts';
import { constantIn, loopsOf } from './nest.ts';

interface Planes {
  readonly many: number;
  /** Rows of the planes, and of the image. */
  readonly rows: number;
  readonly height: number;
  readonly top: number;
  readonly width: number;
  readonly channels: number;
  /** Bytes of a plane's row. */
  readonly pitch: number;
  readonly left: number;
  /** What lies outside; undefined where nothing does. */
  readonly zero: number | undefined;
}

function need(holds: boolean, why: string): void {
  if (!holds) refuse(`planes: ${why}`);
}

function infer(nest: Loop, shape: (role: string) => readonly number[]): Params {
  const [, column, plane] = loopsOf(nest);
  const [copy] = plane?.body ?? [];
  if (column === undefined || plane === undefined || copy?.kind !== 'store' || copy.value.kind !== 'load')
    return refuse('planes: not a copy of rows, columns, channels');
  const [row, at] = copy.value.index;
  const [height = 1, width = 1, channels = 1] = shape('src');
  return {
    many: plane.extent,
    rows: nest.extent,
    height,
    top: -constantIn(row),
    width,
    channels,
    pitch: column.extent,
    left: -constantIn(at),
    ...(copy.value.outside !== undefined && { padded: 1, zero: copy.value.outside }),
  };
}

function planesOf(p: Params): Planes {
  const { many = 4, rows = 1, height = rows, top = 0, width = 1, channels = 4 } = p;
  const { pitch = 4, left = 0, padded = 0, zero = 0 } = p;
  need(many >= 4 && many % 4 === 0 && channels % 4 === 0 && many <= channels, 'channels by four');
  need(Math.min(rows, height, width, rows - top) >= 1, 'rows of the image');
  need(rows * many * pitch < 2 ** 18, 'an immediate number has 16 bits');
  need(pitch % 4 === 0 && pitch <= 1020, 'rows of planes are words near each other');
  need(left >= 0 && top >= 0 && zero >= -128 && zero <= 127, 'a border of a byte');
  need(padded === 1 || (top === 0 && left === 0 && rows <= height && pitch <= width), 'nothing lies outside');
  need(3 * channels <= farthest, 'four pixels are too far for an immediate offset');
  return { many, rows, height, top, width, channels, pitch, left, zero: padded === 1 ? zero : undefined };
}
const farthest = 4095;

/** Registers: pixels in, words of four planes out; outside and swap stay. */
const [from, to, outside, swap, count] = ['r0', 'r1', 'r11', 'r12', 'lr'] as const;
const pixels = ['r2', 'r3', 'r4', 'r5'] as const;
const [p0, p1, p2, p3, temp] = ['r6', 'r8', 'r7', 'r9', 'r10'] as const;
const [rowsLeft, foursLeft, fourFrom, fourTo] = ['s0', 's1', 's2', 's3'] as const;
const rowBytes = (s: Planes): number => s.many * s.pitch;

/** Four pixels of four channels become a word of each plane: halves by PKH, bytes by exchanging what SWAP masks. */
function turn(regs: readonly string[], at: number, pitch: number): readonly string[] {
  const [a, b, c, d] = regs;
  const exchange = (x: string, y: string): readonly string[] => [
    `eor ${temp}, ${x}, ${y}, lsl #8`,
    `and ${temp}, ${temp}, ${swap}`,
    `eor ${x}, ${x}, ${temp}`,
    `eor ${y}, ${y}, ${temp}, lsr #8`,
  ];
  return [
    `pkhbt ${p0}, ${a}, ${c}, lsl #16`,
    `pkhtb ${p2}, ${c}, ${a}, asr #16`,
    `pkhbt ${p1}, ${b}, ${d}, lsl #16`,
    `pkhtb ${p3}, ${d}, ${b}, asr #16`,
    ...exchange(p0, p1),
    ...exchange(p2, p3),
    ...[p0, p1, p2, p3].map((p, i) => `str ${p}, [${to}, #${at + i * pitch}]`),
  ];
}

/** Groups of four columns from `first` on; `base` is the pixel that the address of the image stands at, and moves on. */
function groups(
  s: Planes,
  first: number,
  many: number,
  base: number,
): { readonly lines: readonly string[]; readonly base: number } {
  const lines: string[] = [];
  let at = base;
  for (let g = first; g < first + many; g++) {
    const start = 4 * g - s.left;
    if ((start + 3 - at) * s.channels > farthest) {
      lines.push(...advance(from, (start - at) * s.channels));
      at = start;
    }
    const inside = (k: number): boolean => start + k >= 0 && start + k < s.width;
    const regs = pixels.map((r, k) => (inside(k) ? r : outside));
    lines.push(
      ...pixels.flatMap((r, k) => (inside(k) ? [`ldr ${r}, [${from}, #${(start + k - at) * s.channels}]`] : [])),
    );
    lines.push(...turn(regs, 4 * (g - first), s.pitch));
  }
  return { lines, base: at };
}

/** Most groups that are written out: beyond, those inside the image are a loop of this many. */
const mostUnrolled = 8;
const loopUnroll = 3;

/** One row: what it is made of, and its cycles. */
function row(s: Planes): Code {
  const total = s.pitch / 4;
  // Groups that lie wholly inside are alike; the image may end behind the planes, or begin there.
  const head = Math.min(total, Math.ceil(s.left / 4));
  const end = Math.min(total, Math.floor((s.width + s.left) / 4));
  const times = Math.floor((end - head) / loopUnroll);
  const step = (base: number): readonly string[] => advance(from, (s.width - base) * s.channels);
  if (total <= mostUnrolled || times < 2) {
    const { lines, base } = groups(s, 0, total, 0);
    return straight(...lines, ...step(base), ...advance(to, rowBytes(s)));
  }
  const tail = head + times * loopUnroll;
  const before = groups(s, 0, head, 0);
  const enter = [
    ...before.lines,
    ...advance(from, (4 * head - s.left - before.base) * s.channels),
    ...advance(to, 4 * head),
    `mov ${count}, #${times}`,
  ];
  const round = groups(s, head, loopUnroll, 4 * head - s.left);
  const again = [
    ...round.lines,
    ...advance(from, (4 * (head + loopUnroll) - s.left - round.base) * s.channels),
    ...advance(to, 4 * loopUnroll),
    `subs ${count}, #1`,
  ];
  const after = groups(s, tail, total - tail, 4 * tail - s.left);
  const leave = [...after.lines, ...step(after.base), ...advance(to, rowBytes(s) - 4 * tail)];
  return sequence(straight(...enter), rounds(times, 2, straight(...again)), straight(...leave));
}

/** Rows outside the image. */
function border(s: Planes, rows: number, label: number): Code {
  if (rows <= 0) return straight();
  const times = (rows * rowBytes(s)) / 16;
  const stores = Array.from({ length: 4 }, () => `str ${outside}, [${to}], #4`);
  return sequence(straight(`movw ${count}, #${times}`), rounds(times, label, straight(...stores, `subs ${count}, #1`)));
}

/** `times` rounds that count down in a floating-point register. */
function repeat(times: number, label: number, single: string, body: Code): Code {
  const again = straight(unpark(temp, single), `subs ${temp}, #1`, park(single, temp));
  return sequence(straight(`movw ${temp}, #${times}`, park(single, temp)), rounds(times, label, sequence(body, again)));
}

/** The rows of the image, four planes after four. */
function image(s: Planes, rows: number): Code {
  const four = repeat(rows, 1, rowsLeft, row(s));
  if (s.many === 4) return four;
  const onwards = [unpark(from, fourFrom), `adds ${from}, #4`, unpark(to, fourTo), ...advance(to, 4 * s.pitch)];
  const keep = straight(park(fourFrom, from), park(fourTo, to));
  return sequence(
    repeat(s.many / 4, 5, foursLeft, sequence(keep, four, straight(...onwards))),
    straight(...advance(to, (rows - 1) * rowBytes(s))),
  );
}

function code(s: Planes): Code {
  const byte = (s.zero ?? 0) & 255;
  const inside = Math.min(s.height, s.rows - s.top);
  return sequence(
    straight('push {r4-r11, lr}', `mov ${outside}, #${byte * 0x01010101}`, `mov ${swap}, #0xff00ff00`),
    border(s, s.top, 3),
    image(s, inside),
    border(s, s.rows - s.top - inside, 4),
    straight('pop {r4-r11, pc}'),
  );
}

function meaning(s: Planes): Stmt {
  const [a, b, c] = [iter('a'), iter('b'), iter('c')];
  const at = [sub(a, num(s.top)), sub(b, num(s.left)), c] as const;
  const value = s.zero === undefined ? load('src', ...at) : loadOr(s.zero, 'src', ...at);
  return loop('a', s.rows, loop('b', s.pitch, loop('c', s.many, store('dst', [a, c, b], value))));
}

const plain = (s: Planes): string => `  int32_t a, b, c;
  for (a = 0; a < ${s.rows}; a++) {
    for (b = 0; b < ${s.pitch}; b++) {
      for (c = 0; c < ${s.many}; c++)
        dst[${rowBytes(s)} * a + ${s.pitch} * c + b] = (uint32_t)(a - ${s.top}) < ${s.height}u && (uint32_t)(b - ${s.left}) < ${s.width}u
          ? src[${s.channels} * (${s.width} * (a - ${s.top}) + b - ${s.left}) + c] : ${s.zero ?? 0};
    }
  }
`;

/** dst[a, c, b] = src[a - top, b - left, c]. */
export const planes: Recipe = {
  name: 'planes',
  examples: [
    { rows: 3, width: 5, channels: 8, pitch: 8, left: 1, padded: 1, zero: -7 },
    { rows: 2, width: 48, channels: 4, pitch: 52, left: 1, padded: 1, zero: -128 },
    { rows: 1, width: 1, channels: 4, pitch: 4, left: 2, padded: 1, zero: 5 },
    { rows: 2, width: 9, channels: 4, pitch: 8 },
    { many: 12, rows: 6, height: 3, top: 2, width: 3, channels: 16, pitch: 8, left: 2, padded: 1, zero: -7 },
    { many: 8, rows: 2, height: 3, width: 30, channels: 8, pitch: 36, left: 1, padded: 1, zero: 77 },
    { rows: 6, height: 3, top: 2, width: 3, channels: 4, pitch: 8, left: 2, padded: 1, zero: -7 },
    { rows: 3, height: 5, top: 1, width: 7, channels: 4, pitch: 8, padded: 1, zero: 9 },
    { rows: 1, width: 9, channels: 1024, pitch: 12, left: 3, padded: 1, zero: 127 },
    { rows: 2, width: 36, channels: 128, pitch: 44, left: 5, padded: 1, zero: 0 },
    { rows: 2, width: 96, channels: 4, pitch: 52, left: 1, padded: 1, zero: -128 },
    { rows: 2, width: 48, channels: 4, pitch: 52, left: 300, padded: 1, zero: 3 },
  ],
  infer,
  make(params) {
    const s = planesOf(params);
    const edge = s.zero === undefined ? '' : `_t${s.top}l${s.left}z${s.zero}`.replace('-', 'm');
    return {
      symbol: `mt_planes_${s.many}x${s.rows}of${s.height}x${s.width}x${s.channels}_p${s.pitch}${edge}`,
      features: ['dsp', 'fpu'],
      stackBytes: 36,
      get cycles() {
        return code(s).cycles;
      },
      meaning: program(
        'planes',
        [
          buffer('src', 'i8', [s.height, s.width, s.channels], 'in'),
          buffer('dst', 'i8', [s.rows, s.many, s.pitch], 'out'),
        ],
        meaning(s),
      ),
      operands: { src: { dtype: 'i8', align: 4 }, dst: { dtype: 'i8', align: 4 } },
      c: (at) => `${at.function}(${at.src}, ${at.dst});`,
      get function() {
        return { params: ['const int8_t *src', 'int8_t *dst'], lines: code(s).lines, plain: plain(s) };
      },
      prelude: '',
      portable: '',
    };
  },
};

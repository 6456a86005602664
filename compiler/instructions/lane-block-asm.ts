/**
 * The assembly of lane_block, in Thumb-1: any Cortex-M runs it. Registers: lane-taps.ts. Lanes are taken apart in r2-r4, with r5-r7 for
 * what becomes of each sum. Weights on the stack are read from slow memory once for many pixels.
 */
import { enterThumb, leaveThumb } from './asm-lines.ts';
import { accumulators, advance, Frame, type LaneBlock, stretchesOf, Taps, tapsOf } from './lane-taps.ts';
import { chunksOf, groupWords } from './packings/sum-lanes.ts';
import { partsCycles, partsLines, rowWords } from './requantize-parts.ts';
import { unpackLines } from './sum-lanes.ts';

/** What becomes of each sum of a chunk, in a register. */
type Each = (register: string, sum: number) => readonly string[];
const apart = (b: LaneBlock, each: Each): readonly string[] =>
  unpackLines(b.lanes, { words: accumulators, work: 'r2', known: ['r3', 'r4'], temp: 'r5' }, each);
/** A sum becomes a byte of the pixel at r0; the table is at r1. */
const byteLines = (b: LaneBlock, register: string, sum: number): readonly string[] => [
  ...partsLines(b.form, register, 'r1', ['r5', 'r6', 'r7']),
  `strb ${register}, [r0, #${sum}]`,
];

/** A stretch of the body, and where in the weights its loops end. */
interface Part {
  readonly lines: readonly string[];
  readonly ends: readonly number[];
}

/** All chunks of a pixel one after another: sums of the chunks before wait in the frame. */
function pixelLines(b: LaneBlock, frame: Frame): Part {
  const taps = new Taps(b, frame);
  const chunks = stretchesOf(b);
  for (const [n, stretches] of chunks.entries()) {
    taps.begin();
    for (const s of stretches) taps.stretch(s);
    const kept = (o: number): string => frame.slot(`part${o}`);
    const whole: Each = (r, o) => (n === 0 ? [] : [`ldr r7, ${kept(o)}`, `adds ${r}, ${r}, r7`]);
    if (n < chunks.length - 1) {
      taps.lines.push(...apart(b, (r, o) => [...whole(r, o), `str ${r}, ${kept(o)}`]));
      continue;
    }
    taps.lines.push(`ldr r0, ${frame.slot('y')}`);
    // Copied weights have the table right behind them.
    if (b.copied === 'nothing') taps.lines.push(`ldr r1, ${frame.slot('table')}`);
    taps.lines.push(...apart(b, (r, o) => [...whole(r, o), ...byteLines(b, r, o)]));
    taps.lines.push(...advance(frame, 'r0', b.channels, 'r2'), `str r0, ${frame.slot('y')}`);
  }
  return taps;
}

/** One chunk of a pixel: its sums are added to those that wait in memory, the last ones become bytes. */
function chunkLines(b: LaneBlock, frame: Frame, n: number): Part {
  const taps = new Taps(b, frame);
  const chunks = stretchesOf(b);
  const [sums, y] = [frame.slot('sums'), frame.slot('y')];
  const next = 4 * b.lanes.sums;
  taps.begin();
  for (const s of chunks[n] ?? []) taps.stretch(s);
  if (n < chunks.length - 1) {
    const add: Each = (r, o) => (n === 0 ? [] : [`ldr r7, [r0, #${4 * o}]`, `adds ${r}, ${r}, r7`]);
    taps.lines.push(`ldr r0, ${sums}`, ...apart(b, (r, o) => [...add(r, o), `str ${r}, [r0, #${4 * o}]`]));
    taps.lines.push(`adds r0, #${next}`, `str r0, ${sums}`);
    return taps;
  }
  const add: Each = (r, o) => (n === 0 ? [] : [`ldr r7, ${sums}`, `ldr r7, [r7, #${4 * o}]`, `adds ${r}, ${r}, r7`]);
  taps.lines.push(`ldr r0, ${y}`, ...apart(b, (r, o) => [...add(r, o), ...byteLines(b, r, o)]));
  taps.lines.push(...advance(frame, 'r0', b.channels, 'r2'), `str r0, ${y}`);
  taps.lines.push(`ldr r0, ${sums}`, `adds r0, #${next}`, `str r0, ${sums}`);
  return taps;
}

/** `one` for every pixel, from r0 = its window and r1 = what `weights` puts there. */
function overPixels(b: LaneBlock, frame: Frame, weights: string, one: readonly string[]): readonly string[] {
  const [x, xEnd, row, left] = [frame.slot('x'), frame.slot('xEnd'), frame.slot('row'), frame.slot('left')];
  const nextRow = [
    `ldr r0, ${row}`,
    ...advance(frame, 'r0', b.rowStep, 'r3'),
    `str r0, ${row}`,
    `str r0, ${x}`,
    ...advance(frame, 'r2', b.rowStep, 'r3'),
    `str r2, ${xEnd}`,
    `ldr r3, ${left}`,
    'subs r3, #1',
    `str r3, ${left}`,
    'beq 6f',
    'bl 3b',
    '6:',
  ];
  return [
    `ldr r0, ${frame.slot('from')}`,
    `str r0, ${x}`,
    `str r0, ${row}`,
    `ldr r7, ${frame.number(b.pixels * b.pixelStep)}`,
    'adds r7, r0, r7',
    `str r7, ${xEnd}`,
    ...(b.rows > 1 ? [`ldr r7, ${frame.number(b.rows)}`, `str r7, ${left}`] : []),
    '3:',
    `ldr r0, ${x}`,
    weights,
    ...one,
    `ldr r0, ${x}`,
    ...advance(frame, 'r0', b.pixelStep, 'r2'),
    `str r0, ${x}`,
    `ldr r2, ${xEnd}`,
    'cmp r0, r2',
    'beq 5f',
    'bl 3b',
    '5:',
    ...(b.rows > 1 ? nextRow : []),
  ];
}

/** Copies from r4 on to r5 on, `count` words at a time, until r5 is r7. */
const copyLoop = (count: number): readonly string[] => {
  const registers = ['r0', 'r1', 'r2', 'r3', 'r6'].slice(0, count).join(', ');
  return ['2:', `ldmia r4!, {${registers}}`, `stmia r5!, {${registers}}`, 'cmp r5, r7', 'bne 2b'];
};
/** `words` of weights to `copy`, and the table behind the last of them. */
function copies(b: LaneBlock, frame: Frame, words: number, tail: 'table' | 'nothing'): readonly string[] {
  const row = rowWords(b.form);
  const table = [
    `ldr r4, ${frame.slot('table')}`,
    'mov r7, r5',
    `adds r7, #${4 * row * b.lanes.sums}`,
    ...copyLoop(row > 5 ? row / 2 : row),
  ];
  return [
    `ldr r4, ${frame.slot('w')}`,
    `ldr r5, ${frame.slot('copy')}`,
    `ldr r7, ${frame.number(4 * words)}`,
    'adds r7, r5, r7',
    ...copyLoop(b.lanes.words),
    `str r4, ${frame.slot('w')}`,
    ...(tail === 'table' ? table : []),
  ];
}

/** What follows the prologue, and bytes of the frame behind its words: copied weights and table, then sums that wait. */
interface Body extends Part {
  readonly copyBytes: number;
  readonly sumBytes: number;
}
function bodyOf(b: LaneBlock, frame: Frame): Body {
  const table = 4 * b.lanes.sums * rowWords(b.form);
  const copy = `ldr r1, ${frame.slot('copy')}`;
  switch (b.copied) {
    case 'nothing': {
      const { lines, ends } = pixelLines(b, frame);
      return { lines: overPixels(b, frame, `ldr r1, ${frame.slot('w')}`, lines), ends, copyBytes: 0, sumBytes: 0 };
    }
    case 'all': {
      const { lines, ends } = pixelLines(b, frame);
      const words = groupWords(b.lanes, tapsOf(b), b.chunk);
      const body = [...copies(b, frame, words, 'table'), ...overPixels(b, frame, copy, lines)];
      return { lines: body, ends, copyBytes: 4 * words + table, sumBytes: 0 };
    }
    case 'chunk': {
      const chunks = chunksOf(tapsOf(b), b.chunk);
      const words = chunks.map(({ length }) => b.lanes.words * (1 + length));
      const parts = chunks.map((_, n) => chunkLines(b, frame, n));
      const lines = parts.flatMap((part, n) => [
        ...copies(b, frame, words[n] ?? 0, n === chunks.length - 1 ? 'table' : 'nothing'),
        `ldr r0, ${frame.slot('sums0')}`,
        `str r0, ${frame.slot('sums')}`,
        ...overPixels(b, frame, copy, part.lines),
      ]);
      const sumBytes = 4 * b.lanes.sums * b.rows * b.pixels;
      return { lines, ends: parts.flatMap((p) => p.ends), copyBytes: 4 * Math.max(...words) + table, sumBytes };
    }
  }
}

/** The function, what it uses of the stack, and its cycles on a Cortex-M0+ whose memory never waits. */
export function laneBlockAsm(b: LaneBlock): {
  readonly lines: readonly string[];
  readonly stackBytes: number;
  readonly cycles: number;
} {
  const frame = new Frame();
  const { lines, ends, copyBytes, sumBytes } = bodyOf(b, frame);
  const slots = ['from', 'w', 'table', 'y', 'copy', 'sums0'].map((n) => frame.slot(n));
  const [from, w, table, y, copy, sums] = slots as [string, string, string, string, string, string];
  const base = frame.bytes;
  const size = Math.ceil((base + copyBytes + sumBytes) / 8) * 8;
  const address = (slot: string, offset: number): readonly string[] => [
    `ldr r7, =${offset}`,
    'add r7, sp',
    `str r7, ${slot}`,
  ];
  const begin = [
    ...enterThumb(4),
    `ldr r7, =${-size}`,
    'add sp, r7',
    `str r0, ${from}`,
    `str r1, ${w}`,
    `str r2, ${table}`,
    `str r3, ${y}`,
    ...address(sums, base + copyBytes),
    ...address(copy, base),
    // Loops end where their weights do.
    ...(b.copied === 'nothing' ? ['mov r3, r1'] : ['mov r3, r7']),
    ...[...new Set(ends)].flatMap((n) => [`ldr r7, =${n}`, 'adds r7, r3, r7', `str r7, ${frame.slot(`end${n}`)}`]),
    ...[...frame.numbers].flatMap(([name, value]) => [`ldr r7, =${value}`, `str r7, ${frame.slot(name)}`]),
    'b 1f',
    '.ltorg',
    '1:',
  ];
  return { lines: [...begin, ...lines, ...end(size)], stackBytes: size + 36, cycles: cyclesOf(b, copyBytes) };
}

const end = (size: number): readonly string[] => [`ldr r7, =${size}`, 'add sp, r7', ...leaveThumb(4)];

/** Taps, the words that chunks start from, taking apart, requantising, the loop over pixels; copying once. */
function cyclesOf(b: LaneBlock, copyBytes: number): number {
  const { sums, words, unpack } = b.lanes;
  const chunks = Math.ceil(tapsOf(b) / b.chunk);
  const taking = 2 * unpack.length + 5 * sums;
  const loops = b.copied === 'chunk' ? chunks : 1;
  const each =
    tapsOf(b) * (3 + 3 * words) + chunks * (1 + 2 * words + taking) + sums * partsCycles(b.form) + 20 * loops;
  return b.rows * b.pixels * each + (3 * copyBytes * loops) / 4 + 90;
}

/**
 * The assembly of lane_block, in Thumb-1: any Cortex-M runs it. One pixel at a time: a byte of x and the words of its tap are
 * loaded, and each word times the byte is added to its accumulator; a product overwrites its word, so nothing is moved.
 *   r0 x, r1 weights, r2-r6 words of a tap, r7 the byte, r8-r12 accumulators; lr is free for far branches.
 * Lanes are taken apart in r2-r4 with r5-r7 for what becomes of each sum. All else waits in the frame, which `sp` points to.
 */

import { chunksOf, groupWords } from './packings/sum-lanes.ts';
import { type PartsForm, partsCycles, partsLines, rowWords } from './requantize-parts.ts';
import { type Lanes, unpackLines } from './sum-lanes.ts';

/** Distances are in bytes of x. */
export interface LaneBlock {
  readonly lanes: Lanes;
  /** Rows of pixels, and pixels in each. */
  readonly rows: number;
  readonly pixels: number;
  readonly rowStep: number;
  readonly pixelStep: number;
  /** Where the window's runs of neighbours begin, in the order of the weights. */
  readonly runs: readonly number[];
  /** Bytes of each run. */
  readonly run: number;
  /** Taps that are summed before lanes are taken apart. */
  readonly chunk: number;
  /** Most taps in a row without a branch. */
  readonly unroll: number;
  /** Are weights and table copied to the stack first? */
  readonly copied: boolean;
  /** Channels of y: the distance between its pixels. */
  readonly channels: number;
  readonly form: PartsForm;
}
/** A stretch of taps that lie side by side, within a chunk and a run. */
export interface Stretch {
  /** Byte of the window where it begins. */
  readonly at: number;
  readonly length: number;
}

export const tapsOf = (b: Pick<LaneBlock, 'runs' | 'run'>): number => b.runs.length * b.run;
/** The stretches of each chunk. */
export const stretchesOf = (b: LaneBlock): readonly (readonly Stretch[])[] =>
  chunksOf(tapsOf(b), b.chunk).map(({ from, length }) =>
    b.runs.flatMap((at, i) => {
      const [first, last] = [Math.max(from, i * b.run), Math.min(from + length, (i + 1) * b.run)];
      return first < last ? [{ at: at + first - i * b.run, length: last - first }] : [];
    }),
  );

const low = ['r2', 'r3', 'r4', 'r5', 'r6'] as const;
const accumulators = ['r8', 'r9', 'r10', 'r11', 'r12'] as const;

/** Words of the stack frame by name, given out as they are asked for. */
class Frame {
  private readonly names: string[] = [];
  /** Values that the prologue puts into words: numbers too large for an instruction. */
  readonly numbers = new Map<string, number>();

  slot(name: string): string {
    if (!this.names.includes(name)) this.names.push(name);
    return `[sp, #${4 * this.names.indexOf(name)}]`;
  }
  number(value: number): string {
    this.numbers.set(`#${value}`, value);
    return this.slot(`#${value}`);
  }
  get bytes(): number {
    return 4 * this.names.length;
  }
}

/** register += bytes. A number that three additions do not make waits in the frame. */
function advance(frame: Frame, register: string, bytes: number, temp: string): readonly string[] {
  if (bytes > 765 || bytes < 0)
    return [`ldr ${temp}, ${frame.number(bytes)}`, `adds ${register}, ${register}, ${temp}`];
  const out: string[] = [];
  for (let left = bytes; left > 0; left -= 255) out.push(`adds ${register}, #${Math.min(left, 255)}`);
  return out;
}

/** One tap, `offset` bytes behind r0. */
const tap = (words: number, offset: number): readonly string[] => [
  `ldrb r7, [r0, #${offset}]`,
  `ldmia r1!, {${low.slice(0, words).join(', ')}}`,
  ...low.slice(0, words).flatMap((r, i) => [`muls ${r}, r7, ${r}`, `add ${accumulators[i]}, ${r}`]),
];
/** Largest offset of LDRB. */
const reach = 31;

/** Taps of a window in order. r0 moves on only when a tap is out of reach. */
class Taps {
  readonly lines: string[] = [];
  private readonly frame: Frame;
  private readonly b: LaneBlock;
  /** Byte of the window that r0 points to. */
  private here = 0;
  /** Taps so far, for the ends of loops. */
  private done = 0;
  private starts = 0;
  /** Where in the weights each loop ends, in words. */
  readonly ends: number[] = [];

  constructor(b: LaneBlock, frame: Frame) {
    this.b = b;
    this.frame = frame;
  }

  begin(): void {
    const words = low.slice(0, this.b.lanes.words);
    this.starts++;
    this.lines.push(`ldmia r1!, {${words.join(', ')}}`, ...words.map((r, i) => `mov ${accumulators[i]}, ${r}`));
  }

  stretch({ at, length }: Stretch): void {
    const { unroll } = this.b;
    const rounds = length > unroll ? Math.floor(length / unroll) : 0;
    if (rounds > 1) this.loop(at, rounds);
    else this.straight(at, rounds * unroll);
    this.straight(at + rounds * unroll, length - rounds * unroll);
  }

  private move(to: number): void {
    this.lines.push(...advance(this.frame, 'r0', to - this.here, 'r7'));
    this.here = to;
  }

  private straight(from: number, count: number): void {
    for (let at = from; at < from + count; at++) {
      if (at < this.here || at - this.here > reach) this.move(at);
      this.lines.push(...tap(this.b.lanes.words, at - this.here));
    }
    this.done += count;
  }

  /** A branch further back than a conditional one reaches; ends where the weights do. */
  private loop(from: number, rounds: number): void {
    const { unroll, lanes } = this.b;
    this.move(from);
    this.lines.push('2:');
    this.straight(from, unroll);
    this.move(from + unroll);
    this.done += unroll * (rounds - 1);
    this.here = from + unroll * rounds;
    const end = 4 * lanes.words * (this.done + this.starts);
    this.ends.push(end);
    this.lines.push(`ldr r7, ${this.frame.slot(`end${end}`)}`, 'cmp r1, r7', 'beq 4f', 'bl 2b', '4:');
  }
}

/** The sums of a chunk: kept for the next one, or made the bytes of a pixel at r0. */
function drain(b: LaneBlock, frame: Frame, chunk: number, last: boolean): readonly string[] {
  const kept = (o: number): string => frame.slot(`part${o}`);
  const before = (register: string, o: number): readonly string[] =>
    chunk === 0 ? [] : [`ldr r7, ${kept(o)}`, `adds ${register}, ${register}, r7`];
  const registers = { words: accumulators, work: 'r2', known: ['r3', 'r4'], temp: 'r5' } as const;
  return unpackLines(b.lanes, registers, (register, o) => [
    ...before(register, o),
    ...(last
      ? [...partsLines(b.form, register, 'r1', ['r5', 'r6', 'r7']), `strb ${register}, [r0, #${o}]`]
      : [`str ${register}, ${kept(o)}`]),
  ]);
}

/** Everything of a pixel, from r0 = its window and r1 = the weights. */
function pixel(b: LaneBlock, frame: Frame): { readonly lines: readonly string[]; readonly ends: readonly number[] } {
  const taps = new Taps(b, frame);
  const chunks = stretchesOf(b);
  for (const [n, stretches] of chunks.entries()) {
    taps.begin();
    for (const s of stretches) taps.stretch(s);
    const last = n === chunks.length - 1;
    // Copied weights have the table right behind them.
    if (last) taps.lines.push(`ldr r0, ${frame.slot('y')}`, ...(b.copied ? [] : [`ldr r1, ${frame.slot('table')}`]));
    taps.lines.push(...drain(b, frame, n, last));
  }
  return taps;
}

/** The function, what it uses of the stack, and its cycles on a Cortex-M0+ whose memory never waits. */
export function laneBlockAsm(b: LaneBlock): {
  readonly lines: readonly string[];
  readonly stackBytes: number;
  readonly cycles: number;
} {
  const frame = new Frame();
  const [x, y, xEnd] = [frame.slot('x'), frame.slot('y'), frame.slot('xEnd')];
  const [w, table, row, left] = ['w', 'table', 'row', 'left'].map((n) => frame.slot(n)) as [
    string,
    string,
    string,
    string,
  ];
  const own = pixel(b, frame);
  const several = b.rows > 1;
  const nextPixel = [
    ...advance(frame, 'r0', b.channels, 'r2'),
    `str r0, ${y}`,
    `ldr r0, ${x}`,
    ...advance(frame, 'r0', b.pixelStep, 'r2'),
    `str r0, ${x}`,
    `ldr r2, ${xEnd}`,
    'cmp r0, r2',
    'beq 5f',
    'bl 3b',
    '5:',
  ];
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
  const body = ['3:', `ldr r0, ${x}`, `ldr r1, ${w}`, ...own.lines, ...nextPixel, ...(several ? nextRow : [])];
  const copyBytes = b.copied ? 4 * (groupWords(b.lanes, tapsOf(b), b.chunk) + b.lanes.sums * rowWords(b.form)) : 0;
  const base = frame.bytes;
  const size = Math.ceil((base + copyBytes) / 8) * 8;
  const begin = [
    'push {r4-r7, lr}',
    'mov r4, r8',
    'mov r5, r9',
    'mov r6, r10',
    'mov r7, r11',
    'push {r4-r7}',
    `ldr r7, =${-size}`,
    'add sp, r7',
    `str r0, ${x}`,
    `str r0, ${row}`,
    `str r3, ${y}`,
    `ldr r7, =${b.pixels * b.pixelStep}`,
    'adds r7, r0, r7',
    `str r7, ${xEnd}`,
    ...(several ? [`ldr r7, =${b.rows}`, `str r7, ${left}`] : []),
    ...(b.copied ? copies(b, base) : []),
    `str r1, ${w}`,
    `str r2, ${table}`,
    ...own.ends.flatMap((end) => [`ldr r7, =${end}`, 'adds r7, r1, r7', `str r7, ${frame.slot(`end${end}`)}`]),
    ...[...frame.numbers].flatMap(([name, value]) => [`ldr r7, =${value}`, `str r7, ${frame.slot(name)}`]),
    'b 1f',
    '.ltorg',
    '1:',
  ];
  return { lines: [...begin, ...body, ...end(size)], stackBytes: size + 36, cycles: cyclesOf(b, copyBytes) };
}

/** Weights and table go to the stack, one behind the other: read once from where they lie, then from RAM for every pixel. */
function copies(b: LaneBlock, base: number): readonly string[] {
  const copy = (count: number): readonly string[] => {
    const registers = ['r0', 'r1', 'r2', 'r3', 'r6'].slice(0, count).join(', ');
    return ['2:', `ldmia r4!, {${registers}}`, `stmia r5!, {${registers}}`, 'cmp r5, r7', 'bne 2b'];
  };
  const row = rowWords(b.form);
  return [
    'mov r8, r2',
    'mov r4, r1',
    `add r5, sp, #${base}`,
    `ldr r7, =${4 * groupWords(b.lanes, tapsOf(b), b.chunk)}`,
    'adds r7, r5, r7',
    ...copy(b.lanes.words),
    'mov r4, r8',
    'mov r7, r5',
    `adds r7, #${4 * row * b.lanes.sums}`,
    ...copy(row > 5 ? row / 2 : row),
    `add r1, sp, #${base}`,
  ];
}

const end = (size: number): readonly string[] => [
  `ldr r7, =${size}`,
  'add sp, r7',
  'pop {r4-r7}',
  'mov r8, r4',
  'mov r9, r5',
  'mov r10, r6',
  'mov r11, r7',
  'pop {r4-r7, pc}',
];

/** Taps, the words that chunks start from, taking apart, requantising, the loop over pixels; copying once. */
function cyclesOf(b: LaneBlock, copyBytes: number): number {
  const { sums, words, unpack } = b.lanes;
  const chunks = Math.ceil(tapsOf(b) / b.chunk);
  const apart = 2 * unpack.length + 2 * sums;
  const each =
    tapsOf(b) * (3 + 3 * words) + chunks * (1 + 2 * words + apart + 3 * sums) + sums * partsCycles(b.form) + 20;
  return b.rows * b.pixels * each + (3 * copyBytes) / 4 + 60;
}

/**
 * The taps of lane_block in Thumb-1, and the frame in which all else waits. One pixel at a time: a byte of x and the words of its tap
 * are loaded, and each word times the byte is added to its accumulator; a product overwrites its word, so nothing is moved.
 *   r0 x, r1 weights, r2-r6 words of a tap, r7 the byte, r8-r12 accumulators; lr is free for far branches.
 */
import { chunksOf } from './packings/sum-lanes.ts';
import type { PartsForm } from './requantize-parts.ts';
import type { Lanes } from './sum-lanes.ts';

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
  /**
   * What lies on the stack while pixels are computed: nothing, the weights of all taps, or those of a chunk, which then goes over all
   * pixels before the next one; their sums wait on the stack as well.
   */
  readonly copied: 'nothing' | 'all' | 'chunk';
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

export const low = ['r2', 'r3', 'r4', 'r5', 'r6'] as const;
export const accumulators = ['r8', 'r9', 'r10', 'r11', 'r12'] as const;

/** Words of the stack frame by name, given out as they are asked for. */
export class Frame {
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
export function advance(frame: Frame, register: string, bytes: number, temp: string): readonly string[] {
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
export class Taps {
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

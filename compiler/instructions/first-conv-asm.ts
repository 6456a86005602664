/**
 * The assembly of first_conv: for each pair of channels, over all pixels, up to four at a time.
 *
 * Registers: r0 walks over x, r1-r4 hold a word of each pixel, r5 a word of weights, r6-r9 sum even + 256*odd channel, r10-r12 and
 * lr the even channel alone. SP walks over the weights, because no register is left: a pair's are copied into the frame, and
 * where a window is summed in passes SP steps down through a gap, so that live data always lie above it. In a single pass
 * the first 16 words of weights wait in s16-s31 instead: x and the stack may lie in memories that do not pipeline with one
 * another. Counters and pointers wait in s0-s14.
 * Frame, from SP up: the gap; the pair's constants, even channel first, then its biases; the weights, last pass first.
 */
import { advance, each, moveWords, park, unpark } from './asm-lines.ts';
import { constantRegisters, prepareLines, type Requantize, requantizeLines, takesScaled } from './requantize-lines.ts';
import { straightCycles } from './static-cycles.ts';

/** Bytes from a phase's first pixel, from one pixel of a block to the next, from block to block, from row of blocks to row. */
export interface Way {
  readonly start: number;
  readonly lane: number;
  readonly inner: number;
  readonly outer: number;
}
/** Blocks of `lanes` pixels, `inner` of them `outer` times. */
export interface Sweep {
  readonly lanes: number;
  readonly inner: number;
  readonly outer: number;
  readonly x: Way;
  readonly y: Way;
}
export interface FirstConv {
  readonly N: number;
  /** Rows of a window, words in each, bytes from one to the next, rows in a pass. */
  readonly KH: number;
  readonly words: number;
  readonly pitch: number;
  readonly pass: number;
  /** Bytes of y from one channel to the next. */
  readonly yChannel: number;
  /** Sweeps of each phase: pixels that begin at a word, then those that begin in the middle of one. */
  readonly phases: readonly (readonly Sweep[])[];
  /** Bytes from one phase to the next. */
  readonly xPhase: number;
  readonly yPhase: number;
  readonly q: Requantize;
  /** Constants of the requantise, a pointer each behind the four arguments in registers. */
  readonly constants: number;
}

const pixels = ['r1', 'r2', 'r3', 'r4'] as const;
const weight = 'r5';
const mixed = ['r6', 'r7', 'r8', 'r9'] as const;
const even = ['r10', 'r11', 'r12', 'lr'] as const;
export const mostLanes = pixels.length;

const parked = {
  passes: 's0',
  yBlock: 's1',
  inner: 's2',
  outer: 's3',
  x: 's4',
  y: 's5',
  weights: 's6',
  channel: 's7',
  constants: ['s8', 's9', 's10'],
  bias: 's11',
  xPhase: 's12',
  yPhase: 's13',
  phases: 's14',
} as const;

const saved = 36;

const passesOf = ({ KH, pass }: FirstConv): number => KH / pass;
const passBytes = ({ words, pass }: FirstConv): number => 4 * words * pass;
const gap = (f: FirstConv): number => (passesOf(f) - 1) * passBytes(f);
const constantBytes = ({ constants }: FirstConv): number => 4 * (2 * constants + 2);
const weightWords = ({ KH, words }: FirstConv): number => KH * words;
/** Words of weights in s16-s31, which the caller finds as they were. */
const held = (f: FirstConv): number => (passesOf(f) > 1 ? 0 : Math.min(16, weightWords(f)));
const savedSingles = (f: FirstConv): number => (held(f) > 0 ? 64 : 0);
const frameBytes = (f: FirstConv): number => (gap(f) + constantBytes(f) + 4 * (weightWords(f) - held(f)) + 7) & ~7;
/** Stack of a call. */
export const stackOf = (f: FirstConv): number => saved + 4 + savedSingles(f) + frameBytes(f);

/** Largest offset of a load or store: what must fit its 12 bits. */
export function reachOf(f: FirstConv): number {
  const sweeps = f.phases
    .flat()
    .map((s) => (s.lanes - 1) * Math.max(s.x.lane, s.y.lane) + Math.max(4 * f.words, f.yChannel));
  return Math.max(gap(f) + constantBytes(f) + passBytes(f), ...sweeps);
}

export function firstConvLines(f: FirstConv): readonly string[] {
  return [
    'push {r4-r11, lr}',
    'sub sp, #4',
    ...(held(f) > 0 ? ['vpush {s16-s31}'] : []),
    park(parked.x, 'r0'),
    park(parked.y, 'r1'),
    park(parked.weights, 'r2'),
    park(parked.bias, 'r3'),
    ...each(f.constants, (i) => [
      `ldr r4, [sp, #${saved + 4 + savedSingles(f) + 4 * i}]`,
      park(parked.constants[i] as string, 'r4'),
    ]).flat(),
    ...advance('sp', -frameBytes(f)),
    'mov r5, #0',
    '1:',
    park(parked.channel, 'r5'),
    ...pairConstants(f),
    `vmov.f32 ${parked.xPhase}, ${parked.x}`,
    unpark('r4', parked.y),
    ...(f.yChannel === 1 ? ['add r4, r4, r5'] : [`movw r6, #${f.yChannel}`, 'mla r4, r5, r6, r4']),
    park(parked.yPhase, 'r4'),
    ...phaseRuns(f).flatMap(({ times, sweeps }) => phaseLines(f, sweeps, times)),
    ...nextPair(f),
    ...advance('sp', frameBytes(f)),
    ...(held(f) > 0 ? ['vpop {s16-s31}'] : []),
    'add sp, #4',
    'pop {r4-r11, pc}',
  ];
}

/** Phases one behind another with the same sweeps share their text. */
function phaseRuns({ phases }: FirstConv): readonly { readonly sweeps: readonly Sweep[]; readonly times: number }[] {
  const [first = [], second] = phases;
  if (second === undefined) return [{ sweeps: first, times: 1 }];
  if (JSON.stringify(first) === JSON.stringify(second)) return [{ sweeps: first, times: 2 }];
  return [
    { sweeps: first, times: 1 },
    { sweeps: second, times: 1 },
  ];
}

/** r5 is the pair's first channel. The mixed sums begin at even + 256 * odd. */
function pairConstants(f: FirstConv): readonly string[] {
  const at = gap(f);
  const pair = (single: string, low: string, high: string): readonly string[] => [
    unpark('r4', single),
    'add r4, r4, r5, lsl #2',
    `ldrd ${low}, ${high}, [r4]`,
  ];
  const constants = each(f.constants, (i) => [
    ...pair(parked.constants[i] as string, 'r6', 'r7'),
    `str r6, [sp, #${at + 4 * i}]`,
    `str r7, [sp, #${at + 4 * (f.constants + i)}]`,
  ]).flat();
  const bias = at + 8 * f.constants;
  return [...constants, ...pair(parked.bias, 'r6', 'r7'), 'add r7, r6, r7, lsl #8', `strd r6, r7, [sp, #${bias}]`];
}

/** The next channels; an odd N does the last but one again. */
function nextPair({ N }: FirstConv): readonly string[] {
  const back = [`movw r4, #${N - 1}`, 'cmp r5, r4', 'it eq', 'subeq r5, #1'];
  return [
    unpark('r5', parked.channel),
    'adds r5, #2',
    ...(N % 2 === 1 ? back : []),
    `movw r4, #${N}`,
    'cmp r5, r4',
    'bne 1b',
  ];
}

function phaseLines(f: FirstConv, sweeps: readonly Sweep[], times: number): readonly string[] {
  const move = (single: string, bytes: number): readonly string[] => [
    unpark('r5', single),
    ...advance('r5', bytes),
    park(single, 'r5'),
  ];
  return [
    ...(times > 1 ? [`mov r5, #${times}`, '6:', park(parked.phases, 'r5')] : []),
    ...copyWeights(f),
    ...sweeps.flatMap((s) => sweepLines(f, s)),
    ...(f.phases.length > 1 ? [...move(parked.xPhase, f.xPhase), ...move(parked.yPhase, f.yPhase)] : []),
    ...(times > 1 ? [unpark('r5', parked.phases), 'subs r5, #1', 'bne 6b'] : []),
  ];
}

/** What is not held goes into the frame, eight words at a time, then the rest. r2 reads. */
function copyWeights(f: FirstConv): readonly string[] {
  const registers = ['r4', 'r5', 'r6', 'r7', 'r8', 'r9', 'r10', 'r11'];
  const words = weightWords(f) - held(f);
  const [whole, rest] = [words >> 3, words & 7];
  const move = (n: number): readonly string[] => moveWords('r2', 'r12', registers.slice(0, n));
  return [
    unpark('r2', parked.weights),
    ...(held(f) > 0 ? [`vldmia r2!, {${each(held(f), (i) => `s${16 + i}`).join(', ')}}`] : []),
    ...(words > 0 ? ['mov r12, sp', ...advance('r12', gap(f) + constantBytes(f))] : []),
    ...(whole > 1 ? [`movw lr, #${whole}`, '5:', ...move(8), 'subs lr, #1', 'bne 5b'] : []),
    ...(whole === 1 ? move(8) : []),
    ...(rest > 0 ? move(rest) : []),
    park(parked.weights, 'r2'),
  ];
}

function sweepLines(f: FirstConv, s: Sweep): readonly string[] {
  const { inner, outer } = s;
  const nextRow = [
    ...advance('r0', s.x.outer - inner * s.x.inner),
    ...yMoved(s.y.outer - inner * s.y.inner),
    unpark('r5', parked.outer),
    'subs r5, #1',
    park(parked.outer, 'r5'),
    'bne 2b',
  ];
  return [
    unpark('r0', parked.xPhase),
    ...advance('r0', s.x.start),
    unpark('r5', parked.yPhase),
    ...advance('r5', s.y.start),
    park(parked.yBlock, 'r5'),
    ...(outer > 1 ? [`movw r5, #${outer}`, park(parked.outer, 'r5')] : []),
    '.balign 4',
    '2:',
    ...(inner > 1 ? [`movw r5, #${inner}`, '.balign 4', '3:', park(parked.inner, 'r5')] : []),
    ...blockLines(f, s),
    ...(inner > 1 ? [unpark('r5', parked.inner), 'subs r5, #1', 'bne 3b'] : []),
    ...(outer > 1 ? nextRow : []),
  ];
}
const yMoved = (bytes: number): readonly string[] =>
  bytes === 0 ? [] : [unpark('r5', parked.yBlock), ...advance('r5', bytes), park(parked.yBlock, 'r5')];

/** From biases to bytes of `lanes` pixels; r0 and y's pointer move on to the next block. */
function blockLines(f: FirstConv, s: Sweep): readonly string[] {
  const many = passesOf(f) > 1;
  const walked = f.pitch * (many ? f.KH : f.KH - 1);
  const again = [
    unpark('r5', parked.passes),
    'subs r5, #1',
    'itt ne',
    park(parked.passes, 'r5').replace('vmov', 'vmovne'),
    `subne sp, sp, #${passBytes(f)}`,
    'bne 4b',
  ];
  return [
    ...startSums(f, s, many),
    ...(many
      ? [`mov r5, #${passesOf(f)}`, park(parked.passes, 'r5'), ...advance('sp', gap(f)), '.balign 4', '4:']
      : []),
    ...passLines(f, s, many),
    ...(many ? again : []),
    ...finish(f, s),
    ...advance('r0', s.x.inner - walked),
    ...advance('r5', s.y.inner),
    park(parked.yBlock, 'r5'),
  ];
}

/** A single pass takes the biases from the last sum of each kind, whose turn comes last. */
function startSums(f: FirstConv, { lanes }: Sweep, many: boolean): readonly string[] {
  const bias = gap(f) + 8 * f.constants;
  const last = lanes - 1;
  const copies = [even, mixed].flatMap((sums) => each(last, (i) => `mov ${sums[i]}, ${sums[last]}`));
  return [`ldr ${even[last]}, [sp, #${bias}]`, `ldr ${mixed[last]}, [sp, #${bias + 4}]`, ...(many ? copies : [])];
}

function passLines(f: FirstConv, s: Sweep, many: boolean): readonly string[] {
  const weights = gap(f) + constantBytes(f);
  return each(f.pass * f.words, (n) => {
    const word = n % f.words;
    const rowEnds = word === f.words - 1 && (many || n < f.pass * f.words - 1);
    const from = (sums: readonly string[], i: number): string => sums[n === 0 && !many ? s.lanes - 1 : i] as string;
    const sum = (sums: readonly string[]): readonly string[] =>
      each(s.lanes, (i) => `smlad ${sums[i]}, ${pixels[i]}, ${weight}, ${from(sums, i)}`);
    return [
      // Far ones first: 32 bits long, they must begin at a word to run on from one another.
      ...each(s.lanes, (i) => `ldr ${pixels[i]}, [r0, #${i * s.x.lane + 4 * word}]`).toReversed(),
      n < held(f) ? unpark(weight, `s${16 + n}`) : `ldr ${weight}, [sp, #${weights + 4 * (n - held(f))}]`,
      // One addition a row of the window keeps the offsets short, and the code in its cache.
      ...(rowEnds ? advance('r0', f.pitch) : []),
      ...sum(mixed),
      `sxtb16 ${weight}, ${weight}`,
      ...sum(even),
    ];
  }).flat();
}

/** Sums to bytes: the mixed ones lose the even channel first, which leaves 256 times the odd one. SP is back at the bottom. */
function finish(f: FirstConv, { lanes, y }: Sweep): readonly string[] {
  const scaled = takesScaled(f.q);
  const parted = each(lanes, (i) => [
    `sub ${mixed[i]}, ${mixed[i]}, ${even[i]}`,
    scaled ? `lsl ${even[i]}, ${even[i]}, #8` : `asr ${mixed[i]}, ${mixed[i]}, #8`,
  ]).flat();
  const registers = { constants: pixels.slice(0, constantRegisters(f.q)), temp: 'r4' };
  const channel = (sums: readonly string[], o: number): readonly string[] => [
    ...each(f.constants, (c) => `ldr ${pixels[c]}, [sp, #${gap(f) + 4 * (o * f.constants + c)}]`),
    ...prepareLines(f.q, registers),
    ...each(lanes, (i) => requantizeLines(f.q, sums[i] as string, registers)).flat(),
    ...each(lanes, (i) => `strb ${sums[i]}, [r5, #${i * y.lane + o * f.yChannel}]`),
  ];
  return [...parted, unpark('r5', parked.yBlock), ...channel(even, 0), ...channel(mixed, 1)];
}

/** Cycles of a call that waits for no memory. */
export function firstConvCycles(f: FirstConv): number {
  const pairs = Math.ceil(f.N / 2);
  const block = (s: Sweep): number => {
    const again = passesOf(f) > 1 ? (passesOf(f) - 1) * (straightCycles(passLines(f, s, true)) + 7) : 0;
    return straightCycles(blockLines(f, s)) + again + 5;
  };
  const sweeps = f.phases.flat().reduce((sum, s) => sum + s.outer * (s.inner * block(s) + 12), 0);
  return 40 + pairs * (sweeps + f.phases.length * 3 * weightWords(f) + 60);
}

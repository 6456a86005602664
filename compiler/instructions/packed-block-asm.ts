/**
 * The assembly of packed_block: a pair of channels (or one) over rows of pixels, PB pixels at a time.
 *
 * Registers: r0 walks over x, r1-r4 hold a word of each pixel, r5 a word of weights, r6-r9 sum 256*odd + even channel,
 * r10-r12 and lr the even channel alone. SP walks over the weights, because no register is left: they are copied into the
 * frame once a call, and SP steps down through a gap below them, so that live data always lie above it. Counters and
 * pointers to y wait in s0-s5. A single lap has the words of its begin in s5-s31: no load, and none that leaves the memory of
 * x. Constants (a channel's, the other's, then the biases) follow there, or else lie in the frame.
 * Frame, from SP up: the gap; constants; the weights, last lap first.
 * Loads are wide and begin at words: others do not overlap.
 */
import { advance, each, moveWords, park, unpark } from './asm-lines.ts';
import { lapOrder, lapsOf, type Walk, wordsOf } from './packings/lane-pairs.ts';
import { constantRegisters, prepareLines, type Requantize, requantizeLines, takesScaled } from './requantize-lines.ts';
import { straightCycles } from './static-cycles.ts';

/** Distances in bytes. What the walk takes side by side lies at `offsets`. */
export interface Blocks {
  /** Pixels and channels of a block. */
  readonly PB: number;
  readonly OB: number;
  readonly rows: number;
  /** Pixels of a row: at least PB; what is left over repeats pixels before it. */
  readonly pixels: number;
  readonly xPixel: number;
  readonly xRow: number;
  readonly yPixel: number;
  /** From a channel to the other. */
  readonly yChannel: number;
  readonly yRow: number;
  readonly walk: Walk;
  readonly offsets: readonly number[];
  /** From one group of stretches to the next. */
  readonly xGroup: number;
  readonly requantize: Requantize;
  /** Constants of the requantise form, a pointer each after the four arguments in registers. */
  readonly constants: number;
}

const pixelWords = ['r1', 'r2', 'r3', 'r4'] as const;
const weightWord = 'r5';
const mixedSums = ['r6', 'r7', 'r8', 'r9'] as const;
const evenSums = ['r10', 'r11', 'r12', 'lr'] as const;
const copied = ['r4', 'r5', 'r6', 'r7', 'r8', 'r9', 'r10', 'r11'] as const;

const saved = 36;
const lapCounter = 's0';
const lapsLeft = 's1';
const yPointer = 's2';
const yWhole = 's3';
const rowsLeft = 's4';
const groupsLeft = 's5';
const firstHeld = 5;
const mostHeld = 27;

const lapBytes = ({ walk }: Blocks): number => 4 * walk.stretches * walk.pairs;
const allLaps = ({ walk }: Blocks): number => walk.groups * lapsOf(walk);
const gap = (b: Blocks): number => (allLaps(b) - 1) * lapBytes(b);
/** Words of weights in floating-point registers. */
const held = (b: Blocks): number => (allLaps(b) === 1 ? Math.min(wordsOf(b.walk), mostHeld) : 0);
const heldRegisters = (b: Blocks): string =>
  held(b) === 1 ? `{s${firstHeld}}` : `{s${firstHeld}-s${firstHeld + held(b) - 1}}`;
/** Constants and biases of the pair, and the first register of theirs, where all of them find one. */
const constantsKept = (b: Blocks): number => b.OB * (b.constants + 1);
const firstConstant = (b: Blocks): number => firstHeld + (allLaps(b) === 1 ? wordsOf(b.walk) : 1);
const holdsConstants = (b: Blocks): boolean => firstConstant(b) + constantsKept(b) <= firstHeld + mostHeld;
const constantBytes = (b: Blocks): number => (holdsConstants(b) ? 0 : 4 * constantsKept(b));
/** s16 and up are the caller's. */
const savesSingles = (b: Blocks): boolean =>
  (holdsConstants(b) ? firstConstant(b) + constantsKept(b) : firstHeld + held(b)) > 16;
const frameBytes = (b: Blocks): number => (gap(b) + constantBytes(b) + 4 * (wordsOf(b.walk) - held(b)) + 7) & ~7;
export const stackBytes = (b: Blocks): number => saved + 4 + (savesSingles(b) ? 64 : 0) + frameBytes(b);

/** Largest offset of a load: what must fit its 12 bits. */
export const reach = (b: Blocks): number =>
  Math.max(
    Math.max(...b.offsets) + (b.PB - 1) * b.xPixel + 4 * b.walk.pairs,
    gap(b) + constantBytes(b) + lapBytes(b),
    (b.PB - 1) * b.yPixel + b.yChannel,
  );

/** One of `names`; there are as many as a block may be large. */
const of = (names: readonly string[], i: number): string => names[i] as string;

export function packedBlockLines(b: Blocks): readonly string[] {
  const whole = b.pixels - (b.pixels % b.PB);
  return [
    'push {r4-r11, lr}',
    'sub sp, #4',
    ...loadConstants(b),
    ...(savesSingles(b) ? ['vpush {s16-s31}'] : []),
    ...advance('sp', -frameBytes(b)),
    ...keepConstants(b),
    ...copyWeights(b),
    park(yPointer, 'r1'),
    ...(allLaps(b) > 1 ? [`movw r5, #${lapsOf(b.walk)}`, park(lapsLeft, 'r5')] : []),
    ...(b.rows > 1 ? [`movw r5, #${b.rows}`, park(rowsLeft, 'r5')] : []),
    '2:',
    unpark('r5', yPointer),
    ...advance('r5', whole * b.yPixel),
    park(yWhole, 'r5'),
    '.balign 4',
    '3:',
    ...block(b),
    ...nextBlock(b),
    ...(b.rows > 1 ? nextRow(b) : []),
    ...advance('sp', frameBytes(b)),
    ...(savesSingles(b) ? ['vpop {s16-s31}'] : []),
    'add sp, #4',
    'pop {r4-r11, pc}',
  ];
}

/** Cycles of a call, on memory that never waits: once a call, a block, a row. */
export function packedBlockCycles(b: Blocks): number {
  const many = allLaps(b) > 1;
  const perLap = straightCycles(lap(b, many)) + (many ? straightCycles(nextLap(b)) : 0);
  const around = straightCycles([...startSums(b, many), ...finish(b), ...advance('r0', 1), ...advance('r5', 1)]) + 8;
  const copied = 3 * (wordsOf(b.walk) - held(b)) + held(b);
  const called = straightCycles([...loadConstants(b), ...keepConstants(b)]) + copied + (savesSingles(b) ? 64 : 30);
  const row = Math.ceil(b.pixels / b.PB) * (allLaps(b) * perLap + around) + 10;
  return called + b.rows * row;
}

/** The pair's constants, role by role, and its biases, into r4 and up. */
function loadConstants(b: Blocks): readonly string[] {
  const pointers = ['r4', 'r6', 'r8'].slice(0, b.constants);
  const read = (at: string, to: number, from: string): string =>
    b.OB === 2 ? `ldrd ${at}, r${to + 1}, [${from}]` : `ldr ${at}, [${from}]`;
  return [
    ...pointers.map((p, i) => `ldr ${p}, [sp, #${saved + 4 + 4 * i}]`),
    ...pointers.map((p, i) => read(p, 4 + 2 * i, p)),
    read('r10', 10, 'r3'),
  ];
}

/** The even channel's constants, the odd one's, the bias of the even sums, that of the mixed ones: to where they stay. */
function keepConstants(b: Blocks): readonly string[] {
  const constants = each(b.OB, (o) =>
    each(b.constants, (c) => keep(b, `r${4 + 2 * c + o}`, o * b.constants + c)),
  ).flat();
  const bias = b.OB * b.constants;
  const mixed = ['add r11, r10, r11, lsl #8', keep(b, 'r11', bias + 1)];
  return [...constants, keep(b, 'r10', bias), ...(b.OB === 2 ? mixed : [])];
}
const keep = (b: Blocks, register: string, i: number): string =>
  holdsConstants(b) ? park(`s${firstConstant(b) + i}`, register) : `str ${register}, [sp, #${gap(b) + 4 * i}]`;
const fetch = (b: Blocks, register: string, i: number): string =>
  holdsConstants(b) ? unpark(register, `s${firstConstant(b) + i}`) : `ldr.w ${register}, [sp, #${gap(b) + 4 * i}]`;

/** What is not held, eight words at a time, then the rest. r2 reads. */
function copyWeights(b: Blocks): readonly string[] {
  const words = wordsOf(b.walk) - held(b);
  const [whole, rest] = [words >> 3, words & 7];
  const move = (registers: readonly string[]): readonly string[] => moveWords('r2', 'r12', registers);
  return [
    ...(held(b) > 0 ? [`vldmia r2!, ${heldRegisters(b)}`] : []),
    'mov r12, sp',
    ...advance('r12', gap(b) + constantBytes(b)),
    ...(whole === 0 ? [] : [`movw lr, #${whole}`, '1:', ...move(copied), 'subs lr, #1', 'bne 1b']),
    ...(rest === 0 ? [] : move(copied.slice(0, rest))),
  ];
}

function block(b: Blocks): readonly string[] {
  const many = allLaps(b) > 1;
  return [
    ...startSums(b, many),
    ...(many ? advance('sp', gap(b)) : []),
    ...(b.walk.groups > 1 ? [`movw r5, #${b.walk.groups}`, '5:', park(groupsLeft, 'r5')] : []),
    ...(many ? [`vmov.f32 ${lapCounter}, ${lapsLeft}`, '.balign 4', '4:'] : []),
    ...lap(b, many),
    ...(many ? nextLap(b) : []),
    ...finish(b),
  ];
}

/** Biases into the sums; a single lap takes them from the last sum of each kind, whose turn comes last. */
function startSums(b: Blocks, many: boolean): readonly string[] {
  const last = b.PB - 1;
  const kinds = [evenSums, mixedSums].slice(0, b.OB);
  const copies = kinds.flatMap((sums) => each(last, (i) => `mov ${sums[i]}, ${sums[last]}`));
  return [...kinds.map((sums, i) => fetch(b, of(sums, last), b.OB * b.constants + i)), ...(many ? copies : [])];
}

/**
 * A lap: for each word the weights and the pixels' words in one row of loads, then the sums. The weights come first: a load
 * that goes to another memory than the one before does not overlap it.
 */
function lap(b: Blocks, many: boolean): readonly string[] {
  const order = lapOrder(b.walk);
  const weights = gap(b) + constantBytes(b);
  return order.flatMap(({ stretch, pair }, n) => {
    const at = (b.offsets[stretch] ?? 0) + 4 * pair;
    const last = many && n === order.length - 1;
    const from = (sums: readonly string[], i: number): string => of(sums, n === 0 && !many ? b.PB - 1 : i);
    const sum = (sums: readonly string[]): readonly string[] =>
      each(b.PB, (i) => `smlad ${sums[i]}, ${pixelWords[i]}, ${weightWord}, ${from(sums, i)}`);
    const weight =
      n < held(b)
        ? unpark(weightWord, `s${firstHeld + n}`)
        : `ldr.w ${weightWord}, [sp, #${weights + 4 * (n - held(b))}]`;
    return [
      weight,
      ...each(b.PB - 1, (i) => `ldr.w ${pixelWords[i + 1]}, [r0, #${at + (i + 1) * b.xPixel}]`).toReversed(),
      last ? `ldr.w r1, [r0], #${4 * b.walk.pairs}` : `ldr.w r1, [r0, #${at}]`,
      ...(b.OB === 2 ? sum(mixedSums) : []),
      `sxtb16 ${weightWord}, ${weightWord}`,
      ...sum(evenSums),
    ];
  });
}

function nextLap(b: Blocks): readonly string[] {
  const count = (single: string, label: string): readonly string[] => [
    unpark('r5', single),
    'subs r5, #1',
    ...(single === lapCounter ? [park(single, 'r5')] : []),
    'it ne',
    `subne sp, sp, #${lapBytes(b)}`,
    `bne ${label}`,
  ];
  const groups = [...advance('r0', b.xGroup - 4 * b.walk.pairs * lapsOf(b.walk)), ...count(groupsLeft, '5b')];
  return [...count(lapCounter, '4b'), ...(b.walk.groups > 1 ? groups : [])];
}

/** Sums to bytes: the mixed ones lose the even channel first, which leaves 256 times the odd one. */
function finish(b: Blocks): readonly string[] {
  const { PB, OB, requantize: q } = b;
  const scaled = takesScaled(q);
  const odd = each(OB === 2 ? PB : 0, (i) => `sub ${mixedSums[i]}, ${mixedSums[i]}, ${evenSums[i]}`);
  const scale = scaled
    ? each(PB, (i) => `lsl ${evenSums[i]}, ${evenSums[i]}, #8`)
    : each(OB === 2 ? PB : 0, (i) => `asr ${mixedSums[i]}, ${mixedSums[i]}, #8`);
  return [...odd, ...scale, unpark('r5', yPointer), ...each(OB, (o) => channel(b, o)).flat()];
}

function channel(b: Blocks, o: number): readonly string[] {
  const q = b.requantize;
  const sums = o === 0 ? evenSums : mixedSums;
  const registers = { constants: pixelWords.slice(0, constantRegisters(q)), temp: 'r4' };
  return [
    ...each(b.constants, (c) => fetch(b, of(pixelWords, c), o * b.constants + c)),
    ...prepareLines(q, registers),
    ...each(b.PB, (i) => [
      ...requantizeLines(q, of(sums, i), registers),
      `strb ${sums[i]}, [r5, #${i * b.yPixel + o * b.yChannel}]`,
    ]).flat(),
  ];
}

/** On to the next PB pixels; the last block of a row that does not divide steps back over pixels done before. */
function nextBlock(b: Blocks): readonly string[] {
  const rest = b.pixels % b.PB;
  const move = (pixels: number, done: number): readonly string[] => [
    ...advance('r0', pixels * b.xPixel - done),
    ...advance('r5', pixels * b.yPixel),
    park(yPointer, 'r5'),
  ];
  return [
    ...move(b.PB, allLaps(b) > 1 ? lengthWalked(b) : 0),
    unpark('r4', yWhole),
    'cmp r5, r4',
    'blo 3b',
    ...(rest === 0 ? [] : ['bne 6f', ...move(rest - b.PB, 0), 'b 3b', '6:']),
  ];
}
/** How far a block's laps moved x's pointer. */
const lengthWalked = (b: Blocks): number =>
  b.walk.groups > 1 ? b.walk.groups * b.xGroup : 4 * b.walk.pairs * lapsOf(b.walk);

function nextRow(b: Blocks): readonly string[] {
  const toRow = b.yRow - b.pixels * b.yPixel;
  const moveY = toRow === 0 ? [] : [unpark('r5', yPointer), ...advance('r5', toRow), park(yPointer, 'r5')];
  return [
    ...advance('r0', b.xRow - b.pixels * b.xPixel),
    ...moveY,
    unpark('r5', rowsLeft),
    'subs r5, #1',
    park(rowsLeft, 'r5'),
    'bne 2b',
  ];
}

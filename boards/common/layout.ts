/**
 * From a board's data to the numbers of the link script (cortex-m/sections.ld): where, in the emulated machine, the server, what
 * trials load, and a linked network lie. Addresses are stated once, in board.json; everything else is computed here.
 * Must stay true: what a trial may write and what it may only read can be told apart by an MPU (see `guardable`).
 */
import type { Board, Part, Twin } from '../board.ts';

/** Bytes [base, base + bytes) of the emulated machine. */
export interface Span {
  readonly base: number;
  readonly bytes: number;
}

const kib = 1024;
type Memories = Pick<Board, 'id' | 'memory'>;
/** How memories are shared out, on whatever machine. */
export type Shares = Omit<Twin, 'machine' | 'timing'>;

/** Where a product's memory lies in the machine. */
export function memoryOf(board: Memories, twin: Shares, name: string): Span {
  const at = twin.at[name];
  const memory = board.memory.find((m) => m.name === name);
  if (at === undefined || memory === undefined) throw new Error(`${board.id}: board.json knows no memory ${name}`);
  return { base: Number(at), bytes: memory.bytes };
}

export function partOf(board: Memories, twin: Shares, part: Part): Span {
  const memory = memoryOf(board, twin, part.in);
  const span = { base: memory.base + part.fromKiB * kib, bytes: part.kiB * kib };
  if (span.base + span.bytes > memory.base + memory.bytes)
    throw new Error(`${board.id}: a part of board.json does not fit into ${part.in}`);
  return span;
}

/** What data accesses see of the memory of placed code, where that is at another address. */
export const seenElsewhere = (board: Memories, twin: Shares): readonly Span[] =>
  twin.ramCodeSeenAt === undefined || twin.ramCode === undefined
    ? []
    : [{ base: Number(twin.ramCodeSeenAt), bytes: memoryOf(board, twin, twin.ramCode.in).bytes }];

const end = (s: Span): number => s.base + s.bytes;

/** From the start of a part to where the memory ends that it can stretch over: neighbours count, what is taken does not. */
function reach(board: Memories, twin: Shares, from: Span, taken: readonly Span[]): Span {
  const memories = [...Object.keys(twin.at).map((name) => memoryOf(board, twin, name)), ...seenElsewhere(board, twin)];
  let limit = from.base;
  for (let next = memories.find((m) => m.base <= limit && end(m) > limit); next !== undefined; ) {
    limit = end(next);
    next = memories.find((m) => m.base === limit);
  }
  for (const { base } of taken) if (base > from.base && base < limit) limit = base;
  return { base: from.base, bytes: limit - from.base };
}

const inside = (s: Span, address: number): boolean => address >= s.base && address < end(s);

/** Symbols of the link script, by name. `staging`: what of the machine's memory is no board's. */
export function layoutOf(
  board: Memories & Pick<Board, 'target'>,
  twin: Shares,
  staging: Span,
): Readonly<Record<string, number>> {
  const flash = memoryOf(board, twin, twin.flash);
  const server = partOf(board, twin, twin.server);
  const load = partOf(board, twin, twin.load);
  const data = partOf(board, twin, twin.data);
  const codePart = twin.ramCode ?? twin.load;
  const constantsPart = twin.ramData ?? twin.load;
  const [code, constants] = [partOf(board, twin, codePart), partOf(board, twin, constantsPart)];
  const trialBytes = (part: Part | undefined, span: Span): number => (part === undefined ? 0 : span.bytes);
  // A network has all of RAM. Its parts follow one another where they share a memory.
  const from = (part: Span): Span => reach(board, twin, part, [server, staging]);
  const ramCode = from(code);
  const ramData = inside(ramCode, constants.base) ? ramCode : from(constants);
  const arena = inside(ramData, data.base) ? ramData : from(data);
  return {
    MT_FLASH: flash.base,
    // Behind it there may be a load region of its own; within it, load is what the image leaves.
    MT_FLASH_BYTES: flash.bytes,
    MT_SERVER: server.base,
    MT_SERVER_BYTES: server.bytes,
    MT_STACK_BYTES: twin.stackKiB * kib,
    MT_LOAD: load.base,
    MT_LOAD_BYTES: load.bytes,
    MT_RAM_CODE: ramCode.base,
    MT_RAM_CODE_BYTES: ramCode.bytes,
    MT_RAM_CODE_MEMORY: memoryOf(board, twin, codePart.in).base,
    MT_RAM_CODE_SEEN: twin.ramCodeSeenAt === undefined ? ramCode.base : Number(twin.ramCodeSeenAt),
    MT_RAM_DATA: ramData.base,
    MT_RAM_DATA_BYTES: ramData.bytes,
    MT_RAM_DATA_MEMORY: memoryOf(board, twin, constantsPart.in).base,
    // Where an MPU's regions end: at an eighth of a power of two, and from Armv8-M on at any 32 bytes.
    MT_GUARD_SHIFT: board.target.isa.startsWith('armv8') ? 31 : 3,
    MT_DATA: arena.base,
    MT_DATA_BYTES: arena.bytes,
    MT_TRIAL_DATA: data.base,
    MT_TRIAL_DATA_BYTES: data.bytes,
    MT_TRIAL_CODE: code.base,
    MT_TRIAL_CODE_BYTES: trialBytes(twin.ramCode, code),
    MT_TRIAL_CONSTANTS: constants.base,
    MT_TRIAL_CONSTANTS_BYTES: trialBytes(twin.ramData, constants),
  };
}

/** Every memory at its own address: a real part, or a machine that is emulated as it is. */
export const atOwnAddresses = (board: Pick<Board, 'memory'>): Shares['at'] =>
  Object.fromEntries(board.memory.map((m) => [m.name, String(m.base)]));

/**
 * What a network and a trial may use where trials are loaded into RAM, all of them: a network has what is load region in a
 * trial as well.
 */
export const sizesInRam = (
  board: Memories & Pick<Board, 'target'>,
  shares: Shares,
): Pick<Board, 'ramBytes' | 'loadBytes' | 'dataBytes'> => ({
  ramBytes: layoutOf(board, shares, { base: 0, bytes: 0 }).MT_DATA_BYTES ?? 0,
  loadBytes: shares.load.kiB * kib,
  dataBytes: shares.data.kiB * kib,
});

/** True where one region of an Armv7-M MPU covers exactly this: an aligned power of two of bytes, in eighths. */
export function guardable({ base, bytes }: Span): boolean {
  let block = 256;
  while (Math.floor(base / block) !== Math.floor((base + bytes - 1) / block)) block *= 2;
  return base % (block / 8) === 0 && bytes % (block / 8) === 0;
}

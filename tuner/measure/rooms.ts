/**
 * How a board's load regions are shared out in a trial: code first, constants behind; what a schedule places in RAM goes to
 * the RAM regions, where the board has them.
 */
import type { Board } from '../../boards/board.ts';
import type { KernelConstant } from '../../compiler/program/print-c.ts';
import type { DeviceInfo } from '../../firmware-rpc/host/device.ts';
import { type Bench, guardBytes } from './bench.ts';
import { roomFor } from './residents.ts';

type Range = DeviceInfo['load'];
/** The most that a candidate's code may take. */
const mostCode = 64 * 1024;
const round = (n: number): number => Math.floor(n / 32) * 32;

/** How a load region is shared out, bytes: code first, constants behind, all of it in one bank. */
function shares(loadBytes: number, bankBytes = loadBytes): { readonly code: number; readonly constants: number } {
  const whole = Math.min(loadBytes, bankBytes);
  const code = Math.min(mostCode, round(whole / 2));
  return { code, constants: whole - code };
}

export interface Rooms {
  readonly code: Range;
  readonly constants: Range;
  /** Undefined where the board makes no difference: then all goes to the two above. */
  readonly placed: { readonly code: Range; readonly constants: Range } | undefined;
}
/** `bankBytes`: of the board. */
export function roomsOf(
  { load, ramCode, ramData }: Pick<DeviceInfo, 'load' | 'ramCode' | 'ramData'>,
  bankBytes?: number,
): Rooms {
  const { code, constants } = shares(load.bytes, bankBytes);
  return {
    code: { base: load.base, bytes: code },
    constants: { base: load.base + code, bytes: constants },
    placed: ramCode.bytes > 0 ? { code: ramCode, constants: ramData } : undefined,
  };
}

/** What of a candidate's constants cannot fit a device of this board, in words; undefined where all do. */
export function constantsTooLarge(board: Board, constants: readonly KernelConstant[]): string | undefined {
  const inRam = (c: KernelConstant): boolean => board.placed !== undefined && c.place === 'ram';
  const check = (what: readonly KernelConstant[], room: number, where: string): string | undefined => {
    const need = roomFor(what, board.wayBytes);
    return need > room ? `${need} bytes of constants ${where}, the device has ${Math.max(0, room)}` : undefined;
  };
  const room = shares(board.loadBytes, board.bankBytes).constants;
  return (
    check(
      constants.filter((c) => !inRam(c)),
      room - (board.wayBytes ?? 0),
      'to load',
    ) ?? check(constants.filter(inRam), (board.placed?.dataBytes ?? 0) - (board.wayBytes ?? 0), 'in RAM')
  );
}

export const alignBuffer = (n: number): number => Math.ceil(n / 16) * 16;
/** Scratch bytes that a device of this board has beside inputs, outputs and the table of their addresses; below 0 where even those do not fit. */
export function scratchRoom(
  { ramBytes, dataBytes, placed }: Board,
  bench: Pick<Bench, 'inputBytes' | 'outputBytes'>,
): number {
  const data = dataBytes ?? ramBytes - (placed?.codeBytes ?? 0) - (placed?.dataBytes ?? 0);
  const buffers = [...bench.inputBytes, ...bench.outputBytes];
  const table = alignBuffer(4 * (buffers.length + 1));
  return data - buffers.reduce((n, b) => n + alignBuffer(b) + guardBytes, guardBytes + 15 + table);
}

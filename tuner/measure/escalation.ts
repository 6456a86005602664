/**
 * What is tried for a device that failed, in which order and after which rest. Must stay true: each rung ends with opening the
 * device and checking its health, so that a rung which a device does not have costs nothing and still is a try; the ladder
 * ends, and behind its end is quarantine.
 */
import type { Result } from '../../compiler/result.ts';

/** `retry` does nothing but open it again; `reset` restarts its firmware; the others are its source's to do. */
export type Rung = 'retry' | 'reset' | 'reflash' | 'power-cycle';

/** Cheap things first. Two more at the end, a minute on, for whoever is just plugging it in. */
export const ladder: readonly Rung[] = ['retry', 'retry', 'reset', 'reflash', 'power-cycle', 'retry', 'retry'];

/** What to try after so many failures in a row; undefined where nothing is left. */
export const rungAfter = (failures: number): Rung | undefined => ladder[failures - 1];

/** Failures that none of this mends: somebody has to do something first. */
const lasting: ReadonlySet<string> = new Set([
  'WRONG_BOARD',
  'NOT_A_SERIAL_PORT',
  'EMULATOR_MISSING',
  'TOOL_MISSING',
  'DEVICE_TWICE',
  'FIRMWARE_OUTDATED',
]);
export const isLasting = (code: string): boolean => lasting.has(code);

/** Milliseconds of rest after so many failures in a row: a quarter of a second, doubling, in all about a minute. */
export const restAfter = (failures: number): number => Math.min(16_000, 250 * 2 ** (failures - 1));
/** Milliseconds until a quarantined device is looked at again: half a minute, doubling up to ten. */
export const quarantineRest = (looks: number): number => Math.min(600_000, 30_000 * 2 ** looks);

/** What a source of devices can do for one that is in trouble, where it can. */
export interface Remedies {
  /** Puts the firmware of today on it. */
  reflash?(): Promise<Result<void>>;
  /** Takes its power away for a moment. */
  powerCycle?(): Promise<Result<void>>;
}

/** The remedy behind a rung; undefined where the source has none, or the firmware does it itself. */
export function remedyOf(rung: Rung, source: Remedies): (() => Promise<Result<void>>) | undefined {
  switch (rung) {
    case 'retry':
    case 'reset':
      return undefined;
    case 'reflash':
      return source.reflash?.bind(source);
    case 'power-cycle':
      return source.powerCycle?.bind(source);
  }
}

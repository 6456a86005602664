/**
 * The one table of the wire: frame sizes, commands, statuses, capabilities. SPEC.md says what the bytes mean, the host uses
 * this file as it is, and include/microtune_protocol.h is generated from it (npm run generate:protocol; a test compares).
 */
export const protocolVersion = 2;

/**
 * Largest body of a request or response; a frame adds header, CRC, COBS and two delimiters. Small enough that a frame can
 * be sent several times within the 4 KiB that may be unacknowledged.
 */
export const maxBody = 512;

export const commands = {
  /** nonce u32 -> nonce u32, protocol u16, flags u16, cpuHz u32, load base/bytes, data base/bytes, RAM for code base/bytes, RAM for constants base/bytes, stack bytes, staging base/bytes, network 8 x u32, uid 16, build id 16, board name. */
  HELLO: 1,
  /** address u32, bytes... -> nothing. */
  LOAD: 2,
  /** address u32, bytes u32, seed u32, shift u8 -> nothing. */
  FILL: 3,
  /** address u32, bytes u32 -> crc u32. */
  CRC: 4,
  /** address u32, bytes u16 -> bytes. */
  FETCH: 5,
  /** entry u32, args 4 x u32, warmups u16, repeats u16, deadline ms of each run u32, mode u8 -> returned u32, stack bytes u32, count u64 each repeat. */
  CALL: 6,
  /** destination u32, source u32, bytes u32 -> nothing. Brings staged bytes where they belong. */
  COPY: 7,
  /** nothing -> nothing; then the firmware restarts. */
  RESET: 8,
} as const;

export const statuses = {
  OK: 0,
  /** Unknown command or malformed body. */
  BAD_REQUEST: 1,
  /** The address range is not one a host may touch. */
  BAD_ADDRESS: 2,
  /** The call faulted: pc u32, lr u32, cause u32, address u32. */
  FAULT: 3,
  /** A run of the call was stopped at its deadline: the same four words; cause and address are 0. */
  DEADLINE: 4,
  /** No HELLO since the firmware started: whatever was loaded before is gone. */
  NO_SESSION: 5,
  /** A call wrote over the server (boards that are not GUARDED only): the same four words; then the firmware restarts. */
  DAMAGED: 6,
} as const;

/** Bits of HELLO's flags. */
export const flags = {
  /** A call cannot write the load region: what is resident there survives every candidate. */
  GUARDED: 1,
} as const;

/** CALL's mode: what state of caches and predictors its first run finds. */
export const modes = {
  /** That after reset, as far as the hardware can be brought there. */
  SETTLED: 0,
  /** What the call before left behind. */
  CONTINUED: 1,
} as const;

/** Most measured repeats of one CALL: their counts must fit a body. */
export const maxRepeats = 60;

export type Command = keyof typeof commands;

/** The C header, byte for byte. */
export function protocolHeader(): string {
  const define = (name: string, value: number): string => `#define ${name.padEnd(24)} ${value}u`;
  return [
    '/* Generated from firmware-rpc/protocol.ts by `npm run generate:protocol`. Do not edit. */',
    '#ifndef MICROTUNE_PROTOCOL_H',
    '#define MICROTUNE_PROTOCOL_H',
    '',
    define('MT_PROTOCOL', protocolVersion),
    define('MT_MAX_BODY', maxBody),
    define('MT_MAX_REPEATS', maxRepeats),
    '',
    ...Object.entries(commands).map(([n, v]) => define(`MT_CMD_${n}`, v)),
    '',
    ...Object.entries(statuses).map(([n, v]) => define(`MT_STATUS_${n}`, v)),
    '',
    ...Object.entries(flags).map(([n, v]) => define(`MT_FLAG_${n}`, v)),
    '',
    ...Object.entries(modes).map(([n, v]) => define(`MT_MODE_${n}`, v)),
    '',
    '#endif',
    '',
  ].join('\n');
}

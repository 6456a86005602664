/**
 * What a device can do for its user, whichever board it is: the commands of SPEC.md as methods. client.ts implements this
 * over a Transport. Failures that are expected (fault, deadline, lost link) come back as values.
 */
export interface DeviceInfo {
  readonly protocol: number;
  readonly board: string;
  readonly uid: string;
  /** Identifies the firmware build; part of every record's environment. */
  readonly buildId: string;
  readonly cpuHz: number;
  /** Where candidates' code and constants are loaded, and where their data (x, y, scratch) lie. Addresses in the device. */
  readonly load: { readonly base: number; readonly bytes: number };
  readonly data: { readonly base: number; readonly bytes: number };
  /** Where what a schedule places in RAM goes; 0 bytes where that makes no difference, and all goes to `load`. */
  readonly ramCode: { readonly base: number; readonly bytes: number };
  readonly ramData: { readonly base: number; readonly bytes: number };
  /** Bytes of the stack that calls run on. */
  readonly stackBytes: number;
  /** True where a call cannot write the load regions: constants that lie there survive every candidate. */
  readonly guarded: boolean;
  /** A network linked into the firmware, if any: addresses of its functions and buffers. */
  readonly network?: {
    readonly init: number;
    readonly entry: number;
    /** Runs one layer by number. */
    readonly layer: number;
    readonly layers: number;
    readonly input: number;
    readonly inputBytes: number;
    readonly output: number;
    readonly outputBytes: number;
  };
}

/** Where a call was when it ended badly; 0 where the device cannot know. */
export interface CallEnding {
  readonly pc: number;
  readonly lr: number;
  /** The CPU's own word: CFSR or HFSR, mcause, a signal. */
  readonly cause: number;
  readonly address: number;
}

/**
 * FAULT and DEADLINE: the device goes on. DAMAGED: the call wrote over the server; the device has restarted, a new session is
 * open, and nothing is loaded. LINK: the session is over.
 */
export type CallResult =
  | {
      readonly ok: true /** Counter ticks of each measured repeat, in order. */;
      readonly cycles: readonly number[];
      readonly returned: number /** Bytes of stack the call used at most, by watermark; 0 if unknown. */;
      readonly stackBytes: number;
    }
  | {
      readonly ok: false;
      readonly code: 'FAULT' | 'DEADLINE' | 'DAMAGED' | 'LINK';
      readonly detail: string;
      /** Where the device told it. */
      readonly ending?: CallEnding;
    };

export interface CallRequest {
  readonly entry: number;
  /** At most 4 words, passed as the C function's arguments. */
  readonly args: readonly number[];
  /** Untimed runs first (design: one), then the measured ones. */
  readonly warmups: number;
  readonly repeats: number;
  /** Milliseconds for each run, by the device's own clock; at least 1. */
  readonly deadlineMs: number;
  /** Whether the first run finds caches and predictors as after reset (the default), or as the call before left them. */
  readonly mode?: 'settled' | 'continued';
}

/** What a LinkError means to a user: codes of docs/errors.md. */
export type LinkCode = 'DEVICE_UNREACHABLE' | 'DEVICE_BUSY' | 'NOT_A_SERIAL_PORT';

/** The link is broken beyond retransmission, or the peer is not our firmware. The pool decides what happens next. */
export class LinkError extends Error {
  readonly code: LinkCode;
  constructor(message: string, code: LinkCode = 'DEVICE_UNREACHABLE') {
    super(message);
    this.code = code;
  }
}

export interface Device {
  readonly info: DeviceInfo;
  /** Writes bytes to device memory and makes code visible (board_sync_code). */
  load(address: number, bytes: Uint8Array): Promise<void>;
  /** xorshift32 from `seed`, int8(x >> 24) >> shr a byte (the generator of the golden files). */
  fill(address: number, bytes: number, seed: number, shr: number): Promise<void>;
  /** CRC-32 (IEEE) of device memory. */
  crc(address: number, bytes: number): Promise<number>;
  fetch(address: number, bytes: number): Promise<Uint8Array>;
  call(request: CallRequest): Promise<CallResult>;
  /** Restarts the firmware; the load region is lost. */
  reset(): Promise<void>;
  /** Bytes sent and received since opening, for the record. */
  readonly traffic: { readonly sent: number; readonly received: number };
  close(): Promise<void>;
}

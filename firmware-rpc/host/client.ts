/** A Device over a Transport: the commands of SPEC.md as methods. link.ts sees to it that each is executed once. */
import { randomBytes, randomInt } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { type Command, flags, maxBody, maxRepeats, modes, protocolVersion, statuses } from '../protocol.ts';
import { fields, hex, joined, Reader, text } from './bytes.ts';
import {
  type CallEnding,
  type CallRequest,
  type CallResult,
  type Device,
  type DeviceInfo,
  LinkError,
} from './device.ts';
import type { Probe } from './gdb-remote.ts';
import { type Answer, Link, type LinkOptions, restarted } from './link.ts';
import type { Transport } from './transport.ts';

/** Brings bytes into the device's staging memory by another way than the link (shared memory of an emulator). */
export interface Bulk {
  /** Of the staging area from its start; all of it where that is left out. */
  readonly bytes?: number;
  /** Writes at an offset into the staging area. */
  write(offset: number, bytes: Uint8Array): Promise<void>;
}

export interface ClientOptions extends LinkOptions {
  readonly bulk?: Bulk;
  /** Writes straight to where loaded bytes belong: longer loads go through it, as long as it works and reaches this device. */
  readonly probe?: Probe;
  /** Hears why a probe is not used any more. */
  readonly probeLost?: (reason: string) => void;
  /** How many times slower than the wall clock the device's own clock may run: 1 for silicon, more for an emulator. */
  readonly slowdown?: number;
  /** Called by close(), after the transport is closed. */
  readonly onClose?: () => Promise<void>;
}

/** Shorter loads are not worth a way around the link; through a probe, which halts the target, not for longer. */
const bulkFrom = 64;
const probeFrom = 256;

/** Opens a session: HELLO until it answers. Throws LinkError for silence, a stranger, or another protocol. */
export async function connect(transport: Transport, options: ClientOptions = {}): Promise<Device> {
  const client = new Client(transport, options);
  try {
    await client.hello();
    await client.proveProbe();
  } catch (error) {
    await client.close();
    throw error;
  }
  return client;
}

type Staging = { readonly base: number; readonly bytes: number };

class Client implements Device {
  private readonly transport: Transport;
  private readonly options: ClientOptions;
  private readonly link: Link;
  /** As long as it works. */
  private probe: Probe | undefined;
  private hi: (DeviceInfo & { readonly staging: Staging }) | undefined;

  constructor(transport: Transport, options: ClientOptions) {
    this.transport = transport;
    this.options = options;
    this.link = new Link(transport, options);
    this.probe = options.probe;
  }

  get info(): DeviceInfo {
    if (this.hi === undefined) throw new Error('no HELLO yet');
    return this.hi;
  }
  get traffic(): Device['traffic'] {
    return { ...this.link.traffic };
  }

  async hello(): Promise<void> {
    // Tells this session from any other, an answer to an earlier HELLO that is still on the line included.
    const nonce = randomInt(2 ** 32);
    const mine = (body: Uint8Array): boolean => body.length >= 4 && new Reader(body).u32() === nonce;
    const body = await this.expectOk('HELLO', fields([nonce, 4]), mine);
    body.u32();
    const protocol = body.u16();
    if (protocol !== protocolVersion)
      throw new LinkError(
        `${this.transport.name}: the firmware speaks protocol ${protocol}, this program ${protocolVersion}: reflash the board`,
      );
    this.hi = infoOf(protocol, body);
  }

  async load(address: number, bytes: Uint8Array): Promise<void> {
    const { bulk } = this.options;
    const staging = this.hi?.staging;
    if (bulk !== undefined && staging !== undefined && staging.bytes > 0 && bytes.length > bulkFrom)
      return this.loadStaged(address, bytes, bulk, staging);
    if (bytes.length > probeFrom && (await this.loadByProbe(address, bytes))) return;
    const step = maxBody - 4;
    for (let at = 0; at < bytes.length; at += step)
      await this.expectOk('LOAD', joined(fields([address + at, 4]), bytes.subarray(at, at + step)));
  }
  private async loadStaged(address: number, bytes: Uint8Array, bulk: Bulk, staging: Staging): Promise<void> {
    const room = bulk.bytes ?? staging.bytes;
    for (let at = 0; at < bytes.length; at += room) {
      const part = bytes.subarray(at, at + room);
      await bulk.write(0, part);
      await this.expectOk('COPY', fields([address + at, 4], [staging.base, 4], [part.length, 4]));
    }
  }
  /** What is written over the link must be read through the probe: several boards may be attached, and probes mixed up. */
  async proveProbe(): Promise<void> {
    const { probe } = this;
    if (probe === undefined) return;
    const token = randomBytes(16);
    // A network may leave no data region, but then it has an input.
    const base = this.ranges().find((r) => r.bytes >= token.length)?.base;
    if (base === undefined) return this.loseProbe(`${this.transport.name} has no memory to try ${probe.name} with`);
    await this.load(base, token);
    try {
      const same = token.equals(await probe.read(base, token.length));
      if (!same) this.loseProbe(`${probe.name} does not reach the device at ${this.transport.name}`);
    } catch (error) {
      if (!(error instanceof LinkError)) throw error;
      this.loseProbe(error.message);
    }
  }
  /** What the host may write. */
  private ranges(): readonly Staging[] {
    const { load, data, ramCode, ramData, network } = this.info;
    return [data, load, ramCode, ramData, { base: network?.input ?? 0, bytes: network?.inputBytes ?? 0 }];
  }
  private loseProbe(reason: string): void {
    this.probe = undefined;
    this.options.probeLost?.(reason);
  }

  /**
   * Writes through the probe, then has the device copy the bytes onto themselves, which brings them before its instruction
   * fetch, and asks for their CRC: what a probe says is guarded by eight bits. False where that is not possible: a range that
   * is not the host's (the device will say so), a probe that failed.
   */
  private async loadByProbe(address: number, bytes: Uint8Array): Promise<boolean> {
    const { probe } = this;
    const holds = (r: Staging): boolean => address >= r.base && address + bytes.length <= r.base + r.bytes;
    if (probe === undefined || !this.ranges().some(holds)) return false;
    try {
      await probe.write(address, bytes);
    } catch (error) {
      if (!(error instanceof LinkError)) throw error;
      this.loseProbe(error.message);
      return false;
    }
    await this.expectOk('COPY', fields([address, 4], [address, 4], [bytes.length, 4]));
    if ((await this.crc(address, bytes.length)) === crc32(bytes)) return true;
    this.loseProbe(`${probe.name} has written something else than it was given`);
    return false;
  }
  async fill(address: number, bytes: number, seed: number, shr: number): Promise<void> {
    await this.expectOk('FILL', fields([address, 4], [bytes, 4], [seed, 4], [shr, 1]));
  }
  async crc(address: number, bytes: number): Promise<number> {
    return (await this.expectOk('CRC', fields([address, 4], [bytes, 4]))).u32();
  }
  async fetch(address: number, bytes: number): Promise<Uint8Array> {
    const out = new Uint8Array(bytes);
    for (let at = 0; at < bytes; at += maxBody) {
      const n = Math.min(maxBody, bytes - at);
      out.set((await this.expectOk('FETCH', fields([address + at, 4], [n, 2]))).take(n), at);
    }
    return out;
  }

  async call(c: CallRequest): Promise<CallResult> {
    if (c.repeats > maxRepeats) throw new Error(`at most ${maxRepeats} repeats a call`);
    if (c.deadlineMs < 1) throw new Error('a call needs a deadline');
    const args = [0, 1, 2, 3].map((i) => [c.args[i] ?? 0, 4] as const);
    const mode = c.mode === 'continued' ? modes.CONTINUED : modes.SETTLED;
    const body = fields([c.entry, 4], ...args, [c.warmups, 2], [c.repeats, 2], [c.deadlineMs, 4], [mode, 1]);
    const allowanceMs = c.deadlineMs * (c.warmups + c.repeats) * (this.options.slowdown ?? 1);
    try {
      return await this.called(await this.link.request({ command: 'CALL', body, allowanceMs }), c.repeats);
    } catch (error) {
      if (error instanceof LinkError) return { ok: false, code: 'LINK', detail: error.message };
      throw error;
    }
  }

  /** Whoever finds that the device has restarted under a call opens a new session. */
  private async called(answer: Answer, repeats: number): Promise<CallResult> {
    const { status } = answer;
    if (status === statuses.NO_SESSION && this.info.guarded) throw this.link.end(restarted);
    const result = callResult(answer, repeats);
    if (status === statuses.NO_SESSION || status === statuses.DAMAGED) await this.hello();
    return result;
  }

  async reset(): Promise<void> {
    // NO_SESSION is as good as OK: it has restarted, and the answer that said so was lost.
    const { status } = await this.link.request({ command: 'RESET', body: new Uint8Array() });
    if (status !== statuses.OK && status !== statuses.NO_SESSION) throw this.refused('RESET', status);
    await this.hello();
  }
  async close(): Promise<void> {
    await this.link.close();
    await this.options.probe?.close();
    await this.options.onClose?.();
  }

  private async expectOk(command: Command, body: Uint8Array, accepts?: (body: Uint8Array) => boolean): Promise<Reader> {
    const answer = await this.link.request({ command, body, ...(accepts !== undefined && { accepts }) });
    if (answer.status !== statuses.OK) throw this.refused(command, answer.status);
    return answer.body;
  }
  private refused(command: Command, status: number): LinkError {
    const name = Object.entries(statuses).find(([, v]) => v === status)?.[0] ?? String(status);
    return new LinkError(`${this.transport.name}: ${command} was refused: ${name}`);
  }
}

/** HELLO's answer behind nonce and protocol. */
function infoOf(protocol: number, body: Reader): DeviceInfo & { readonly staging: Staging } {
  const guarded = (body.u16() & flags.GUARDED) !== 0;
  const cpuHz = body.u32();
  const range = (): Staging => ({ base: body.u32(), bytes: body.u32() });
  const [load, data, ramCode, ramData, stackBytes, staging] = [range(), range(), range(), range(), body.u32(), range()];
  const network = networkOf(body);
  const uid = Buffer.from(body.take(16)).toString('hex');
  const buildId = text(body.take(16));
  const board = text(body.rest());
  return {
    protocol,
    board,
    uid,
    buildId,
    cpuHz,
    guarded,
    load,
    data,
    ramCode,
    ramData,
    stackBytes,
    staging,
    ...network,
  };
}
const endingOf = (body: Reader): CallEnding => ({
  pc: body.u32(),
  lr: body.u32(),
  cause: body.u32(),
  address: body.u32(),
});
const whereOf = ({ pc, lr }: CallEnding): string => `pc ${hex(pc)} lr ${hex(lr)}`;

function networkOf(body: Reader): Pick<DeviceInfo, 'network'> {
  const [init, entry, layer, layers] = [body.u32(), body.u32(), body.u32(), body.u32()];
  const [input, inputBytes, output, outputBytes] = [body.u32(), body.u32(), body.u32(), body.u32()];
  return entry === 0 ? {} : { network: { init, entry, layer, layers, input, inputBytes, output, outputBytes } };
}

function callResult({ status, body }: Answer, repeats: number): CallResult {
  switch (status) {
    case statuses.OK: {
      const [returned, stackBytes] = [body.u32(), body.u32()];
      return { ok: true, returned, stackBytes, cycles: Array.from({ length: repeats }, () => body.u64()) };
    }
    case statuses.FAULT: {
      const ending = endingOf(body);
      const detail = `${whereOf(ending)} cause ${hex(ending.cause)} address ${hex(ending.address)}`;
      return { ok: false, code: 'FAULT', detail, ending };
    }
    case statuses.DEADLINE: {
      const ending = endingOf(body);
      return { ok: false, code: 'DEADLINE', detail: `stopped at ${whereOf(ending)}`, ending };
    }
    case statuses.DAMAGED: {
      const ending = endingOf(body);
      const detail = `the firmware's own memory was written over; it has restarted (${whereOf(ending)})`;
      return { ok: false, code: 'DAMAGED', detail, ending };
    }
    case statuses.NO_SESSION:
      return { ok: false, code: 'DAMAGED', detail: 'the device restarted during the call' };
    default:
      return { ok: false, code: 'LINK', detail: `CALL was refused with status ${status}` };
  }
}

/**
 * A Device over a Transport: one request at a time, retransmitted until its response arrives. The device answers a request
 * it has seen before from memory, so nothing is executed twice. At most one frame (about 1 KiB) is unacknowledged, well
 * below the 4 KiB that serialport's Linux binding bears.
 */
import { commands, maxBody, maxRepeats, protocolVersion, statuses } from '../protocol.ts';
import { type CallRequest, type CallResult, type Device, type DeviceInfo, LinkError } from './device.ts';
import { encodeFrame, frameSplitter } from './frame.ts';
import type { Transport } from './transport.ts';

/** Brings bytes into the device's staging memory by another way than the link (shared memory of an emulator). */
export interface Bulk {
  /** Writes at an offset into the staging area. */
  write(offset: number, bytes: Uint8Array): Promise<void>;
}

export interface ClientOptions {
  readonly bulk?: Bulk;
  /** How long a response may take before the request is sent again, ms. */
  readonly patienceMs?: number;
  /** Sends of one request before the link is given up. */
  readonly attempts?: number;
  readonly onClose?: () => Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly body: Reader;
}

class Reader {
  private readonly view: DataView;
  private at = 0;
  private readonly bytes: Uint8Array;
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }
  private next(size: number): number {
    if (this.at + size > this.bytes.length) throw new LinkError(`a response is ${this.bytes.length} bytes, too short`);
    this.at += size;
    return this.at - size;
  }
  u16 = (): number => this.view.getUint16(this.next(2), true);
  u32 = (): number => this.view.getUint32(this.next(4), true);
  u64 = (): number => Number(this.view.getBigUint64(this.next(8), true));
  take = (n: number): Uint8Array => this.bytes.slice(this.next(n), this.at);
  rest = (): Uint8Array => this.bytes.slice(this.at);
}

/** Little-endian fields: [value, bytes] pairs. */
function fields(...list: readonly (readonly [number, number])[]): Uint8Array {
  const out = new Uint8Array(list.reduce((n, [, size]) => n + size, 0));
  let at = 0;
  for (const [value, size] of list) {
    for (let i = 0; i < size; i++) out[at++] = Math.floor(value / 2 ** (8 * i)) & 255;
  }
  return out;
}
const joined = (a: Uint8Array, b: Uint8Array): Uint8Array => Uint8Array.from([...a, ...b]);
const hex = (n: number): string => `0x${n.toString(16).padStart(8, '0')}`;
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes).replace(/\0+$/, '');

/** Opens a session: HELLO until it answers. Throws LinkError for silence, a stranger, or another protocol. */
export async function connect(transport: Transport, options: ClientOptions = {}): Promise<Device> {
  const client = new Client(transport, options);
  try {
    await client.hello();
  } catch (error) {
    await client.close();
    throw error;
  }
  return client;
}

class Client implements Device {
  traffic = { sent: 0, received: 0 };
  private readonly transport: Transport;
  private readonly options: ClientOptions;
  private hi: (DeviceInfo & { readonly staging: { readonly base: number; readonly bytes: number } }) | undefined;
  private seq = 0;
  private waiting: { readonly seq: number; readonly command: number; resolve(a: Answer): void } | undefined;
  private gone: string | undefined;
  private onGone: (() => void) | undefined;
  private queue: Promise<unknown> = Promise.resolve();

  constructor(transport: Transport, options: ClientOptions) {
    this.transport = transport;
    this.options = options;
    const split = frameSplitter((payload) => this.arrived(payload));
    transport.onData((chunk) => {
      this.traffic.received += chunk.length;
      split(chunk);
    });
    transport.onClose((reason) => {
      this.gone = reason;
      this.onGone?.();
    });
  }

  get info(): DeviceInfo {
    if (this.hi === undefined) throw new Error('no HELLO yet');
    return this.hi;
  }

  async hello(): Promise<void> {
    const nonce = (Date.now() & 0x7fffffff) >>> 0;
    const { body } = await this.request('HELLO', fields([nonce, 4]));
    if (body.u32() !== nonce)
      throw new LinkError(`${this.transport.name}: a stale HELLO; the line carries somebody else's session`);
    const protocol = body.u16();
    if (protocol !== protocolVersion)
      throw new LinkError(
        `${this.transport.name}: the firmware speaks protocol ${protocol}, this program ${protocolVersion}: reflash the board`,
      );
    body.u16();
    const cpuHz = body.u32();
    const range = (): { base: number; bytes: number } => ({ base: body.u32(), bytes: body.u32() });
    const [load, data, stackBytes, staging] = [range(), range(), body.u32(), range()];
    const [init, run, layer, layers, input, inputBytes, output, outputBytes] = Array.from({ length: 8 }, () =>
      body.u32(),
    ) as [number, number, number, number, number, number, number, number];
    const uid = Buffer.from(body.take(16)).toString('hex');
    const buildId = text(body.take(16));
    const board = text(body.rest());
    const network =
      run === 0 ? {} : { network: { init, entry: run, layer, layers, input, inputBytes, output, outputBytes } };
    this.hi = { protocol, board, uid, buildId, cpuHz, load, data, stackBytes, staging, ...network };
  }

  async load(address: number, bytes: Uint8Array): Promise<void> {
    const { bulk } = this.options;
    const staging = this.hi?.staging;
    if (bulk !== undefined && staging !== undefined && bytes.length > 64)
      return this.loadStaged(address, bytes, bulk, staging);
    const step = maxBody - 4;
    for (let at = 0; at < bytes.length; at += step)
      await this.expectOk('LOAD', joined(fields([address + at, 4]), bytes.subarray(at, at + step)));
  }
  private async loadStaged(
    address: number,
    bytes: Uint8Array,
    bulk: Bulk,
    staging: { readonly base: number; readonly bytes: number },
  ): Promise<void> {
    for (let at = 0; at < bytes.length; at += staging.bytes) {
      const part = bytes.subarray(at, at + staging.bytes);
      await bulk.write(0, part);
      await this.expectOk('COPY', fields([address + at, 4], [staging.base, 4], [part.length, 4]));
    }
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
    const args = [0, 1, 2, 3].map((i) => [c.args[i] ?? 0, 4] as const);
    const body = fields([c.entry, 4], ...args, [c.warmups, 2], [c.repeats, 2], [c.deadlineMs, 4]);
    try {
      const answer = await this.request('CALL', body, c.deadlineMs * (c.warmups + c.repeats) * 2 + 5000);
      return this.callResult(answer, c.repeats);
    } catch (error) {
      if (error instanceof LinkError) return { ok: false, code: 'LINK', detail: error.message };
      throw error;
    }
  }
  private callResult({ status, body }: Answer, repeats: number): CallResult {
    switch (status) {
      case statuses.OK: {
        const [returned, stackBytes] = [body.u32(), body.u32()];
        return { ok: true, returned, stackBytes, cycles: Array.from({ length: repeats }, () => body.u64()) };
      }
      case statuses.FAULT:
        return {
          ok: false,
          code: 'FAULT',
          detail: `pc ${hex(body.u32())} lr ${hex(body.u32())} cause ${hex(body.u32())} address ${hex(body.u32())}`,
        };
      case statuses.DEADLINE:
        return { ok: false, code: 'DEADLINE', detail: `stopped at pc ${hex(body.u32())} lr ${hex(body.u32())}` };
      default:
        return { ok: false, code: 'LINK', detail: `CALL was refused with status ${status}` };
    }
  }

  async reset(): Promise<void> {
    await this.expectOk('RESET', new Uint8Array());
    this.seq = 0;
    await this.hello();
  }
  async close(): Promise<void> {
    await this.transport.close();
    await this.options.onClose?.();
  }

  private async expectOk(command: keyof typeof commands, body: Uint8Array): Promise<Reader> {
    const answer = await this.request(command, body);
    if (answer.status !== statuses.OK) {
      const name = Object.entries(statuses).find(([, v]) => v === answer.status)?.[0] ?? String(answer.status);
      throw new LinkError(`${this.transport.name}: ${command} was refused: ${name}`);
    }
    return answer.body;
  }

  /** One request at a time; a second one waits for the first. */
  private request(
    command: keyof typeof commands,
    body: Uint8Array,
    patience = this.options.patienceMs ?? 1000,
  ): Promise<Answer> {
    const turn = this.queue.then(() => this.exchange(command, body, patience));
    this.queue = turn.catch(() => undefined);
    return turn;
  }

  private async exchange(command: keyof typeof commands, body: Uint8Array, patience: number): Promise<Answer> {
    this.seq = (this.seq % 255) + 1;
    const frame = encodeFrame(Uint8Array.from([this.seq, commands[command], ...body]));
    const attempts = this.options.attempts ?? 12;
    for (let attempt = 0; attempt < attempts; attempt++) {
      if (this.gone !== undefined) throw new LinkError(`${this.transport.name}: ${this.gone}`);
      const answer = this.answerTo(this.seq, commands[command], patience);
      this.traffic.sent += frame.length;
      await this.transport.write(frame);
      const got = await answer;
      if (got !== undefined) return got;
    }
    if (this.gone !== undefined) throw new LinkError(`${this.transport.name}: ${this.gone}`);
    throw new LinkError(
      `${this.transport.name}: no answer to ${command} after ${attempts} tries; is it a board with microtune's firmware?`,
    );
  }

  private answerTo(seq: number, command: number, patience: number): Promise<Answer | undefined> {
    return new Promise((resolve) => {
      const done = (a: Answer | undefined): void => {
        clearTimeout(timer);
        this.waiting = undefined;
        this.onGone = undefined;
        resolve(a);
      };
      const timer = setTimeout(() => done(undefined), patience);
      this.onGone = () => done(undefined);
      this.waiting = { seq, command: command | 0x80, resolve: done };
    });
  }

  private arrived(payload: Uint8Array): void {
    const w = this.waiting;
    // Late answers to earlier tries of other requests are nobody's.
    if (w === undefined || payload.length < 3 || payload[0] !== w.seq || payload[1] !== w.command) return;
    w.resolve({ status: payload[2] as number, body: new Reader(payload.slice(3)) });
  }
}

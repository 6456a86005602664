/**
 * Bulk data through a debug probe that speaks the GDB remote serial protocol: OpenOCD, pyOCD, a J-Link's server, QEMU's stub.
 * The target is halted for each write and runs on behind it. Must stay true: nothing but memory is changed; whatever happens,
 * the target is told to go on, if need be over a new connection; after a failure the probe is over and says so at each write.
 */
import { LinkError } from './device.ts';
import { escaped, type Heard, packet, packetSplitter } from './gdb-packets.ts';
import { hostAndPort, openPath, openSocket } from './socket.ts';
import type { Transport } from './transport.ts';

/** Writes memory of a running target by another way than the link. Both throw LinkError. */
export interface Probe {
  readonly name: string;
  /** Where it fails the target has these bytes in part. */
  write(address: number, bytes: Uint8Array): Promise<void>;
  /** A few bytes, at most 64. */
  read(address: number, bytes: number): Promise<Uint8Array>;
  close(): Promise<void>;
}
export interface ProbeOptions {
  /** How long an answer may take, ms. */
  readonly patienceMs?: number;
}

/** Bytes of data in one packet where the stub names no size: what every stub takes. */
const smallestPacket = 400;
/** Times that a packet is sent again that arrived damaged. */
const resends = 5;
/** Signs and packets that are kept unread. A target that talks through its probe does so while nobody listens. */
const mostUnread = 64;

/** HOST:PORT, or the path of a Unix socket. Throws LinkError. */
function dial(address: string): Promise<Transport> {
  const tcp = hostAndPort(address);
  return tcp === undefined ? openPath(address) : openSocket(tcp.host, tcp.port);
}

/** Connects to a probe's server and lets the target run. Throws LinkError. */
export const openProbe = (address: string, options: ProbeOptions = {}): Promise<Probe> =>
  openProbeOver(() => dial(address), options);

/** The same over any transport; `open` is called once more where a connection breaks that may have left the target halted. */
export async function openProbeOver(open: () => Promise<Transport>, options: ProbeOptions = {}): Promise<Probe> {
  const connection = await Connection.open(await open(), options);
  let over: string | undefined;
  let queue: Promise<unknown> = Promise.resolve();
  const now = async <T>(work: () => Promise<T>): Promise<T> => {
    if (over !== undefined) throw new LinkError(over);
    try {
      return await connection.whileHalted(work);
    } catch (error) {
      over = error instanceof Error ? error.message : String(error);
      await connection.close();
      await letRun(open, options);
      throw error;
    }
  };
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const turn = queue.then(() => now(work));
    queue = turn.catch(() => undefined);
    return turn;
  };
  return {
    name: connection.name,
    write: (address, bytes) => inTurn(() => connection.write(address, bytes)),
    read: (address, bytes) => inTurn(() => connection.read(address, bytes)),
    close: () => connection.close(),
  };
}

/** A new connection, which halts the target, and the word to go on. Where there is none, nobody can. */
async function letRun(open: () => Promise<Transport>, options: ProbeOptions): Promise<void> {
  try {
    const connection = await Connection.open(await open(), options);
    await connection.close();
  } catch (error) {
    if (!(error instanceof LinkError)) throw error;
  }
}

const tellsStop = (data: string): boolean => /^[ST][0-9a-f]{2}/i.test(data);

class Connection {
  readonly name: string;
  private readonly transport: Transport;
  private readonly patience: number;
  /** What came and was not looked at yet; somebody may wait for more. */
  private inbox: Heard[] = [];
  private wake: () => void = () => undefined;
  private gone: string | undefined;
  private acks: 'sent' | 'none' = 'sent';
  private dataRoom = smallestPacket;
  private form: 'binary' | 'hex' = 'hex';

  private constructor(transport: Transport, options: ProbeOptions) {
    this.name = transport.name;
    this.transport = transport;
    this.patience = options.patienceMs ?? 1000;
    transport.onData(
      packetSplitter((what) => {
        this.inbox.push(what);
        if (this.inbox.length > mostUnread) this.inbox.shift();
        this.wake();
      }),
    );
    transport.onClose((reason) => {
      this.gone ??= reason;
      this.wake();
    });
  }

  /** Learns what the stub can do, and lets the target run: stubs halt it when somebody connects. */
  static async open(transport: Transport, options: ProbeOptions): Promise<Connection> {
    const c = new Connection(transport, options);
    try {
      await c.greet();
    } catch (error) {
      await c.close();
      throw error;
    }
    return c;
  }

  private async greet(): Promise<void> {
    await this.transport.write(Buffer.from('+'));
    const features = (await this.ask('qSupported:swbreak+')).split(';');
    const size = Number.parseInt(features.find((f) => f.startsWith('PacketSize='))?.slice(11) ?? '0', 16);
    if (size > 64) this.dataRoom = size;
    if (features.includes('QStartNoAckMode+') && (await this.ask('QStartNoAckMode')) === 'OK') this.acks = 'none';
    const stopped = await this.ask('?');
    if (!tellsStop(stopped))
      throw this.broken(`the probe's target is in no state to be used (${stopped || 'no answer'})`);
    this.form = (await this.ask('X0,0:')) === 'OK' ? 'binary' : 'hex';
    await this.go();
  }

  /** The target stands still during `work`, and runs on whatever comes of it. */
  async whileHalted<T>(work: () => Promise<T>): Promise<T> {
    await this.halt();
    try {
      return await work();
    } finally {
      if (this.gone === undefined) await this.go();
    }
  }
  async write(address: number, bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      const part = this.part(bytes.subarray(at));
      const where = (address + at).toString(16);
      const command = this.form === 'binary' ? 'X' : 'M';
      const head = Buffer.from(`${command}${where},${part.taken.toString(16)}:`);
      const said = await this.ask(Buffer.concat([head, part.data]));
      if (said !== 'OK')
        throw this.broken(`the probe cannot write at 0x${where}: ${said || 'it knows no such command'}`);
      at += part.taken;
    }
  }
  async read(address: number, bytes: number): Promise<Uint8Array> {
    const said = await this.ask(`m${address.toString(16)},${bytes.toString(16)}`);
    const got = Buffer.from(said, 'hex');
    if (got.length !== bytes) throw this.broken(`the probe cannot read at 0x${address.toString(16)}: ${said}`);
    return got;
  }

  async close(): Promise<void> {
    this.gone ??= 'the probe was closed';
    await this.transport.close();
  }

  /** As much as fits a packet beside its frame, command, address and count, in the form that the stub takes. */
  private part(bytes: Uint8Array): { readonly taken: number; readonly data: Uint8Array } {
    const room = this.dataRoom - 32;
    const taken = Math.min(bytes.length, Math.floor(room / 2));
    const some = bytes.subarray(0, taken);
    return { taken, data: this.form === 'binary' ? escaped(some) : Buffer.from(Buffer.from(some).toString('hex')) };
  }

  private async halt(): Promise<void> {
    await this.send(Uint8Array.of(3));
    for (;;) {
      const what = await this.expected();
      if (what.what !== 'packet') continue;
      await this.acknowledge();
      if (tellsStop(what.data)) return;
    }
  }
  /** No answer comes before the target stops again. */
  private go(): Promise<void> {
    return this.deliver(packet(Buffer.from('c')));
  }

  /** A command and its answer. What tells that the target stopped answers only the question for that. */
  private async ask(command: string | Uint8Array): Promise<string> {
    await this.deliver(packet(typeof command === 'string' ? Buffer.from(command) : command));
    for (let times = 0; times < resends; ) {
      const what = await this.expected();
      if (what.what === 'packet') {
        await this.acknowledge();
        if (command === '?' || !tellsStop(what.data)) return what.data;
      }
      if (what.what !== 'damaged') continue;
      times++;
      await this.transport.write(Buffer.from('-'));
    }
    throw this.broken('the probe answers nothing that can be read');
  }

  /** Sends a packet; where acknowledgements are given, again until one comes. */
  private async deliver(bytes: Uint8Array): Promise<void> {
    for (let times = 0; times < resends; times++) {
      await this.send(bytes);
      if (this.acks === 'none' || (await this.acknowledged())) return;
    }
    throw this.broken('the probe does not take what is sent; does a GDB server listen there?');
  }
  private async acknowledged(): Promise<boolean> {
    for (;;) {
      const what = await this.next();
      if (what?.what !== 'packet') return what?.what === 'ack';
      // Word of a stop that crossed our packet.
      await this.acknowledge();
    }
  }
  private async send(bytes: Uint8Array): Promise<void> {
    if (this.gone !== undefined) throw this.broken(this.gone);
    this.inbox = [];
    await this.transport.write(bytes);
  }
  private async acknowledge(): Promise<void> {
    if (this.acks === 'sent') await this.transport.write(Buffer.from('+'));
  }

  /** What came next, or undefined for silence. Throws LinkError where the connection is gone. */
  private async next(): Promise<Heard | undefined> {
    if (this.inbox.length === 0) await this.something();
    const what = this.inbox.shift();
    if (what === undefined && this.gone !== undefined) throw this.broken(this.gone);
    return what;
  }
  private async expected(): Promise<Heard> {
    const what = await this.next();
    if (what === undefined) throw this.broken(`the probe gave no answer in ${this.patience} ms`);
    return what;
  }
  private something(): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.wake = () => undefined;
        resolve();
      };
      const timer = setTimeout(done, this.patience);
      this.wake = done;
      if (this.gone !== undefined) done();
    });
  }

  private broken(reason: string): LinkError {
    return new LinkError(`${this.name}: ${reason}`);
  }
}

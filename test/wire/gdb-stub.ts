/**
 * A GDB server of paper, for what the real one at hand does not do: binary writes, small packets, acknowledgements, damage on
 * the line. It halts when somebody connects, refuses to write while the target runs, and remembers how it was left.
 */
import { type Heard, packet, packetSplitter } from '../../firmware-rpc/host/gdb-packets.ts';
import type { Transport } from '../../firmware-rpc/host/transport.ts';

export interface StubOptions {
  readonly form: 'binary' | 'hex';
  readonly acks: 'needed' | 'dropped';
  readonly packetBytes: number;
  /** May change what goes either way. */
  readonly damage?: (bytes: Uint8Array) => Uint8Array;
  /** Packets after which the connection breaks. */
  readonly breaksAfter?: number;
}

const latin = (text: string): Uint8Array => Buffer.from(text, 'latin1');

export class GdbStub {
  readonly memory = new Map<number, number>();
  state: 'halted' | 'running' = 'running';
  longest = 0;
  writes = 0;
  connections = 0;
  private readonly o: StubOptions;
  constructor(options: StubOptions) {
    this.o = options;
  }

  /** A new connection. */
  open = async (): Promise<Transport> => {
    this.connections++;
    this.state = 'halted';
    let deliver: (bytes: Uint8Array) => void = () => undefined;
    let closed: (reason: string) => void = () => undefined;
    let last: Uint8Array = latin('');
    let acks = true;
    let seen = 0;
    let open = true;
    const damage = this.o.damage ?? ((bytes: Uint8Array): Uint8Array => bytes);
    const send = (bytes: Uint8Array): void => {
      setImmediate(() => open && deliver(damage(bytes)));
    };
    const answer = (data: string): void => {
      last = packet(latin(data));
      send(last);
    };
    const hear = (what: Heard): void => {
      if (what.what === 'nack') return send(last);
      if (what.what === 'damaged') return send(latin('-'));
      if (what.what !== 'packet' || !open) return;
      if (acks) send(latin('+'));
      if (++seen > (this.o.breaksAfter ?? Number.POSITIVE_INFINITY) && this.connections === 1) {
        open = false;
        return closed('the stub is gone');
      }
      const said = this.execute(what.data);
      if (what.data === 'QStartNoAckMode') acks = this.o.acks === 'needed';
      if (said !== undefined) answer(said);
    };
    const split = packetSplitter(hear);
    return {
      name: 'a stub',
      write: async (bytes) => {
        this.longest = Math.max(this.longest, bytes.length);
        if (bytes.length === 1 && bytes[0] === 3) {
          this.state = 'halted';
          answer('T02thread:01;');
        } else split(damage(bytes));
      },
      onData: (listener) => {
        deliver = listener;
      },
      onClose: (listener) => {
        closed = listener;
      },
      close: async () => {
        open = false;
      },
    };
  };

  private execute(command: string): string | undefined {
    if (command.startsWith('qSupported'))
      return `PacketSize=${this.o.packetBytes.toString(16)}${this.o.acks === 'dropped' ? ';QStartNoAckMode+' : ''}`;
    if (command === 'QStartNoAckMode') return 'OK';
    if (command === '?') return 'S05';
    if (command === 'c') {
      this.state = 'running';
      return undefined;
    }
    return command.startsWith('m') ? this.read(command) : this.write(command);
  }
  private read(command: string): string {
    const [, address, count] = /^m([0-9a-f]+),([0-9a-f]+)$/.exec(command) ?? [];
    if (this.state === 'running' || count === undefined) return 'E01';
    const at = Number.parseInt(address ?? '', 16);
    return Array.from({ length: Number.parseInt(count, 16) }, (_, i) =>
      (this.memory.get(at + i) ?? 0).toString(16).padStart(2, '0'),
    ).join('');
  }
  private write(command: string): string {
    const [, form, address, count, data] = /^([XM])([0-9a-f]+),([0-9a-f]+):(.*)$/s.exec(command) ?? [];
    if (data === undefined || (form === 'X' && this.o.form === 'hex')) return '';
    const bytes = form === 'X' ? latin(data) : Buffer.from(data, 'hex');
    if (this.state === 'running' || bytes.length !== Number.parseInt(count ?? '', 16)) return 'E01';
    for (const [i, b] of bytes.entries()) this.memory.set(Number.parseInt(address ?? '', 16) + i, b);
    if (bytes.length > 0) this.writes++;
    return 'OK';
  }
}

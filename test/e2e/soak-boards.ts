/**
 * Boards for a farm under attack: emulators that listen at an address of their own for as long as they are plugged in, behind a line
 * that loses and changes frames, and that can be told to lie. What they have really done is on their side of the line.
 */
import type { ChildProcess } from 'node:child_process';
import { createServer, type Server, type Socket } from 'node:net';
import { decodeFrame, encodeFrame, frameSplitter } from '../../firmware-rpc/host/frame.ts';
import { commands, statuses } from '../../firmware-rpc/protocol.ts';
import { plugIn } from '../plugged-in.ts';
import { Random } from '../unit/random.ts';

/** What a board gets wrong: its counts, or the checksums of what it computed. */
export type Lie = 'none' | 'counts' | 'answers';

/** A count that no honest board gives: half of the true one, as a search would love, and marked. */
const mark = 0xbeef;
const lieAbout = (count: number): number => Math.floor(count / 2 / 65_536) * 65_536 + mark;
export const isLie = (count: number): boolean => count % 65_536 === mark;

/** Chance that something happens to a frame. */
const faultiness = 0.003;

async function listen(
  onConnection: (socket: Socket) => void,
): Promise<{ readonly server: Server; readonly port: number }> {
  const server = createServer((socket) => {
    socket.setNoDelay(true);
    socket.on('error', () => undefined);
    onConnection(socket);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const at = server.address();
  if (at === null || typeof at !== 'object') throw new Error('a listener without an address');
  return { server, port: at.port };
}

export class SoakBoard {
  /** Where the daemon finds it. */
  readonly address: string;
  lie: Lie = 'none';
  /** Calls that it answered, lies that it told. */
  calls = 0;
  lies = 0;
  faults = 0;
  private readonly elf: string;
  private readonly random: Random;
  private readonly servers: readonly Server[];
  private readonly uart: number;
  private child: ChildProcess | undefined;
  private board: Socket | undefined;
  private host: Socket | undefined;
  private over = false;

  static async start(elf: string, seed: number): Promise<SoakBoard> {
    const to: { board?: SoakBoard } = {};
    const host = await listen((socket) => to.board?.hostCame(socket));
    const uart = await listen((socket) => to.board?.boardCame(socket));
    const made = new SoakBoard(elf, seed, host, uart);
    to.board = made;
    made.power();
    return made;
  }

  private constructor(
    elf: string,
    seed: number,
    host: { server: Server; port: number },
    uart: { server: Server; port: number },
  ) {
    this.elf = elf;
    this.random = new Random(seed);
    this.address = `127.0.0.1:${host.port}`;
    this.uart = uart.port;
    this.servers = [host.server, uart.server];
  }

  /** Its power goes, and comes back. */
  kill(): void {
    this.child?.kill('SIGKILL');
  }
  freeze(): void {
    this.child?.kill('SIGSTOP');
  }
  thaw(): void {
    this.child?.kill('SIGCONT');
  }
  /** The line to it breaks. */
  cut(): void {
    this.host?.destroy();
  }
  end(): void {
    this.over = true;
    this.kill();
    for (const socket of [this.host, this.board]) socket?.destroy();
    for (const server of this.servers) server.close();
  }

  private power(): void {
    const uart = ['-chardev', `socket,id=uart,host=127.0.0.1,port=${this.uart},nodelay=on`, '-serial', 'chardev:uart'];
    const { child, path } = plugIn(this.elf, uart);
    // It has none; that is told when it ends.
    path.catch(() => undefined);
    this.child = child;
    child.once('close', () => this.over || this.power());
  }
  private boardCame(socket: Socket): void {
    this.board = socket;
    const splitter = frameSplitter((payload) => this.toHost(payload));
    socket.on('data', splitter);
  }
  /** One host at a time, as on any serial line. */
  private hostCame(socket: Socket): void {
    this.host?.destroy();
    this.host = socket;
    socket.on('data', (bytes) => {
      if (!this.happens()) this.board?.write(bytes);
    });
  }

  private happens(): boolean {
    const yes = this.random.next() < faultiness;
    if (yes) this.faults++;
    return yes;
  }

  private toHost(payload: Uint8Array): void {
    const frame = encodeFrame(this.told(payload));
    // Lost, or changed so that its checksum shows it.
    if (this.happens()) {
      if (this.random.int(0, 1) === 0) return;
      frame[this.random.int(1, frame.length - 2)] = 1 + this.random.int(0, 254);
      if (decodeFrame(frame.subarray(1, -1)) !== undefined) return;
    }
    this.host?.write(frame);
  }

  /** An answer: number, command with bit 7, status, body. */
  private told(payload: Uint8Array): Uint8Array {
    const [, command = 0, status] = payload;
    if (status !== statuses.OK) return payload;
    const lied = payload.slice();
    const body = new DataView(lied.buffer, 3);
    if (command === (commands.CALL | 0x80)) {
      this.calls++;
      if (this.lie !== 'counts') return payload;
      for (let at = 8; at + 8 <= body.byteLength; at += 8)
        body.setBigUint64(at, BigInt(lieAbout(Number(body.getBigUint64(at, true)))), true);
    } else if (command === (commands.CRC | 0x80) && this.lie === 'answers')
      body.setUint32(0, body.getUint32(0, true) ^ 0x10, true);
    else return payload;
    this.lies++;
    return lied;
  }
}

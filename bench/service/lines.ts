/**
 * GET over connections that stay open, with as little of the processor as can be: what asks shares it with what is measured. Reads
 * only what the daemon sends: heads with a content-length.
 */
import { connect, type Socket } from 'node:net';

const headEnd = Buffer.from('\r\n\r\n');

/** One connection, on which one question is under way at a time. */
class Line {
  private readonly socket: Socket;
  private readonly host: string;
  private answered: ((status: number) => void) | undefined;
  /** Of the answer that is coming; undefined until its head is whole. */
  private status: number | undefined;
  private left = 0;
  private head = Buffer.alloc(0);
  usable = true;

  constructor({ hostname, port, host }: URL) {
    this.host = host;
    this.socket = connect(Number(port), hostname);
    this.socket.setNoDelay();
    this.socket.on('data', (piece) => this.take(piece));
    this.socket.on('close', () => this.end(0));
    // 'close' follows.
    this.socket.on('error', () => undefined);
  }

  /** The status; 0 where the connection broke. */
  get(path: string): Promise<number> {
    return new Promise((answered) => {
      this.answered = answered;
      this.socket.write(`GET ${path} HTTP/1.1\r\nhost: ${this.host}\r\n\r\n`);
    });
  }
  close(): void {
    this.socket.destroy();
  }

  private take(piece: Buffer): void {
    let body = piece.length;
    if (this.status === undefined) {
      this.head = Buffer.concat([this.head, piece]);
      const end = this.head.indexOf(headEnd);
      if (end < 0) return;
      const text = this.head.toString('latin1', 0, end);
      this.status = Number(text.slice(9, 12));
      this.left = Number(/\r\ncontent-length: (\d+)/i.exec(text)?.[1] ?? 0);
      body = this.head.length - end - headEnd.length;
      this.head = Buffer.alloc(0);
    }
    this.left -= body;
    if (this.left <= 0) this.end(this.status);
  }
  private end(status: number): void {
    this.usable &&= status !== 0;
    this.status = undefined;
    const { answered } = this;
    this.answered = undefined;
    answered?.(status);
  }
}

/** Connections to one daemon; `most` at a time, beyond that questions wait for their turn. */
export class Lines {
  private readonly url: URL;
  private readonly most: number;
  private readonly all = new Set<Line>();
  private readonly free: Line[] = [];
  private readonly waiting: ((line: Line) => void)[] = [];

  constructor(url: string, most: number) {
    this.url = new URL(url);
    this.most = most;
  }

  async get(path: string): Promise<number> {
    const line = await this.take();
    const status = await line.get(path);
    this.giveBack(line);
    return status;
  }
  close(): void {
    for (const line of this.all) line.close();
  }

  private async take(): Promise<Line> {
    const free = this.free.pop();
    if (free !== undefined) return free;
    if (this.all.size < this.most) return this.opened();
    return new Promise((turn) => this.waiting.push(turn));
  }
  private opened(): Line {
    const line = new Line(this.url);
    this.all.add(line);
    return line;
  }
  private giveBack(line: Line): void {
    if (!line.usable) this.all.delete(line);
    const next = this.waiting.shift();
    const good = line.usable ? line : next && this.opened();
    if (next !== undefined && good !== undefined) next(good);
    else if (line.usable) this.free.push(line);
  }
}

/**
 * Requests and their answers over a Transport: one request at a time, sent again until its answer arrives. The device
 * executes a request once however often it comes (SPEC.md), so sending again is always safe. Must stay true: never more than
 * `window` bytes unacknowledged (serialport's Linux binding stalls when a write has to wait); every request ends, with an answer
 * or a LinkError, whatever the transport does; after a LinkError the link is over, and only a new one helps.
 */
import { type Command, commands, statuses } from '../protocol.ts';
import { Reader } from './bytes.ts';
import { LinkError } from './device.ts';
import { encodeFrame, frameSplitter } from './frame.ts';
import type { Transport } from './transport.ts';

export interface LinkOptions {
  /** How long an answer may take before the request is sent again, ms. */
  readonly patienceMs?: number;
  /** Times that an answer is waited for before the link is given up. */
  readonly attempts?: number;
}
export interface Answer {
  readonly status: number;
  readonly body: Reader;
}
export interface Request {
  readonly command: Command;
  readonly body: Uint8Array;
  /** What the device may need for the work itself, ms; 0 where that is nothing beside the link. */
  readonly allowanceMs?: number;
  /** Refuses an answer that belongs to somebody else's request; all are taken without it. */
  readonly accepts?: (body: Uint8Array) => boolean;
}

/** Most bytes that are sent without a sign of life from the device. */
const window = 4096;

export const restarted = 'the device has restarted; what was loaded is gone';
/** A restart that the request itself may have caused: asked for it, or called what may have written over the firmware. */
const mayHaveRestarted = (request: Request, attempt: number): boolean =>
  request.command === 'RESET' || (request.command === 'CALL' && attempt > 0);

interface Waiting {
  readonly request: Request;
  resolve(answer: Answer | undefined): void;
}

export class Link {
  readonly traffic = { sent: 0, received: 0 };
  private readonly transport: Transport;
  private readonly patience: number;
  private readonly attempts: number;
  private seq = 0;
  private waiting: Waiting | undefined;
  /** Why nothing can be sent any more. */
  private over: string | undefined;
  private queue: Promise<unknown> = Promise.resolve();
  private unacknowledged = 0;
  private nextFrame: Uint8Array | undefined;
  private writing = false;

  constructor(transport: Transport, options: LinkOptions) {
    this.transport = transport;
    this.patience = options.patienceMs ?? 1000;
    this.attempts = options.attempts ?? 12;
    const split = frameSplitter((payload) => this.arrived(payload));
    transport.onData((chunk) => {
      this.traffic.received += chunk.length;
      split(chunk);
    });
    transport.onClose((reason) => this.end(reason));
  }

  /** A second request waits for the first. Throws LinkError. */
  request(request: Request): Promise<Answer> {
    const turn = this.queue.then(() => this.exchange(request));
    this.queue = turn.catch(() => undefined);
    return turn;
  }
  async close(): Promise<void> {
    this.end('the link was closed');
    await this.transport.close();
  }
  /** Ends the link for good, with what there is to say about it. */
  end(reason: string): LinkError {
    this.over ??= reason;
    this.waiting?.resolve(undefined);
    return new LinkError(`${this.transport.name}: ${this.over}`);
  }

  private async exchange(request: Request): Promise<Answer> {
    const allowance = request.allowanceMs ?? 0;
    this.seq = (this.seq % 255) + 1;
    this.unacknowledged = 0;
    const frame = encodeFrame(Uint8Array.from([this.seq, commands[request.command], ...request.body]));
    let waited = 0;
    for (let attempt = 0; attempt < this.attempts || waited < allowance; attempt++) {
      if (this.over !== undefined) throw this.end(this.over);
      // Soon at first, for a request that was lost; seldom later, for the device is at work.
      const pause = Math.min(this.patience * 2 ** attempt, Math.max(this.patience, allowance / 4));
      const answer = this.answerTo(request, pause);
      this.send(frame);
      const got = await answer;
      if (got?.status === statuses.NO_SESSION && !mayHaveRestarted(request, attempt)) throw this.end(restarted);
      if (got !== undefined) return got;
      waited += pause;
    }
    throw this.end(
      this.over ??
        `no answer to ${request.command} in ${Math.round(waited)} ms; is it a board with microtune's firmware, powered, and at this speed?`,
    );
  }

  private answerTo(request: Request, pause: number): Promise<Answer | undefined> {
    return new Promise((resolve) => {
      const done = (answer: Answer | undefined): void => {
        clearTimeout(timer);
        this.waiting = undefined;
        this.nextFrame = undefined;
        resolve(answer);
      };
      const timer = setTimeout(() => done(undefined), pause);
      this.waiting = { request, resolve: done };
    });
  }

  /** One write at a time: where the port takes no more, a frame waits, and a later one takes its place. */
  private send(frame: Uint8Array): void {
    if (this.unacknowledged + frame.length > window) return;
    this.unacknowledged += frame.length;
    this.nextFrame = frame;
    if (!this.writing) void this.write();
  }
  private async write(): Promise<void> {
    this.writing = true;
    try {
      for (let frame = this.nextFrame; frame !== undefined; frame = this.nextFrame) {
        this.nextFrame = undefined;
        this.traffic.sent += frame.length;
        await this.transport.write(frame);
      }
    } catch (error) {
      this.end(error instanceof Error ? error.message : String(error));
    }
    this.writing = false;
  }

  private arrived(payload: Uint8Array): void {
    const w = this.waiting;
    this.unacknowledged = 0;
    // Answers to earlier tries of other requests, or of another session, are nobody's.
    if (w === undefined || payload.length < 3) return;
    if (payload[0] !== this.seq || payload[1] !== (commands[w.request.command] | 0x80)) return;
    const [status, body] = [payload[2] as number, payload.slice(3)];
    if (status === statuses.OK && w.request.accepts?.(body) === false) return;
    w.resolve({ status, body: new Reader(body) });
  }
}

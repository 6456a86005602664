/**
 * Events (Server-Sent Events) to all who follow a job, or all jobs. Must stay true: each gets every event behind the last that it
 * saw, once, in order; an event is read and put into text once for all who are equally far; a thousand who follow are served in
 * parts, so that others have their turn.
 */
import type { ServerResponse } from 'node:http';
import { StoreError } from '../db/index.ts';
import type { JobEvent } from '../db/types.ts';

/** Milliseconds between comments that keep proxies and clients from giving up on a quiet stream. */
const heartbeatMs = 15_000;
/** Events read at once: few, as a slow client takes few. */
const page = 32;
/** Streams that are served in one turn of the event loop. */
const atOnce = 50;

/** Where a channel takes its events from. */
export interface Source {
  listen(listener: () => void): () => void;
  read(after: number, limit: number): readonly JobEvent[];
  /** What of an event is sent. */
  dataOf(event: JobEvent): object;
  isLast(event: JobEvent): boolean;
}
/** An event as it is sent. */
interface Shown {
  readonly id: number;
  readonly bytes: Buffer;
  readonly isLast: boolean;
}

/** What all have in common that follow one source. */
export class Channel {
  private readonly source: Source;
  private readonly streams = new Set<EventStream>();
  /** Those that have not heard of the latest event. */
  private readonly due = new Set<EventStream>();
  private serving = false;
  private latest: { readonly after: number; readonly events: readonly Shown[] } | undefined;
  private deaf: () => void = () => undefined;

  constructor(source: Source) {
    this.source = source;
  }

  /** Answers with all events after `after`, and those to come. `empty`: nobody follows any more. */
  follow(after: number, to: ServerResponse, empty: () => void): void {
    if (this.streams.size === 0) this.deaf = this.source.listen(() => this.announced());
    const stream = new EventStream(this, after, to);
    this.streams.add(stream);
    stream.start(() => {
      this.streams.delete(stream);
      this.due.delete(stream);
      if (this.streams.size > 0) return;
      this.deaf();
      empty();
    });
  }

  /** At most a page. */
  after(id: number): readonly Shown[] {
    if (this.latest?.after !== id)
      this.latest = { after: id, events: this.source.read(id, page).map((e) => this.shown(e)) };
    return this.latest.events;
  }

  private shown(e: JobEvent): Shown {
    const text = `id: ${e.id}\nevent: ${e.type}\ndata: ${JSON.stringify(this.source.dataOf(e))}\n\n`;
    return { id: e.id, bytes: Buffer.from(text), isLast: this.source.isLast(e) };
  }

  private announced(): void {
    this.latest = undefined;
    for (const stream of this.streams) this.due.add(stream);
    if (!this.serving) this.serve();
  }
  private serve(): void {
    let served = 0;
    for (const stream of this.due) {
      this.due.delete(stream);
      stream.push();
      if (++served === atOnce) break;
    }
    this.serving = this.due.size > 0;
    if (this.serving) setImmediate(() => this.serve());
  }
}

class EventStream {
  private readonly channel: Channel;
  private readonly to: ServerResponse;
  private after: number;
  private state: 'flowing' | 'full' | 'over' = 'flowing';

  constructor(channel: Channel, after: number, to: ServerResponse) {
    this.channel = channel;
    this.after = after;
    this.to = to;
  }

  start(closed: () => void): void {
    const heartbeat = setInterval(() => this.state === 'flowing' && this.write(': here\n\n'), heartbeatMs);
    this.to.on('close', () => {
      this.state = 'over';
      clearInterval(heartbeat);
      closed();
    });
    this.to.writeHead(200, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-cache',
      'x-accel-buffering': 'no',
    });
    this.write(': events\n\n');
    this.push();
  }

  /** Sends what there is beyond what was sent, as long as the client takes it. */
  push(): void {
    while (this.state === 'flowing') {
      const events = this.read();
      for (const e of events) {
        if (this.state !== 'flowing') break;
        this.after = e.id;
        this.write(e.bytes);
        if (e.isLast) this.end();
      }
      if (events.length < page) return;
    }
  }
  /** Where the database cannot be read the stream breaks off: its client comes back. */
  private read(): readonly Shown[] {
    try {
      return this.channel.after(this.after);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      this.to.destroy();
      return [];
    }
  }

  private write(piece: string | Buffer): void {
    if (this.to.write(piece) || this.state !== 'flowing') return;
    this.state = 'full';
    this.to.once('drain', () => {
      if (this.state !== 'full') return;
      this.state = 'flowing';
      this.push();
    });
  }
  private end(): void {
    this.state = 'over';
    this.to.end();
  }
}

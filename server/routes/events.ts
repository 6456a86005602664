/**
 * Events as streams (Server-Sent Events): of one job, or of all. Must stay true: a client that comes back with the last id that it
 * saw gets nothing twice and misses nothing but events that were thinned meanwhile; a job's stream ends after the event that ends
 * the job.
 */
import type { ServerResponse } from 'node:http';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import type { JobEvent, JobState } from '../../db/types.ts';
import { type AppContext, jobOf, orThrow } from '../api.ts';
import { everyJob } from '../feed.ts';
import { ended } from '../jobs/states.ts';
import { ErrorBody, IdParams } from '../schemas/index.ts';

/** Milliseconds between comments that keep proxies and clients from giving up on a quiet stream. */
const heartbeatMs = 15_000;
/** Events read at once: few, as a slow client takes few. */
const page = 32;
/** Written by hand, see below. */
const Stream = Type.Unsafe<string>({ type: 'string', contentMediaType: 'text/event-stream' });
const EventId = Type.Optional(Type.Integer({ minimum: 0 }));
const After = {
  produces: ['text/event-stream'],
  querystring: Type.Object({ after: EventId }, { additionalProperties: false }),
  headers: Type.Object({ 'last-event-id': EventId }),
};

export const eventRoutes =
  (c: AppContext): FastifyPluginAsyncTypebox =>
  async (app) => {
    app.get(
      '/v1/jobs/:id/events',
      {
        schema: {
          ...After,
          summary: "A job's events, past and to come",
          description: 'text/event-stream; 204 when the job has ended and there is nothing after Last-Event-ID.',
          params: IdParams,
          response: { 200: Stream, 204: Type.Null(), '4xx': ErrorBody },
        },
      },
      async (request, reply) => {
        const { id, state } = orThrow(jobOf(c, request.params.id));
        const after = request.headers['last-event-id'] ?? request.query.after ?? 0;
        if (ended(state) && c.store.events(id, after, 1).length === 0) return reply.code(204).send(null);
        reply.hijack();
        new EventStream(ofJob(c, id), after, reply.raw).start();
        return reply;
      },
    );

    app.get(
      '/v1/events',
      {
        schema: {
          ...After,
          summary: 'Events of all jobs, from now on or behind Last-Event-ID',
          description: 'text/event-stream that does not end; the data of each event names its job.',
          response: { 200: Stream, '4xx': ErrorBody },
        },
      },
      async (request, reply) => {
        const after = request.headers['last-event-id'] ?? request.query.after ?? c.store.lastEventId();
        reply.hijack();
        new EventStream(ofAll(c), after, reply.raw).start();
        return reply;
      },
    );
  };

/** Where a stream takes its events from. */
interface Source {
  listen(listener: () => void): () => void;
  read(after: number): readonly JobEvent[];
  textOf(event: JobEvent): string;
  isLast(event: JobEvent): boolean;
}
const textOf = (e: JobEvent, data: object): string =>
  `id: ${e.id}\nevent: ${e.type}\ndata: ${JSON.stringify(data)}\n\n`;

const ofJob = ({ store, feed }: AppContext, job: string): Source => ({
  listen: (listener) => feed.listen(job, listener),
  read: (after) => store.events(job, after, page),
  textOf: (e) => textOf(e, { ...e.data, at: e.at }),
  isLast: (e) => e.type === 'state' && ended(e.data.state as JobState),
});
const ofAll = ({ store, feed }: AppContext): Source => ({
  listen: (listener) => feed.listen(everyJob, listener),
  read: (after) => store.allEvents(after, page),
  textOf: (e) => textOf(e, { ...e.data, at: e.at, job: e.job }),
  isLast: () => false,
});

class EventStream {
  private readonly source: Source;
  private readonly to: ServerResponse;
  private after: number;
  private state: 'flowing' | 'full' | 'over' = 'flowing';

  constructor(source: Source, after: number, to: ServerResponse) {
    this.source = source;
    this.after = after;
    this.to = to;
  }

  start(): void {
    const stopListening = this.source.listen(() => this.push());
    const heartbeat = setInterval(() => this.state === 'flowing' && this.write(': here\n\n'), heartbeatMs);
    this.to.on('close', () => {
      this.state = 'over';
      stopListening();
      clearInterval(heartbeat);
    });
    this.to.writeHead(200, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-cache',
      'x-accel-buffering': 'no',
    });
    this.write(': events\n\n');
    this.push();
  }

  /** Sends what the store has beyond what was sent, as long as the client takes it. */
  private push(): void {
    while (this.state === 'flowing') {
      const events = this.source.read(this.after);
      for (const e of events) {
        if (this.state !== 'flowing') break;
        this.after = e.id;
        this.write(this.source.textOf(e));
        if (this.source.isLast(e)) this.end();
      }
      if (events.length < page) return;
    }
  }

  private write(text: string): void {
    if (this.to.write(text) || this.state !== 'flowing') return;
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

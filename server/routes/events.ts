/**
 * A job's events as a stream (Server-Sent Events). Must stay true: a client that comes back with the last id that it saw
 * misses nothing and gets nothing twice; the stream ends after the event that ends the job.
 */
import type { ServerResponse } from 'node:http';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import type { JobEvent, JobState } from '../../db/types.ts';
import { type AppContext, jobOf, orThrow } from '../api.ts';
import { ended } from '../jobs.ts';
import { ErrorBody } from '../schemas/index.ts';

/** Milliseconds between comments that keep proxies and clients from giving up on a quiet stream. */
const heartbeatMs = 15_000;
/** Events read at once: few, as a slow client takes few. */
const page = 32;
const EventId = Type.Optional(Type.Integer({ minimum: 0 }));

export const eventRoutes =
  (c: AppContext): FastifyPluginAsyncTypebox =>
  async (app) => {
    app.get(
      '/v1/jobs/:id/events',
      {
        schema: {
          summary: "A job's events, past and to come",
          description: 'text/event-stream; 204 when the job has ended and there is nothing after Last-Event-ID.',
          produces: ['text/event-stream'],
          params: Type.Object({ id: Type.String() }),
          querystring: Type.Object({ after: EventId }),
          headers: Type.Object({ 'last-event-id': EventId }),
          response: { 204: Type.Null(), '4xx': ErrorBody },
        },
      },
      async (request, reply) => {
        const job = orThrow(jobOf(c, request.params.id));
        const after = request.headers['last-event-id'] ?? request.query.after ?? 0;
        if (ended(job.state) && c.store.events(job.id, after, 1).length === 0) return reply.code(204).send(null);
        reply.hijack();
        new EventStream(c, job.id, after, reply.raw).start();
        return reply;
      },
    );
  };

const textOf = (e: JobEvent): string =>
  `id: ${e.id}\nevent: ${e.type}\ndata: ${JSON.stringify({ ...e.data, at: e.at })}\n\n`;
const isLast = (e: JobEvent): boolean => e.type === 'state' && ended(e.data.state as JobState);

class EventStream {
  private readonly c: AppContext;
  private readonly job: string;
  private readonly to: ServerResponse;
  private after: number;
  private state: 'flowing' | 'full' | 'over' = 'flowing';

  constructor(c: AppContext, job: string, after: number, to: ServerResponse) {
    this.c = c;
    this.job = job;
    this.after = after;
    this.to = to;
  }

  start(): void {
    const stopListening = this.c.feed.listen(this.job, () => this.push());
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
      const events = this.c.store.events(this.job, this.after, page);
      for (const e of events) {
        if (this.state !== 'flowing') break;
        this.after = e.id;
        this.write(textOf(e));
        if (isLast(e)) this.end();
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

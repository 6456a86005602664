/**
 * Events as streams (Server-Sent Events): of one job, or of all. Must stay true: a client that comes back with the last id that it
 * saw gets nothing twice and misses nothing but events that were thinned meanwhile; a job's stream ends after the event that ends
 * the job.
 */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply } from 'fastify';
import { Type } from 'typebox';
import type { JobState } from '../../db/types.ts';
import { type AppContext, jobOf, orThrow } from '../api.ts';
import { Channel, type Source } from '../event-streams.ts';
import { everyJob } from '../feed.ts';
import { ended } from '../jobs/states.ts';
import { ErrorBody, IdParams } from '../schemas/index.ts';

/** Written by hand: event-streams.ts. */
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
    /** Those that somebody follows, by job, or `everyJob`. */
    const channels = new Map<string, Channel>();
    const follow = (key: string, source: () => Source, after: number, reply: FastifyReply): FastifyReply => {
      const channel = channels.get(key) ?? new Channel(source());
      channels.set(key, channel);
      reply.hijack();
      channel.follow(after, reply.raw, () => channels.delete(key));
      return reply;
    };

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
        return follow(id, () => ofJob(c, id), after, reply);
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
        return follow(everyJob, () => ofAll(c), after, reply);
      },
    );
  };

const ofJob = ({ store, feed }: AppContext, job: string): Source => ({
  listen: (listener) => feed.listen(job, listener),
  read: (after, limit) => store.events(job, after, limit),
  dataOf: (e) => ({ ...e.data, at: e.at }),
  isLast: (e) => e.type === 'state' && ended(e.data.state as JobState),
});
const ofAll = ({ store, feed }: AppContext): Source => ({
  listen: (listener) => feed.listen(everyJob, listener),
  read: (after, limit) => store.allEvents(after, limit),
  dataOf: (e) => ({ ...e.data, at: e.at, job: e.job }),
  isLast: () => false,
});

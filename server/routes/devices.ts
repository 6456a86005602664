/** The devices of this daemon: how they are, which there are, who may use them, what happened to them. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { type AppContext, orThrow } from '../api.ts';
import { spansOf } from '../farm/spans.ts';
import {
  DeviceBody,
  DeviceHistory,
  DeviceList,
  DeviceParams,
  DeviceRequest,
  ErrorBody,
  HistoryQuery,
  QuarantineRequest,
  UtilisationBody,
  UtilisationQuery,
} from '../schemas/index.ts';

const dayMs = 86_400_000;
/** As the database has them. */
const utc = (time: string): string => new Date(time).toISOString();

export const deviceRoutes =
  (c: AppContext): FastifyPluginAsyncTypebox =>
  async (app) => {
    app.get('/v1/devices', { schema: { summary: 'Devices', response: { 200: DeviceList } } }, async () => ({
      items: [...c.farm.states()],
    }));
    app.post(
      '/v1/devices',
      {
        schema: {
          summary: 'Attach a device, or emulate more of them; those that are new. Jobs under way may use them at once',
          body: DeviceRequest,
          response: { 201: DeviceList, '4xx': ErrorBody },
        },
      },
      async (request, reply) => {
        const { body } = request;
        const added =
          'address' in body
            ? c.farm.addAttached(body.board, body.address)
            : c.farm.addEmulated(body.board, body.emulate);
        return reply.code(201).send({ items: [...orThrow(added)] });
      },
    );
    app.delete(
      '/v1/devices/:name',
      {
        schema: {
          summary:
            "Take a device away that is not at work. One of the daemon's options is there again when it restarts",
          params: DeviceParams,
          response: { 204: Type.Null(), '4xx': ErrorBody },
        },
      },
      async (request, reply) => {
        orThrow(await c.farm.remove(request.params.name));
        return reply.code(204).send(null);
      },
    );
    app.post(
      '/v1/devices/:name/drain',
      {
        schema: {
          summary: 'Let a device end what it is at and give it nothing new, until it is released',
          params: DeviceParams,
          response: { 200: DeviceBody, '4xx': ErrorBody },
        },
      },
      async (request) => orThrow(c.farm.drain(request.params.name)),
    );
    app.post(
      '/v1/devices/:name/quarantine',
      {
        schema: {
          summary: 'Keep a device from work, for a reason, until it is released',
          params: DeviceParams,
          body: QuarantineRequest,
          response: { 200: DeviceBody, '4xx': ErrorBody },
        },
      },
      async (request) => orThrow(c.farm.quarantine(request.params.name, request.body.reason)),
    );
    app.post(
      '/v1/devices/:name/release',
      {
        schema: {
          summary: 'Back to work, whoever kept it from that: it is opened and checked when it is wanted',
          params: DeviceParams,
          response: { 200: DeviceBody, '4xx': ErrorBody },
        },
      },
      async (request) => orThrow(c.farm.release(request.params.name)),
    );
    app.get(
      '/v1/devices/:name/history',
      {
        schema: {
          summary: 'What happened to a device, newest first',
          params: DeviceParams,
          querystring: HistoryQuery,
          response: { 200: DeviceHistory, '4xx': ErrorBody },
        },
      },
      async (request) => {
        const { since, limit = 100, cursor } = request.query;
        const from = since === undefined ? undefined : utc(since);
        const { items, next } = orThrow(c.farm.history(request.params.name, from, limit, cursor));
        return { items: items.map(({ at, event, detail, job }) => ({ at, event, detail, job })), next };
      },
    );
    app.get(
      '/v1/devices/utilisation',
      {
        schema: {
          summary: 'How much devices were at work, by stretches of time; the last day, unless asked otherwise',
          querystring: UtilisationQuery,
          response: { 200: UtilisationBody, '4xx': ErrorBody },
        },
      },
      async (request) => {
        const { buckets = 60 } = request.query;
        const until = utc(request.query.until ?? new Date().toISOString());
        const since = utc(request.query.since ?? new Date(Date.parse(until) - dayMs).toISOString());
        const spans = orThrow(spansOf(since, until, buckets));
        return { since, until, items: [...c.farm.utilisation(spans)] };
      },
    );
  };

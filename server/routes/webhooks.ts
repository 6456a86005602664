/** Deliveries of webhooks: those that wait, those that arrived, those that were given up; and another try for the latter. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { failed, ok, type Result } from '../../compiler/result.ts';
import type { Delivery } from '../../db/deliveries.ts';
import { type AppContext, orThrow } from '../api.ts';
import {
  type DeliveryBody,
  DeliveryPage,
  DeliveryBody as DeliverySchema,
  DeliveryStateBody,
  ErrorBody,
  IdParams,
} from '../schemas/index.ts';

const Query = Type.Object(
  {
    state: Type.Optional(DeliveryStateBody),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: 100 })),
    cursor: Type.Optional(Type.String({ maxLength: 200 })),
  },
  { additionalProperties: false },
);

/** Path and query of an address let whoever knows them write to a chat: they stay here. */
const bodyOf = ({ url, waiting, ...d }: Delivery): DeliveryBody => ({
  ...d,
  reason: waiting === null ? null : String(waiting.code),
  to: new URL(url).origin,
});

export const webhookRoutes =
  (c: AppContext): FastifyPluginAsyncTypebox =>
  async (app) => {
    const { deliveries } = c.store;
    const found = (id: string): Result<Delivery> => {
      const d = deliveries.get(id);
      return d === undefined ? failed('request', 'DELIVERY_NOT_FOUND', `no delivery has the id "${id}"`) : ok(d);
    };

    app.get(
      '/v1/webhooks/deliveries',
      {
        schema: {
          summary: 'What was or is to be told to receivers of webhooks, newest first',
          querystring: Query,
          response: { 200: DeliveryPage, '4xx': ErrorBody },
        },
      },
      async ({ query }) => {
        const { items, next } = deliveries.page(query.state, query.limit ?? 100, query.cursor);
        return { items: items.map(bodyOf), next };
      },
    );

    app.post(
      '/v1/webhooks/deliveries/:id/retry',
      {
        schema: {
          summary: 'Try a delivery again now, with all its attempts before it',
          params: IdParams,
          response: { 200: DeliverySchema, '4xx': ErrorBody },
        },
      },
      async (request) => {
        const d = orThrow(found(request.params.id));
        orThrow(d.state === 'delivered' ? failed('request', 'DELIVERY_STATE', 'it has arrived') : ok(d));
        c.webhooks.retry(d.id);
        return bodyOf(orThrow(found(d.id)));
      },
    );
  };

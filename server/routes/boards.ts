/** Boards that can be tuned for. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { BoardModule } from '../../boards/index.ts';
import { compilerOf } from '../../toolchain/index.ts';
import type { AppContext } from '../api.ts';
import { isEmulated } from '../product.ts';
import { type BoardBody, BoardList } from '../schemas/index.ts';

/** A board as the interface shows it. */
const boardBody = (b: BoardModule): BoardBody => ({
  id: b.id,
  title: b.title,
  kind: b.kind,
  cpu: b.cpu,
  clockHz: b.clockHz,
  isa: b.target.isa,
  features: [...b.target.features],
  compiler: compilerOf(b.target),
  flags: [...b.target.flags],
  flashBytes: b.flashBytes,
  ramBytes: b.ramBytes,
  deterministic: b.deterministic,
  emulated: isEmulated(b),
});

export const boardRoutes =
  (c: AppContext): FastifyPluginAsyncTypebox =>
  async (app) => {
    app.get('/v1/boards', { schema: { summary: 'Boards', response: { 200: BoardList } } }, async () => ({
      items: c.boards.map(boardBody),
    }));
  };

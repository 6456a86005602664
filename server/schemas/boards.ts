/** Boards over HTTP. */
import { type Static, Type } from 'typebox';

export const BoardBody = Type.Object({
  id: Type.String(),
  title: Type.String(),
  kind: Type.String(),
  cpu: Type.String(),
  clockHz: Type.Number(),
  isa: Type.String(),
  features: Type.Array(Type.String()),
  compiler: Type.String(),
  flags: Type.Array(Type.String()),
  flashBytes: Type.Integer(),
  ramBytes: Type.Integer(),
  deterministic: Type.Boolean(),
  emulated: Type.Boolean(),
});
export type BoardBody = Static<typeof BoardBody>;
export const BoardList = Type.Object({ items: Type.Array(BoardBody) });
export type BoardList = Static<typeof BoardList>;

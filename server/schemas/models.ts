/** Models over HTTP. */
import { type Static, Type } from 'typebox';

const TensorBody = Type.Object({ name: Type.String(), dtype: Type.String(), shape: Type.Array(Type.Integer()) });
export const ModelBody = Type.Object({
  id: Type.String(),
  name: Type.String(),
  bytes: Type.Integer(),
  at: Type.String(),
  inputs: Type.Array(TensorBody),
  outputs: Type.Array(TensorBody),
  macs: Type.Integer(),
  weightBytes: Type.Integer(),
  operators: Type.Record(Type.String(), Type.Integer()),
  tasks: Type.Array(
    Type.Object({
      id: Type.String(),
      op: Type.String(),
      inputs: Type.Array(Type.Array(Type.Integer())),
      outputs: Type.Array(Type.Array(Type.Integer())),
      macs: Type.Integer(),
      occurrences: Type.Integer(),
      layers: Type.Array(Type.Integer(), { description: 'their places among the layers that run, from 0' }),
    }),
  ),
});
export type ModelBody = Static<typeof ModelBody>;

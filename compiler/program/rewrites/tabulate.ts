/** tabulate: what depends on one byte alone is looked up. Nothing to prove: the table holds what the steps compute, for every byte. */
import { add, clamp, load, num, refuse } from '../build.ts';
import type { Buffer, Expr, Program, Store } from '../program.ts';
import { show } from '../show.ts';
import { buffersOf, mapStmts, spanOf } from '../walk.ts';
import { bareValue, evaluator, type Table } from './evaluate.ts';
import type { StepOf } from './steps.ts';

/** How the byte is called while it is unknown: no iterator of a program can have such a name. */
const unknown = '0';

/** `y[..] = f(x[..])`  ->  `y[..] = table[x[..] - lowest byte]`: the one store of the program whose value is made of one byte. */
export function tabulate(p: Program, s: StepOf<'tabulate'>): Program {
  const buffers = new Map(buffersOf(p).map((b) => [b.name, b]));
  const tables = new Map<string, Buffer>();
  const body = mapStmts(
    p.body,
    (e) => e,
    (stmt) => {
      const made = stmt.kind === 'store' ? lookedUp(stmt, s.table, buffers) : undefined;
      if (made === undefined) return [stmt];
      tables.set(show(made.bare), made.table);
      return [made.store];
    },
  );
  const [table, ...more] = tables.values();
  if (table === undefined || more.length > 0) return refuse('not one value is made of exactly one byte');
  return { ...p, buffers: [...p.buffers, table], body };
}

function lookedUp(
  store: Store,
  name: string,
  buffers: Table,
): { readonly store: Store; readonly bare: Expr; readonly table: Buffer } | undefined {
  const { value: bare, loads } = bareValue(store.value, buffers, [unknown]);
  const [x, ...more] = loads;
  const [from, to] = [buffers.get(x?.buf ?? ''), buffers.get(store.buf)];
  // A copy is no value to look up.
  if (x === undefined || more.length > 0 || bare.kind === 'iter' || x.outside !== undefined || store.reduce) return;
  if ((from?.dtype !== 'i8' && from?.dtype !== 'u8') || to === undefined || to.dtype === 'f32') return;
  const span = spanOf(from.dtype);
  const f = evaluator(bare, [{ name: unknown, span }]);
  const values = Int32Array.from({ length: 256 }, (_, i) => f(span[0] + i, 0));
  const [least, most] = spanOf(to.dtype);
  if (values.some((v) => v < least || v > most)) return refuse(`${store.buf} does not hold what is stored in it`);
  return {
    bare,
    table: { name, dtype: to.dtype, shape: [256], space: 'const', values },
    store: { ...store, value: load(name, clamp(add(x, num(-span[0])), 0, 255)) },
  };
}

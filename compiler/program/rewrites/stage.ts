/** Copies of windows: stage, pad, computeAt. */
import { extent, simplify } from '../affine.ts';
import { add, iter, load, loadOr, loop, mul, num, refuse, store } from '../build.ts';
import { isLayout } from '../layouts.ts';
import type { Alloc, Buffer, Expr, Loop, Program, Stmt } from '../program.ts';
import { show } from '../show.ts';
import { atLoop, bufferOf, elements, loopOf, loopsIn, mapExpr, spanOf } from '../walk.ts';
import { perfectNest } from './legality.ts';
import type { StepOf } from './steps.ts';
import { compact, type Window, windowOf } from './window.ts';

/** Largest register buffer: what a compiler can keep out of memory once its loops are unrolled. */
const registerLimit = 64;

/** Applies `f` to the body of a loop, or of the program where the name is ''. */
function within(p: Program, at: string, f: (body: readonly Stmt[]) => readonly Stmt[]): Program {
  return at === '' ? { ...p, body: f(p.body) } : atLoop(p, at, (l) => [{ ...l, body: f(l.body) }]);
}

const nest = (loops: readonly string[], extents: readonly number[], inner: Stmt, suffix = ''): Stmt =>
  loops.reduceRight<Stmt>((body, name, d) => loop(`${name}${suffix}`, extents[d] ?? 1, body), inner);

/**
 * `for at: ... buf[base + i] ...`  ->  `for at: {for i: as[i] = buf[base + i]; ... as[i] ...}`, in a wider dtype or another
 * layout. at = '' stages for the whole program. border 'apart': the border is filled first and the inside is a plain copy.
 * `order`, `whole`, `pitch`, `pitchOf` and `take` shape the copy: `for i, j: as[j, i] = buf[i, base + 2*j]`, with i copied whole.
 */
export function stage(p: Program, s: StepOf<'stage'>): Program {
  const source = bufferOf(p, s.buf);
  const space = s.space ?? 'scratch';
  if (s.layout !== undefined && !isLayout(s.layout)) refuse('not a layout');
  if (
    (source.dtype === 'f32') !== (s.dtype === 'f32') ||
    spanOf(s.dtype)[1] < spanOf(source.dtype)[1] ||
    spanOf(s.dtype)[0] > spanOf(source.dtype)[0]
  )
    refuse(`${s.dtype} does not hold ${source.dtype}`);
  const shaped = (s.order ?? s.whole ?? s.pitch) !== undefined || s.take === 'read';
  if (shaped && s.border === 'apart') refuse('a border apart is copied as it is');
  const dims = source.shape.map((_, d) => d);
  if (s.order !== undefined && s.order.toSorted((a, b) => a - b).join() !== dims.join())
    refuse(`order [${s.order}] does not name each dimension once`);
  const order = <T>(values: readonly T[]): readonly T[] => (s.order ?? dims).map((d) => values[d] as T);
  return within(p, s.at, (body) => {
    const all = windowOf(body, s.buf, { dims: s.whole ?? [], shape: source.shape });
    const w = widened(s, s.take === 'read' ? compact(all) : all);
    if (s.loops.length !== w.shape.length) refuse(`${s.buf} has ${w.shape.length} dimensions`);
    if (space === 'register' && elements(w.shape) > registerLimit)
      refuse(`a register buffer holds at most ${registerLimit}`);
    const alloc: Alloc = {
      kind: 'alloc',
      buffer: {
        name: s.as,
        dtype: s.dtype,
        shape: order(w.shape),
        space,
        ...(s.layout !== undefined && { layout: s.layout }),
      },
    };
    const copies =
      s.border === 'apart' && w.outside !== undefined
        ? copiesApart(s, w, source, loopsIn(p.body))
        : [plainCopy(s, w, order)];
    return insertAfterAllocs([alloc, ...copies], w.redirect(s.as, order));
  });
}

/** The window with the extent that one dimension of the copy is to have; what lies beyond is read outside, if it is. */
function widened(s: StepOf<'stage'>, w: Window): Window {
  const { pitch } = s;
  if (pitch === undefined) return w;
  const inner = s.pitchOf ?? s.order?.at(-1) ?? w.shape.length - 1;
  const length = w.shape[inner] ?? refuse(`there is no dimension ${inner}`);
  if (pitch < length) refuse(`a pitch of ${pitch} does not hold ${length}`);
  return { ...w, shape: w.shape.map((n, d) => (d === inner ? pitch : n)), outside: w.outside ?? 0 };
}

/** The copies go after the declarations that open the block, so that scopes stay as they were. */
function insertAfterAllocs(copies: readonly Stmt[], body: readonly Stmt[]): readonly Stmt[] {
  const first = body.findIndex((x) => x.kind !== 'alloc');
  return [...body.slice(0, first), ...copies, ...body.slice(first)];
}

function plainCopy(s: StepOf<'stage'>, w: Window, order: (index: readonly Expr[]) => readonly Expr[]): Stmt {
  const step = (d: number): Expr => num(s.take === 'read' ? (w.steps[d] ?? 1) : 1);
  const from = w.base.map((b, d) => simplify(add(b, mul(step(d), iter(s.loops[d] ?? '')))));
  const value = w.outside === undefined ? load(s.buf, ...from) : loadOr(w.outside, s.buf, ...from);
  return nest(s.loops, w.shape, store(s.as, order(s.loops.map(iter)), value));
}

/** The border's value everywhere, then what lies inside: a plain copy that an instruction can match. */
function copiesApart(s: StepOf<'stage'>, w: Window, source: Buffer, around: readonly Loop[]): readonly Stmt[] {
  const parts = w.base.map((b, d) => insideOf(s.buf, b, w.shape[d] ?? 1, source.shape[d] ?? 1, around));
  const target = s.loops.map((name, d) => simplify(add(iter(name), num(parts[d]?.start ?? 0))));
  const from = s.loops.map((name, d) => simplify(add(iter(name), parts[d]?.from ?? num(0))));
  return [
    nest(
      s.loops,
      w.shape,
      store(
        s.as,
        s.loops.map((n) => iter(`${n}_fill`)),
        num(w.outside ?? 0),
      ),
      '_fill',
    ),
    nest(
      s.loops,
      parts.map((part) => part.count),
      store(s.as, target, load(s.buf, ...from)),
    ),
  ];
}

/** In one dimension: where the inside starts in the window and in the buffer, and how long it is. */
function insideOf(
  buf: string,
  base: Expr,
  length: number,
  size: number,
  around: readonly Loop[],
): { readonly start: number; readonly from: Expr; readonly count: number } {
  const [first, last] = extent(base, around) ?? [-1, size];
  if (first >= 0 && last + length <= size) return { start: 0, from: base, count: length };
  if (first !== last || first >= size || first + length <= 0)
    return refuse(`the border of ${buf} at ${show(base)} is not fixed`);
  const start = Math.max(0, -first);
  return { start, from: num(first + start), count: Math.min(length - start, size - first - start) };
}

/** `... (buf[i - p] or z) ...`  ->  `as = z; as[i + p] = buf[i]; ... as[i] ...`: the whole input with its border made real. */
export function pad(p: Program, s: StepOf<'pad'>): Program {
  if (windowOf(p.body, s.buf).outside === undefined) refuse(`${s.buf} has no border`);
  return stage(p, { ...s, primitive: 'stage', at: '', border: 'apart' });
}

/**
 * `for i: buf[i] = f(i); for at: ... buf[base + i] ...`  ->  `for at: {for i: buf[i] = f(base + i); ... buf[i] ...}`: the
 * producer is computed where it is used, only as much as is used there. It must be one nest that stores one value a place.
 */
export function computeAt(p: Program, s: StepOf<'computeAt'>): Program {
  const producer = loopOf(p, s.producer);
  const chain = perfectNest(
    producer,
    loopsIn([producer]).map((l) => l.iter),
  );
  const [only, ...more] = chain.at(-1)?.body ?? [];
  const source = bufferOf(p, s.buf);
  if (only?.kind !== 'store' || more.length > 0 || only.buf !== s.buf || only.reduce !== undefined)
    return refuse(`${s.producer} is not one nest that stores ${s.buf}`);
  if (source.space !== 'scratch' && source.space !== 'register') refuse(`${s.buf} is no temporary`);
  const names = only.index.map((e) =>
    e.kind === 'iter' ? e.name : refuse(`${s.buf}[${show(e)}] is not stored by plain iterators`),
  );
  if (new Set(names).size !== chain.length || names.length !== chain.length)
    refuse(`${s.buf} is not stored once a place`);
  mapExpr(only.value, (e) => {
    if (e.kind === 'load' && !['in', 'const'].includes(bufferOf(p, e.buf).space))
      refuse(`${e.buf} may change before it is used`);
    return e;
  });
  if (!p.body.some((x) => x === producer)) refuse(`${s.producer} is not outermost`);
  const rest: Program = {
    ...p,
    body: p.body.filter((x) => x !== producer && !(x.kind === 'alloc' && x.buffer.name === s.buf)),
  };
  return within(rest, s.at, (body) => {
    const w = windowOf(body, s.buf);
    if (w.outside !== undefined) refuse(`${s.buf} is read outside`);
    const value = mapExpr(only.value, (e) => {
      const d = e.kind === 'iter' ? names.indexOf(e.name) : -1;
      return d < 0
        ? e.kind === 'load'
          ? { ...e, index: e.index.map(simplify) }
          : e
        : simplify(add(w.base[d] ?? num(0), e));
    });
    const alloc: Alloc = { kind: 'alloc', buffer: { ...source, shape: w.shape } };
    return insertAfterAllocs([alloc, nest(names, w.shape, store(s.buf, names.map(iter), value))], w.redirect(s.buf));
  });
}

/**
 * May a kernel's output lie where one of its inputs lies? The operator says whether it ever may; this says it of the program
 * as it is scheduled. Two reasons are known. By elements: each output element is stored once, from nothing of the input but the
 * element at the same place. By channels: a loop goes over groups of channels, reads all that it needs of a group before it
 * writes any of it, and touches no other group. Tensors that
 * do not lie as bytes in order keep apart. Must stay true: nobody finds an element overwritten that he still wants to read.
 */
import { instruction } from '../instructions/index.ts';
import { affine, extent, flat, itersOf, simplify } from '../program/affine.ts';
import type { Buffer, Expr, Loop, Program, Stmt, Store } from '../program/index.ts';
import { inlineCall, inlineStmts } from '../program/inline.ts';
import { type Access, accesses, elements, visitExpr } from '../program/walk.ts';

/** `inputs`: names of all input buffers that lie where the output `y` is to lie. */
export const runsInPlace = (p: Program, inputs: ReadonlySet<string>, y: string): boolean =>
  p.buffers.every((b) => b.tensor === undefined || (!inputs.has(b.name) && b.name !== y)) &&
  (byElements(p, inputs, y) || byChannels(p, inputs, y));

function byElements(p: Program, inputs: ReadonlySet<string>, y: string): boolean {
  const shapes = new Map(p.buffers.map((b): [string, Buffer['shape']] => [b.name, b.shape]));
  const place = (buf: string, index: readonly Expr[]): string =>
    JSON.stringify(simplify(flat(shapes.get(buf) ?? [], index)));
  let stores = 0;

  /** All reads of the shared memory in a store go to the place that it writes. */
  const readsItsOwnPlace = (s: Store): boolean => {
    const [to, seen] = [s.buf === y ? place(y, s.index) : undefined, new Set<string | undefined>()];
    visitExpr(s.value, (e) => {
      if (e.kind === 'load' && (inputs.has(e.buf) || e.buf === y)) seen.add(place(e.buf, e.index));
    });
    return seen.size === 0 || (s.reduce === undefined && seen.size === 1 && seen.has(to));
  };
  const walk = (stmts: readonly Stmt[], times: number): boolean =>
    stmts.every((s) => {
      switch (s.kind) {
        case 'alloc':
          return true;
        case 'loop':
          return walk(s.body, times * s.extent);
        case 'call':
          if (instruction(s.instr, s.params).inPlace) return walk(inlineCall(s, 'in'), times);
          return Object.values(s.operands).every((w) => !inputs.has(w.buf) && w.buf !== y);
        case 'store':
          if (s.buf === y) stores += times;
          return readsItsOwnPlace(s);
      }
    });
  return walk(p.body, 1) && stores === elements(shapes.get(y) ?? []);
}

/**
 * Places of different channels differ wherever the buffers begin together and have equally many channels, for a place modulo that
 * number is its channel. So it is enough to look at the last index: group g must keep to channels k*g .. k*g + k-1.
 */
function byChannels(p: Program, inputs: ReadonlySet<string>, y: string): boolean {
  const shared = (a: Access): boolean => inputs.has(a.buf) || a.buf === y;
  const channels = new Set(p.buffers.filter((b) => inputs.has(b.name) || b.name === y).map((b) => b.shape.at(-1)));
  const bytes = p.buffers.filter((b) => inputs.has(b.name) || b.name === y).every((b) => b.dtype === 'i8');
  const users = p.body.filter((s) => accesses(inlineStmts([s])).some(shared));
  const [groups, ...others] = users;
  if (groups?.kind !== 'loop' || others.length > 0 || channels.size !== 1 || !bytes) return false;
  const steps = groups.body.map((s) => accesses(inlineStmts([s]), [groups]).filter(shared));
  return keepsToGroups(groups, steps.flat()) && readsFirst(steps, y);
}

/** Does every access stay within its iteration's channels? */
function keepsToGroups(groups: Loop, all: readonly Access[]): boolean {
  const widths = all.map((a) => {
    const last = affine(a.index.at(-1) ?? { kind: 'const', value: 0 });
    const width = last.get(groups.iter)?.coef ?? 0;
    const inside = [...last.entries()].filter(([name]) => name !== groups.iter);
    if (inside.some(([, t]) => itersOf(t.atom).has(groups.iter))) return undefined;
    const range = inside.reduce<readonly [number, number] | undefined>(
      (sum, [, { coef, atom }]) => {
        const r = extent(atom, a.loops);
        return sum === undefined || r === undefined
          ? undefined
          : [sum[0] + Math.min(coef * r[0], coef * r[1]), sum[1] + Math.max(coef * r[0], coef * r[1])];
      },
      [0, 0],
    );
    return range !== undefined && range[0] >= 0 && range[1] < width ? width : undefined;
  });
  return widths[0] !== undefined && new Set(widths).size === 1;
}

/** Do the statements of a group that read come before the first that writes, and does that one not read? */
function readsFirst(steps: readonly (readonly Access[])[], y: string): boolean {
  const reads = steps.map((s) => s.some((a) => a.buf !== y || a.how !== 'write'));
  const writes = steps.map((s) => s.some((a) => a.buf === y));
  const firstWrite = writes.indexOf(true);
  return firstWrite < 0 || !reads.includes(true, firstWrite);
}

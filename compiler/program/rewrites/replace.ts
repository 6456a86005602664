/** replace: a nest becomes an instruction whose meaning it is. Must stay true: only equality with the meaning makes it legal. */
import { instruction, recipe } from '../../instructions/index.ts';
import type { Instruction, Operand } from '../../instructions/instruction.ts';
import { affine, flat, itersOf, simplify } from '../affine.ts';
import { iter, num, refuse, sub } from '../build.ts';
import { canonical } from '../canonical.ts';
import { inlineCall } from '../inline.ts';
import { groupOf, packingIn, sameLayout } from '../layouts.ts';
import type { Buffer, Call, Expr, Loop, Program, Stmt, Window } from '../program.ts';
import { show } from '../show.ts';
import {
  type Access,
  accesses,
  atLoop,
  bufferOf,
  buffersOf,
  bytesOf,
  callsIn,
  loopOf,
  loopsIn,
  mapStmts,
  rename,
  withBuffer,
} from '../walk.ts';
import { leaves, requireEdges, requireRows } from './edges.ts';
import { knownSpan } from './known-span.ts';
import { isPrivate } from './legality.ts';
import type { StepOf } from './steps.ts';

/**
 * `for ...: S`  ->  `instr(operands)`, when opening the call gives the nest back. Operands are named; where their windows
 * begin follows from the first access of each. The guess may be crude: the comparison of canonical texts is exact.
 */
export function replace(p: Program, s: StepOf<'replace'>): Program {
  const nest = loopOf(p, s.loop);
  const named = (role: string): string => s.operands[role] ?? refuse(`operand ${role} is not named`);
  const inferred = recipe(s.instr).infer(nest, (role) => bufferOf(p, named(role)).shape);
  const params = { ...inferred, ...s.params };
  const ins = instruction(s.instr, params);
  const packed = packConstants(p, nest, ins, s.operands);
  return putIn(packed.program, loopOf(packed.program, s.loop), ins, { ...s, params, operands: packed.names });
}

function putIn(
  p: Program,
  nest: Loop,
  ins: Instruction,
  s: StepOf<'replace'> & { readonly params: Readonly<Record<string, number>> },
): Program {
  const named = (role: string): string => s.operands[role] ?? refuse(`operand ${role} is not named`);
  const operands = Object.fromEntries(
    Object.keys(ins.operands).map((role) => [role, operand(p, nest, ins, role, named(role))]),
  );
  requireApart(ins, operands);
  const call: Call = { kind: 'call', instr: s.instr, params: s.params, operands };
  requireEqual(p, nest, call, s.instr);
  for (const [role, w] of Object.entries(operands)) {
    requireSpan(p, ins.operands[role], w.buf);
    (ins.operands[role]?.moves ? requireRows : requireEdges)(p, ins.meaning, role, w);
  }
  const values = (role: string): Int32Array =>
    bufferOf(p, named(role)).values ?? refuse(`${named(role)} is not constant`);
  for (const [role, { derived }] of Object.entries(ins.operands)) {
    if (derived?.(values).some((v, i) => v !== values(role)[i]))
      refuse(`${named(role)} is not what ${s.instr} makes of it`);
  }
  const why = ins.requires?.(values);
  if (why !== undefined) refuse(`${s.instr}: ${why}`);
  return atLoop(p, s.loop, () => [call]);
}

/**
 * Lays out the constants that the instruction wants packed. One that other statements read too stays as it is for them, and a
 * packed copy goes beside it, under the name of buffer and packing.
 */
function packConstants(
  p: Program,
  nest: Loop,
  ins: Instruction,
  operands: Readonly<Record<string, string>>,
): { readonly program: Program; readonly names: Readonly<Record<string, string>> } {
  let program = p;
  const names: Record<string, string> = { ...operands };
  for (const [role, { layout }] of Object.entries(ins.operands)) {
    const name = operands[role];
    if (layout?.kind !== 'packed' || name === undefined) continue;
    const b = bufferOf(program, name);
    if (sameLayout(b.layout, layout)) continue;
    const packed: Buffer = { ...b, layout };
    requirePackable(packed);
    const beside = `${name}_${layout.packing}`;
    const copy = program.buffers.find((x) => x.name === beside);
    if (copy === undefined && usesOf(program.body, name) === usesOf([nest], name)) {
      program = withBuffer(program, name, () => packed);
    } else {
      names[role] = beside;
      if (copy === undefined) program = { ...program, buffers: [...program.buffers, { ...packed, name: beside }] };
      program = atLoop(program, nest.iter, (l) =>
        rename(
          [l],
          (x) => (x === name ? beside : x),
          (i) => i,
        ),
      );
    }
  }
  return { program, names };
}
const usesOf = (stmts: readonly Stmt[], name: string): number =>
  accesses(stmts).filter((a) => a.buf === name).length +
  callsIn(stmts).filter((c) => Object.values(c.operands).some((w) => w.buf === name)).length;

/** A packing is legal when an instruction computes with the very values. */
function requirePackable(b: Buffer): void {
  const packing = packingIn(b);
  if (b.space !== 'const' || b.values === undefined || packing === undefined)
    return refuse(`${b.name} is no bound constant`);
  const back = packing.decode(packing.encode(b.values, b.shape), b.shape);
  const wrong = b.values.findIndex((v, i) => v !== back[i]);
  if (wrong >= 0) refuse(`${b.name}[${wrong}] = ${b.values[wrong]} does not survive the packing: ${back[wrong]}`);
}

function operand(p: Program, nest: Loop, ins: Instruction, role: string, name: string): Window {
  const want = ins.operands[role] as Operand;
  const b = bufferOf(p, name);
  const shape = bufferOf(ins.meaning, role).shape;
  if (b.dtype !== want.dtype || !sameLayout(b.layout, want.layout))
    refuse(`${name} is not ${want.dtype} in the layout of ${role}`);
  const skip = b.shape.length - shape.length;
  // What lies outside is the buffer's matter, so its first extent counts as well where a meaning reads there.
  const whole = leaves(ins.meaning, role) ? 0 : 1;
  if (skip < 0 || shape.some((n, d) => d >= whole && n !== b.shape[skip + d]))
    refuse(`${name} has another pitch than ${role}`);
  const mine = loopsIn([nest]).map((l) => l.iter);
  const theirs = loopsIn(ins.meaning.body).map((l) => l.iter);
  if (mine.length !== theirs.length) refuse(`${ins.meaning.name} has ${theirs.length} loops, the nest ${mine.length}`);
  const renamed = mapStmts(ins.meaning.body, (e) =>
    e.kind === 'iter' ? iter(mine[theirs.indexOf(e.name)] ?? e.name) : e,
  );
  const at = first(accesses([nest]), name).index;
  const rel = first(accesses(renamed), role).index;
  const origin = at.map((e, d) => (d < skip ? e : simplify(sub(e, rel[d - skip] as Expr))));
  const own = new Set(mine);
  if (origin.some((e) => [...itersOf(e)].some((n) => own.has(n)))) refuse(`${role} is no window of ${name}`);
  const packing = packingIn(b);
  if (packing !== undefined) {
    const axis = packing.axis ?? 0;
    if (origin.some((e, d) => d !== axis && (e.kind !== 'const' || e.value !== 0)))
      refuse(`${role} is no group of whole rows`);
    if ([...affine(origin[axis] ?? num(0)).values()].some((t) => t.coef % packing.rows !== 0))
      refuse(`${role} does not begin at a group of ${packing.rows} rows`);
    return { buf: name, origin };
  }
  const unit = Math.max((want.align ?? 1) / bytesOf(b.dtype), groupOf(want.layout));
  if ([...affine(flat(b.shape, origin)).values()].some((t) => t.coef % unit !== 0)) refuse(`${role} is not aligned`);
  return { buf: name, origin };
}

function requireSpan(p: Program, want: Operand | undefined, buf: string): void {
  if (want?.span === undefined) return;
  const [lo, hi] = knownSpan(p, buf);
  if (lo < want.span[0] || hi > want.span[1]) refuse(`${buf} may hold ${lo}..${hi}, not only ${want.span.join('..')}`);
}

const first = (all: readonly Access[], buf: string): Access =>
  all.find((a) => a.buf === buf) ?? refuse(`${buf} is not used`);

/** What an instruction writes must not be what it also reads under another role. */
function requireApart(ins: Instruction, operands: Readonly<Record<string, Window>>): void {
  const written = ins.meaning.buffers.filter((b) => b.space === 'out').map((b) => b.name);
  for (const out of written) {
    for (const [role, w] of Object.entries(operands))
      if (role !== out && w.buf === operands[out]?.buf) refuse(`${role} and ${out} are one buffer`);
  }
}

function requireEqual(p: Program, nest: Loop, call: Call, name: string): void {
  const opened: readonly Stmt[] = inlineCall(call, 'r');
  const temps = buffersOf(p).filter(
    (b) => (b.space === 'register' || b.space === 'scratch') && isPrivate(p, b.name, [nest]),
  );
  const operands = new Set(Object.values(call.operands).map((w) => w.buf));
  const have = canonical([nest], new Set(temps.map((b) => b.name).filter((b) => !operands.has(b))));
  const want = canonical(opened, new Set());
  if (have !== want)
    refuse(
      `the nest is not ${name}:\n${have}--- but\n${want}(origins ${Object.entries(call.operands)
        .map(([r, w]) => `${r} ${w.origin.map(show).join(',')}`)
        .join('; ')})`,
    );
}

/** Statements as C: declarations where a temporary is first written, loops, stores with the storage's width, calls. */
import { asmFunctionName } from '../instructions/asm-function.ts';
import { instruction } from '../instructions/index.ts';
import type { Instruction } from '../instructions/instruction.ts';
import type { Range, Scope } from './print-c-expr.ts';
import { addressText, cellText, ctypes, exprText, indexText, rangeOfValues } from './print-c-expr.ts';
import { indexOf, operandCells, type Printable } from './print-c-memory.ts';
import type { Buffer, Call, Expr, Loop, Place, Program, Store } from './program.ts';
import { allocsIn, elements, loopsIn, mapExpr, spanOf } from './walk.ts';

/** C names of buffers and of scalarised cells; no two are equal. */
export interface Names {
  buffer(name: string): string;
  cell(buf: string, position: number): string;
}

const reserved = new Set(
  (
    'auto break case char const continue default do double else enum extern float for goto if inline int long register restrict ' +
    'return short signed sizeof static struct switch typedef union unsigned void volatile while asm scratch main'
  ).split(' '),
);

/** Chooses names once for a whole kernel. `constants` gives the symbols of constants. */
export function allNames(p: Program, scalars: ReadonlySet<string>, constants: ReadonlyMap<string, string>): Names {
  const taken = new Set([...reserved, ...loopsIn(p.body).map((l) => l.iter)]);
  const fresh = (wish: string): string => {
    let name = wish;
    while (taken.has(name)) name = `${name}_`;
    taken.add(name);
    return name;
  };
  const buffers = new Map<string, string>();
  const cells = new Map<string, readonly string[]>();
  const all = [...p.buffers, ...allocsIn(p.body)];
  for (const b of all) buffers.set(b.name, constants.get(b.name) ?? fresh(b.name));
  for (const b of all.filter((x) => scalars.has(x.name))) {
    const one = elements(b.shape) === 1;
    cells.set(
      b.name,
      Array.from({ length: elements(b.shape) }, (_, i) =>
        one ? (buffers.get(b.name) as string) : fresh(`${b.name}_${indexOf(i, b.shape).join('_')}`),
      ),
    );
  }
  return {
    buffer: (name) => buffers.get(name) ?? (name === 'scratch' ? 'scratch' : missing(name)),
    cell: (buf, position) => cells.get(buf)?.[position] ?? missing(buf),
  };
}
const missing = (name: string): never => {
  throw new Error(`no C name for ${name}`);
};
export interface BodyContext {
  readonly scalars: ReadonlySet<string>;
  readonly names: Names;
  /** Byte offsets of the scratch buffers. */
  readonly scratch: ReadonlyMap<string, number>;
  readonly codePlace: Place;
}

export function printBody(p: Program, stmts: readonly Printable[], context: BodyContext): string {
  const buffers = new Map(p.buffers.map((b) => [b.name, b]));
  return new BodyPrinter(buffers, context).block(stmts, [], '  ');
}

class BodyPrinter {
  private readonly buffers: Map<string, Buffer>;
  private readonly context: BodyContext;
  /** Cells of register temporaries that are allocated but not yet declared in C. */
  private readonly pending = new Map<string, string>();
  /** Of constants, by name: asked for again and again, and long to look through. */
  private readonly spans = new Map<string, Range>();

  constructor(buffers: Map<string, Buffer>, context: BodyContext) {
    this.buffers = buffers;
    this.context = context;
  }

  block(stmts: readonly Printable[], loops: readonly Loop[], pad: string): string {
    return stmts.map((s) => this.statement(s, loops, pad)).join('');
  }

  private scope(loops: readonly Loop[]): Scope {
    const { scalars, names } = this.context;
    return {
      loops,
      buffer: (name) => this.buffers.get(name) ?? missing(name),
      span: (b) => this.span(b),
      scalar: (buf, index) => (scalars.has(buf) ? names.cell(buf, this.position(buf, index)) : undefined),
      name: (buf) => names.buffer(buf),
    };
  }

  private span(b: Buffer): Range {
    if (b.values === undefined) return spanOf(b.dtype);
    const span = this.spans.get(b.name) ?? rangeOfValues(b.values);
    this.spans.set(b.name, span);
    return span;
  }

  private position(buf: string, index: readonly Expr[]): number {
    const shape = this.buffers.get(buf)?.shape ?? [];
    return index.reduce((at, e, d) => at * (shape[d] ?? 1) + (e.kind === 'const' ? e.value : 0), 0);
  }

  private statement(s: Printable, loops: readonly Loop[], pad: string): string {
    const scope = this.scope(loops);
    switch (s.kind) {
      case 'alloc':
        return this.alloc(s.buffer, pad);
      case 'block': {
        const declared = this.declareUsed([s], scope, pad);
        const body = this.block(s.body, loops, `${pad}  `);
        return `${declared}${pad}{\n${body}${pad}}\n`;
      }
      case 'loop': {
        const declared = this.declareUsed([s], scope, pad);
        const loop: Loop = { kind: 'loop', iter: s.iter, extent: s.extent, body: [] };
        const body = this.block(s.body, [...loops, loop], `${pad}  `);
        return `${declared}${pad}for (int32_t ${s.iter} = 0; ${s.iter} < ${s.extent}; ${s.iter}++) {\n${body}${pad}}\n`;
      }
      case 'call': {
        const declared = this.declareUsed([s], scope, pad);
        const ins = instruction(s.instr, s.params);
        return `${declared}${pad}${ins.c(this.operands(s, ins, scope))}\n`;
      }
      case 'store':
        return this.store(s, scope, pad);
    }
  }

  /** Addresses by role, and where in its buffer each window begins; of operands in registers each element as an lvalue. */
  private operands(s: Call, ins: Instruction, scope: Scope): Readonly<Record<string, string>> {
    const at: Record<string, string> = { function: asmFunctionName(ins.symbol, this.context.codePlace) };
    for (const [role, w] of Object.entries(s.operands)) {
      if (ins.operands[role]?.cells !== true) {
        at[role] = addressText(w.buf, w.origin, scope);
        at[`${role}.base`] = this.context.names.buffer(w.buf);
        w.origin.forEach((e, d) => {
          at[`${role}.${d}`] = indexText(e, scope);
        });
      }
      operandCells(s, role).forEach((index, i) => {
        at[`${role}.${i}`] = cellText(w.buf, index, scope);
      });
    }
    return at;
  }

  private alloc(b: Buffer, pad: string): string {
    const { scalars, names, scratch } = this.context;
    this.buffers.set(b.name, b);
    const type = ctypes[b.dtype];
    if (b.space === 'scratch')
      return `${pad}${type} *const ${names.buffer(b.name)} = (${type} *)(void *)((uint8_t *)scratch + ${scratch.get(b.name) ?? 0});\n`;
    if (!scalars.has(b.name)) return `${pad}${type} ${names.buffer(b.name)}[${elements(b.shape)}];\n`;
    for (let i = 0; i < elements(b.shape); i++) this.pending.set(names.cell(b.name, i), type);
    return '';
  }

  private store(s: Store, scope: Scope, pad: string): string {
    const b = scope.buffer(s.buf);
    const target = cellText(s.buf, s.index, scope);
    const type = this.pending.get(target);
    if (s.reduce === undefined && type !== undefined) {
      this.pending.delete(target);
      const declared = this.declareUsed([{ ...s, index: [] }], scope, pad);
      return `${declared}${pad}${type} ${target} = ${stored(b, s.value, scope)};\n`;
    }
    const declared = this.declareUsed([s], scope, pad);
    if (s.reduce === undefined) return `${declared}${pad}${target} = ${stored(b, s.value, scope)};\n`;
    return `${declared}${pad}${reduction(b, target, s, scope)}\n`;
  }

  /** Declarations, without a value, of pending temporaries that `stmts` mention. */
  private declareUsed(stmts: readonly Printable[], scope: Scope, pad: string): string {
    if (this.pending.size === 0) return '';
    const out: string[] = [];
    for (const cell of mentionedCells(stmts, scope)) {
      const type = this.pending.get(cell);
      if (type === undefined) continue;
      this.pending.delete(cell);
      out.push(`${pad}${type} ${cell};\n`);
    }
    return out.join('');
  }
}

/** C names of the scalarised cells below `stmts`. */
function mentionedCells(stmts: readonly Printable[], scope: Scope): ReadonlySet<string> {
  const cells = new Set<string>();
  const note = (buf: string, index: readonly Expr[]): void => {
    if (!index.every((e) => e.kind === 'const')) return;
    const cell = scope.scalar(buf, index);
    if (cell !== undefined) cells.add(cell);
  };
  const value = (e: Expr): void => {
    mapExpr(e, (x) => {
      if (x.kind === 'load') note(x.buf, x.index);
      return x;
    });
  };
  const inner = new Set<string>();
  const go = (list: readonly Printable[]): void => {
    for (const s of list) {
      switch (s.kind) {
        case 'alloc':
          inner.add(s.buffer.name);
          break;
        case 'loop':
        case 'block':
          go(s.body);
          break;
        case 'store':
          if (!inner.has(s.buf)) note(s.buf, s.index);
          value(s.value);
          break;
        case 'call':
          for (const [role, w] of Object.entries(s.operands))
            for (const index of operandCells(s, role)) note(w.buf, index);
      }
    }
  };
  go(stmts);
  return cells;
}

/** A value as it is written to a buffer: narrowed to the storage's width. */
function stored(b: Buffer, value: Expr, scope: Scope): string {
  const text = exprText(value, scope);
  if (b.dtype === 'i32' || b.dtype === 'f32') return text;
  const same = value.kind === 'load' && value.outside === undefined && scope.buffer(value.buf).dtype === b.dtype;
  return same
    ? text
    : `(${ctypes[b.dtype]})${/^[\w.]+$|^\w+\((?:[^()]|\([^()]*\))*\)$/.test(text) ? text : `(${text})`}`;
}

function reduction(b: Buffer, target: string, s: Store, scope: Scope): string {
  const old: Expr = { kind: 'load', buf: s.buf, index: s.index };
  const op = s.reduce === 'max' ? 'max' : '+';
  return `${target} = ${stored(b, { kind: 'binary', op, a: old, b: s.value }, scope)};`;
}

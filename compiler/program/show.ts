/** Programs as text, for people, goldens, keys of canonical comparison, and error messages. */
import type { Expr, Program, Stmt } from './program.ts';

export function show(e: Expr): string {
  switch (e.kind) {
    case 'const':
      return String(e.value);
    case 'iter':
      return e.name;
    case 'load': {
      const at = e.index.length > 0 ? `${e.buf}[${e.index.map(show).join(', ')}]` : e.buf;
      return e.outside === undefined ? at : `(${at} or ${e.outside})`;
    }
    case 'binary':
      return /^[a-z]/.test(e.op)
        ? `${e.op}(${show(e.a)}, ${show(e.b)})`
        : e.op === '*'
          ? `${show(e.a)}*${show(e.b)}`
          : `(${show(e.a)} ${e.op} ${show(e.b)})`;
    case 'clz':
      return `clz(${show(e.a)})`;
    case 'requantize': {
      const single = e.rounding === 'single' ? ', single' : '';
      return `requantize(${show(e.acc)}, ${show(e.mult)}, ${show(e.shift)}, zero ${e.zero}, ${e.min}..${e.max}${single})`;
    }
    case 'quantize':
      return `quantize(${show(e.value)}, scale ${e.scale}, zero ${e.zero}, ${e.min}..${e.max})`;
    case 'dequantize':
      return `dequantize(${show(e.value)}, scale ${e.scale}, zero ${e.zero})`;
  }
}

const layoutText = (layout: unknown): string =>
  layout === undefined ? '' : ` layout ${JSON.stringify(layout).replaceAll('"', '')}`;

export function showStmts(stmts: readonly Stmt[], pad = '  '): string {
  return stmts
    .map((s) => {
      switch (s.kind) {
        case 'loop':
          return `${pad}for ${s.iter} in ${s.extent}${s.unroll === 'full' ? ' unrolled' : ''}:\n${showStmts(s.body, `${pad}  `)}`;
        case 'store':
          return `${pad}${show({ kind: 'load', buf: s.buf, index: s.index })} ${s.reduce ?? ''}= ${show(s.value)}\n`;
        case 'alloc':
          return `${pad}${s.buffer.space} ${s.buffer.name}: ${s.buffer.dtype}[${s.buffer.shape}]${layoutText(s.buffer.layout)}\n`;
        case 'call': {
          const params = Object.entries(s.params).map(([k, v]) => `${k}=${v}`);
          const operands = Object.entries(s.operands).map(
            ([k, w]) => `${k}: ${show({ kind: 'load', buf: w.buf, index: w.origin })}`,
          );
          return `${pad}${s.instr}<${params.join(' ')}>(${operands.join(', ')})\n`;
        }
      }
    })
    .join('');
}

/** The whole program; deterministic, so it serves as a golden. */
export function showProgram(p: Program): string {
  const head = p.buffers.map((b) => `  ${b.space} ${b.name}: ${b.dtype}[${b.shape}]${layoutText(b.layout)}\n`);
  const places = Object.entries(p.placement).map(([k, v]) => `  place ${k} in ${v}\n`);
  const flags = p.flags.length > 0 ? [`  flags ${p.flags.join(' ')}\n`] : [];
  return `program ${p.name}\n${[...head, ...places, ...flags].join('')}${showStmts(p.body)}`;
}

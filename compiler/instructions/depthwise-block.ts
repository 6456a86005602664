/**
 * depthwise_block: PB pixels of four channels, summed over a whole small window, as one stretch of inline assembly; a channel
 * multiplies one half of a word each (SMLABB, SMLATT). Weights and pixels are int16 in quads 0 2 1 3, four channels a pixel.
 */
import { add, buffer, iter, load, loop, mul, num, program, refuse, store } from '../program/build.ts';
import type { Expr, Loop, Stmt } from '../program/program.ts';
import type { Params, Recipe } from './instruction.ts';
import { quad } from './mac-block.ts';
import {
  addressW,
  addressX,
  blockCall,
  blockRegisters,
  blockSignature,
  blockText,
  type RegisterBlock,
  register,
} from './register-block.ts';

const need = (holds: boolean, why: string): void => {
  if (!holds) refuse(`depthwise_block: ${why}`);
};

interface Shape {
  readonly PB: number;
  readonly KY: number;
  readonly KX: number;
  /** Pixels of a row of x, and how far one output pixel lies from the next. */
  readonly W: number;
  readonly S: number;
}

function infer(nest: Loop, shape: (role: string) => readonly number[]): Params {
  const chain: Loop[] = [nest];
  for (let at: Stmt | undefined = nest.body[0]; at?.kind === 'loop'; at = at.body[0]) chain.push(at);
  const [ky, kx, p, c] = chain;
  if (chain.length !== 4 || c?.extent !== 4)
    refuse('depthwise_block: loops over window rows, columns, pixels, four channels');
  const [sum] = c?.body ?? [];
  const x =
    sum?.kind === 'store' && sum.value.kind === 'binary' && sum.value.a.kind === 'load'
      ? sum.value.a.index.at(-2)
      : undefined;
  return {
    KY: ky?.extent ?? 1,
    KX: kx?.extent ?? 1,
    PB: p?.extent ?? 1,
    W: shape('x').at(-2) ?? 1,
    S: coefficient(x, p?.iter ?? ''),
  };
}
function coefficient(e: Expr | undefined, name: string): number {
  if (e?.kind === 'iter') return e.name === name ? 1 : 0;
  if (e?.kind !== 'binary') return 0;
  if (e.op === '+') return coefficient(e.a, name) + coefficient(e.b, name);
  return e.op === '*' && e.a.kind === 'const' ? e.a.value * coefficient(e.b, name) : 0;
}

/** Sums, a pixel's two words, a tap's two words. */
const registers = (s: Shape): number => 4 * s.PB + 4;

function assembly(s: Shape): readonly string[] {
  const acc = (p: number, c: number): string => register(4 * p + c);
  const [x0, x1, w0, w1] = [0, 1, 2, 3].map((n) => register(4 * s.PB + n));
  const out: string[] = [];
  for (let ky = 0; ky < s.KY; ky++) {
    for (let kx = 0; kx < s.KX; kx++) {
      out.push(`ldrd ${w0}, ${w1}, [${addressW}, #${8 * (ky * s.KX + kx)}]`);
      for (let p = 0; p < s.PB; p++) {
        out.push(`ldrd ${x0}, ${x1}, [${addressX}, #${8 * (ky * s.W + s.S * p + kx)}]`);
        const sums = [
          ['smlabb', 0, x0, w0],
          ['smlatt', 2, x0, w0],
          ['smlabb', 1, x1, w1],
          ['smlatt', 3, x1, w1],
        ] as const;
        for (const [op, c, a, b] of sums) out.push(`${op} ${acc(p, c)}, ${a}, ${b}, ${acc(p, c)}`);
      }
    }
  }
  return out;
}

const frame = (symbol: string, s: Shape): Omit<RegisterBlock, 'lines'> => ({
  symbol,
  x: 'int16_t',
  w: 'int16_t',
  sums: 4 * s.PB,
  temps: 4,
});

function portable(symbol: string, s: Shape): string {
  const sums = Array.from({ length: 4 * s.PB }, (_, i) => {
    const [p, c] = [Math.floor(i / 4), (quad.order as readonly number[]).indexOf(i % 4)];
    return `      *a${i} = mt_add(*a${i}, x[${4 * s.W} * ky + 4 * kx + ${4 * s.S * p + c}] * w[${4 * s.KX} * ky + 4 * kx + ${c}]);\n`;
  });
  return `${blockSignature(frame(symbol, s))} {
  int32_t ky, kx;
  for (ky = 0; ky < ${s.KY}; ky++) {
    for (kx = 0; kx < ${s.KX}; kx++) {
${sums.join('')}    }
  }
}
`;
}

/** acc[p, c] += x[ky, S*p + kx, c] * w[ky, kx, c]. */
export const depthwiseBlock: Recipe = {
  name: 'depthwise_block',
  examples: [
    { PB: 1, KY: 3, KX: 3, W: 5 },
    { PB: 2, KY: 2, KX: 3, W: 6, S: 2 },
  ],
  infer,
  make: ({ PB = 1, KY = 1, KX = 1, W = 1, S = 1 }: Params) => {
    const s: Shape = { PB, KY, KX, W, S };
    need(S >= 1 && registers(s) <= blockRegisters, `${PB} pixels need ${registers(s)} registers`);
    need(
      8 * ((KY - 1) * W + S * (PB - 1) + KX - 1) <= 1020 && 8 * (KY * KX - 1) <= 1020,
      'the window is too far for an immediate offset',
    );
    const [ky, kx, p, c] = ['ky', 'kx', 'p', 'c'].map(iter) as [Expr, Expr, Expr, Expr];
    const sum = mul(load('x', ky, add(mul(num(S), p), kx), c), load('w', ky, kx, c));
    const symbol = `mt_depthwise_${PB}x4_${KY}x${KX}_w${W}${S > 1 ? `_s${S}` : ''}`;
    return {
      symbol,
      features: ['dsp'],
      stackBytes: 0,
      meaning: program(
        'depthwise_block',
        [
          buffer('x', 'i16', [KY, W, 4], 'in'),
          buffer('w', 'i16', [KY, KX, 4], 'in'),
          buffer('acc', 'i32', [PB, 4], 'out'),
        ],
        loop('ky', KY, loop('kx', KX, loop('p', PB, loop('c', 4, store('acc', [p, c], sum, '+'))))),
      ),
      operands: {
        x: { dtype: 'i16', layout: quad, align: 4 },
        w: { dtype: 'i16', layout: quad, align: 4 },
        acc: { dtype: 'i32', cells: true },
      },
      c: (at) => blockCall(frame(symbol, s), at),
      prelude: blockText({ ...frame(symbol, s), lines: assembly(s) }),
      portable: portable(symbol, s),
    };
  },
};

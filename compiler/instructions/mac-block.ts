/**
 * mac_block: a register block of PB pixels x OB channels summed over one window row or more, as one stretch of inline assembly.
 * acc[p, o] += x[window of pixel p] . w[o], int16 pairs by SMLAD. Loads are doubles (LDRD) or words.
 * Must stay true: a block fits the registers of register-block.ts, and every offset fits its load's immediate.
 */
import { add, buffer, iter, load, loop, mul, num, program, refuse, store } from '../program/build.ts';
import type { Layout } from '../program/layouts.ts';
import type { Loop, Program, Stmt } from '../program/program.ts';
import type { Operand, Params, Recipe } from './instruction.ts';
import { coefficient } from './nest.ts';
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

/** The order that a pair of SXTB16 leaves four bytes in. */
export const quad = { kind: 'quad', order: [0, 2, 1, 3] } as const satisfies Layout;

/** Lengths and distances in elements: what the assembly needs to know. */
interface Block {
  readonly PB: number;
  readonly OB: number;
  /** Window rows in one call, and elements that lie side by side in each. */
  readonly rows: number;
  readonly length: number;
  readonly xPixel: number;
  readonly xRow: number;
  readonly wChannel: number;
  readonly wRow: number;
  /** 2: LDRD, 1: LDR. */
  readonly wide: number;
  readonly quad: number;
  /** Bytes of a weight: 1 has them widened on the way, which wants x in quads. */
  readonly weight: number;
}

const need = (holds: boolean, why: string): void => {
  if (!holds) refuse(`mac_block: ${why}`);
};

/** What the nest says: loops over k (D=1), kx and c (D=2), or ky, kx and c (D=3), then pixels and channels of the block. */
function inferParams(nest: Loop, shape: (role: string) => readonly number[]): Params {
  const chain: number[] = [];
  let at: Stmt | undefined = nest;
  while (at?.kind === 'loop') {
    chain.push(at.extent);
    at = at.body[0];
  }
  const [OB = 1, PB = 1] = chain.slice().reverse();
  const taps = chain.slice(0, -2);
  const D = taps.length;
  if (D < 1 || D > 3) refuse('mac_block: one to three loops over the window, then pixels and channels');
  const [x, w] = [shape('x'), shape('w')];
  const C = taps.at(-1) ?? 1;
  const KX = D > 1 ? (taps.at(-2) ?? 1) : 1;
  const R = D > 2 ? (taps[0] ?? 1) : 1;
  return {
    D,
    PB,
    OB,
    C,
    KX,
    R,
    W: x.at(-2) ?? 1,
    WC: w.at(-1) ?? 1,
    KY: D > 1 ? (w[1] ?? 1) : 1,
    S: D > 1 ? stride(nest) : 1,
    XC: x.at(-1) ?? 1,
  };
}

/** How many columns the window moves from one pixel of the block to the next: the coefficient of the pixel loop in x's index. */
function stride(nest: Loop): number {
  let found = 1;
  const names: string[] = [];
  const go = (s: Stmt | undefined): void => {
    if (s?.kind === 'loop') {
      names.push(s.iter);
      return go(s.body[0]);
    }
    const pixel = names.at(-2) ?? '';
    if (s?.kind !== 'store' || s.value.kind !== 'binary' || s.value.a.kind !== 'load') return;
    found = Math.max(1, coefficient(s.value.a.index.at(-2), pixel));
  };
  go(nest);
  return found;
}
function meaningOf(q: Params): Program {
  const { D = 1, PB = 1, OB = 1, C = 1, KX = 1, R = 1, W = 1, KY = 1, S = 1, weight = 2, XC = C, WC = C } = q;
  const [k, kx, ky, p, o] = [iter('k'), iter('kx'), iter('ky'), iter('p'), iter('o')];
  const column = add(mul(num(S), p), kx);
  const x = D === 1 ? load('x', p, k) : D === 2 ? load('x', column, k) : load('x', ky, column, k);
  const w = D === 1 ? load('w', o, k) : load('w', o, D === 2 ? num(0) : ky, kx, k);
  const sum = loop('p', PB, loop('o', OB, store('acc', [p, o], mul(x, w), '+')));
  const nest = [
    () => loop('k', C, sum),
    () => loop('kx', KX, loop('k', C, sum)),
    () => loop('ky', R, loop('kx', KX, loop('k', C, sum))),
  ][D - 1];
  return program(
    'mac_block',
    [
      buffer('x', 'i16', D === 1 ? [PB, XC] : D === 2 ? [W, C] : [R, W, C], 'in'),
      buffer('w', weight === 1 ? 'i8' : 'i16', D === 1 ? [OB, WC] : [OB, KY, KX, C], 'in'),
      buffer('acc', 'i32', [PB, OB], 'out'),
    ],
    (nest ?? (() => refuse('mac_block: no such depth')))(),
  );
}

function blockOf(q: Params): Block {
  const {
    D = 1,
    PB = 1,
    OB = 1,
    C = 1,
    KX = 1,
    R = 1,
    W = 1,
    KY = 1,
    S = 1,
    wide = 2,
    quad: permuted = 0,
    weight = 2,
    XC = C,
    WC = C,
  } = q;
  const flat = D === 1;
  return {
    PB,
    OB,
    rows: R,
    length: flat ? C : KX * C,
    xPixel: flat ? XC : S * C,
    xRow: W * C,
    wChannel: flat ? WC : KY * KX * C,
    wRow: KX * C,
    wide,
    quad: permuted,
    weight,
  };
}

function check(b: Block, q: Params): void {
  const { C = 1, XC = C, WC = C, D = 1 } = q;
  need(b.wide === 1 || b.wide === 2, 'wide is 1 or 2');
  need(b.weight === 1 || b.weight === 2, 'a weight has one byte or two');
  need(b.rows === 1 || (D === 3 && b.rows > 1), 'only a window has rows');
  need(D === 1 || (XC === C && WC === C), 'a window covers all channels');
  need(Math.min(b.PB, b.OB) >= 1, 'a pixel and a channel');
  need(registers(b) <= blockRegisters, `${b.PB}x${b.OB} needs ${registers(b)} registers`);
  need(
    b.length % 2 === 0 && b.xPixel % 2 === 0 && b.wChannel % 2 === 0 && b.wRow % 2 === 0,
    'pairs of elements lie in words',
  );
  need(b.rows === 1 || b.xRow % 2 === 0, 'rows begin at words');
  need(b.quad === 0 || C % 4 === 0, 'quads of channels');
  need(b.weight === 2 || b.quad === 1, 'weights of one byte want x in quads');
  const farX = 2 * ((b.PB - 1) * b.xPixel + (b.rows - 1) * b.xRow + b.length - b.wide * 2);
  const farW = b.weight * ((b.OB - 1) * b.wChannel + (b.rows - 1) * b.wRow + b.length - b.wide * 2);
  need(Math.max(farX, farW) <= (b.wide === 2 ? 1020 : 4095), 'the window is too far for an immediate offset');
  need(b.rows * b.length <= 256, 'at most 256 elements a call');
}
/** Words of weights that are held at once: four one-byte weights become two words. */
const weightWords = (b: Block): number => (b.weight === 1 ? 2 : b.wide);
/** Sums, weights, pixels. */
const registers = (b: Block): number => b.PB * b.OB + b.OB * weightWords(b) + b.wide;

/** Four bytes in `low` as quads: even ones stay in `low`, odd ones go to `high`. */
const widened = (low: string, high: string): readonly string[] => [
  `sxtb16 ${high}, ${low}, ror #8`,
  `sxtb16 ${low}, ${low}`,
];

/** The assembly: sums in the first registers, then a pixel's words, then the weights'. */
function assembly(b: Block): readonly string[] {
  const held = weightWords(b);
  const first = b.PB * b.OB;
  const x = (h: number): string => register(first + h);
  const w = (o: number, h: number): string => register(first + b.wide + o * held + h);
  const out: string[] = [];
  for (let r = 0; r < b.rows; r++) {
    for (let k = 0; k < b.length; ) {
      const words = k + 4 <= b.length ? held : 1;
      for (let o = 0; o < b.OB; o++) {
        const offset = b.weight * (o * b.wChannel + r * b.wRow + k);
        if (b.weight === 1) out.push(read([w(o, 0)], addressW, offset), ...widened(w(o, 0), w(o, 1)));
        else
          out.push(
            read(
              upTo(words).map((h) => w(o, h)),
              addressW,
              offset,
            ),
          );
      }
      for (let p = 0; p < b.PB; p++) {
        for (let h = 0; h < words; h += b.wide) {
          const some = upTo(Math.min(b.wide, words - h));
          out.push(read(some.map(x), addressX, 2 * (p * b.xPixel + r * b.xRow + k + 2 * h)));
          for (const i of some) {
            for (let o = 0; o < b.OB; o++) {
              const sum = register(p * b.OB + o);
              out.push(`smlad ${sum}, ${x(i)}, ${w(o, h + i)}, ${sum}`);
            }
          }
        }
      }
      k += 2 * words;
    }
  }
  return out;
}
const upTo = (n: number): readonly number[] => Array.from({ length: n }, (_, i) => i);
const read = (to: readonly string[], base: string, offset: number): string =>
  `${to.length === 2 ? 'ldrd' : 'ldr'} ${to.join(', ')}, [${base}, #${offset}]`;

const frame = (symbol: string, b: Block): Omit<RegisterBlock, 'lines'> => ({
  symbol,
  x: 'int16_t',
  w: b.weight === 1 ? 'int8_t' : 'int16_t',
  sums: b.PB * b.OB,
  temps: b.wide + b.OB * weightWords(b),
});

function portable(symbol: string, b: Block): string {
  const sums = upTo(b.PB * b.OB).map((i) => {
    const [p, o] = [Math.floor(i / b.OB), i % b.OB];
    const at = (name: string, outer: number, row: number, k: string): string =>
      `${name}[${outer}${b.rows > 1 ? ` + ${row} * r` : ''} + ${k}]`;
    // One-byte weights lie in plain order, the pixels in quads.
    const place = b.weight === 1 ? '(k & ~3) + (((k & 1) << 1) | ((k & 2) >> 1))' : 'k';
    return `    *a${i} = mt_add(*a${i}, ${at('x', p * b.xPixel, b.xRow, place)} * ${at('w', o * b.wChannel, b.wRow, 'k')});\n`;
  });
  const row = b.rows > 1 ? `  int32_t r;\n  for (r = 0; r < ${b.rows}; r++)\n` : '';
  return `${blockSignature(frame(symbol, b))} {\n  int32_t k;\n${row}  for (k = 0; k < ${b.length}; k++) {\n${sums.join('')}  }\n}\n`;
}

export const macBlock: Recipe = {
  name: 'mac_block',
  examples: [
    { D: 1, PB: 2, OB: 2, C: 10, XC: 12, WC: 12 },
    { D: 1, PB: 4, OB: 1, C: 8, quad: 1, wide: 1 },
    { D: 1, PB: 2, OB: 2, C: 8, quad: 1, weight: 1 },
    { D: 2, PB: 2, OB: 1, C: 4, KX: 3, W: 6, KY: 2, S: 2 },
    { D: 3, PB: 1, OB: 2, C: 4, KX: 2, R: 2, W: 5, KY: 2 },
  ],
  infer: inferParams,
  make: (params) => {
    const b = blockOf(params);
    check(b, params);
    const shape = `${b.PB}x${b.OB}_${b.rows > 1 ? `${b.rows}r` : ''}${b.length}`;
    const symbol = `mt_mac_${shape}_x${b.xPixel}${b.rows > 1 ? `r${b.xRow}` : ''}_w${b.wChannel}${b.wide === 2 ? '_d' : ''}${b.weight === 1 ? '_b' : ''}`;
    const operand: Operand = { dtype: 'i16', align: 4, ...(b.quad === 1 && { layout: quad }) };
    return {
      symbol,
      features: ['dsp'],
      stackBytes: 0,
      meaning: meaningOf(params),
      operands: {
        x: operand,
        w: b.weight === 1 ? { dtype: 'i8', align: 4 } : operand,
        acc: { dtype: 'i32', cells: true },
      },
      c: (at) => blockCall(frame(symbol, b), at),
      get prelude() {
        return blockText({ ...frame(symbol, b), lines: assembly(b) });
      },
      get portable() {
        return portable(symbol, b);
      },
    };
  },
};

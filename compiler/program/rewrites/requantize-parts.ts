/**
 * requantizeParts: a requantise of short multiplications only, for CPUs whose products keep 32 bits. The multiplier M is cut into
 * parts of k bits, so that floor(u*M / 2^K) comes out exactly although u*M does not fit a word. Proved like the other forms
 * (staircase.ts). Must stay true: no part's product leaves the word, signed where the sum starts from zero, unsigned where it starts
 * so that it is never negative.
 */
import { byteZero, type PartsForm, partsMeaning } from '../../instructions/requantize-parts.ts';
import { constant, load, num, refuse } from '../build.ts';
import type { Program } from '../program.ts';
import { mapStmts } from '../walk.ts';
import { type Memo, recall } from './memo.ts';
import { mapStoresTo, type Reduction, reductionInto } from './reduction.ts';
import { accBounds, channelsOf, type Requantize, theRequantize } from './requantize-affine.ts';
import { type Asked, addends, around, type Fit, fitsOf, type Stair, staircase, wanted } from './staircase.ts';
import type { StepOf } from './steps.ts';

/** What is the same for all channels. */
type Form = Pick<PartsForm, 'parts' | 'bits' | 'right'>;
/** One channel: sums run from `range[0]` to `range[1]` and u = sum + off. */
interface Channel extends Asked {
  readonly off: number;
}

/**
 * `acc = bias[o]; acc += ...; y = requantize(acc)`  ->  `u = start[o]; u += ...; y = clamp((u*M + c) >> s, 0, 255) - 128` with
 * u*M in parts, the constants of a channel in a row of `table`, as `partsMeaning` reads them. Without `start`, u begins at 0.
 */
export function requantizeParts(p: Program, s: StepOf<'requantizeParts'>, memo: Memo): Program {
  const node = theRequantize(p, s.acc);
  const r = reductionInto(p, s.acc);
  const channels = offsetChannels(p, s, node, r);
  const bits = partBits(channels, s);
  const fitted = fitAll(channels, s, bits, memo);
  const signed = s.form === 'signed';
  const n = channels.length;
  const table = channels.flatMap((c, o) => rowOf(c, fitted.fits[o] as Fit, fitted.form, signed));
  const q: PartsForm = { ...fitted.form, signed, unsigned: s.start !== undefined, min: node.min, max: node.max };
  const body = mapStmts(p.body, (e) =>
    e.kind === 'requantize' && e.mult.kind === 'load' ? partsMeaning(q, e.acc, s.table, e.mult.index) : e,
  );
  const { start } = s;
  const begun = mapStoresTo({ ...p, body }, s.acc, (x) =>
    x.reduce === undefined ? { ...x, value: start === undefined ? num(0) : load(start, ...r.init.index) } : x,
  );
  const starts = channels.map((c, o) => c.off + (r.bias.values?.[o] ?? 0));
  return {
    ...begun,
    buffers: [
      ...begun.buffers,
      constant(s.table, [n, table.length / n], table),
      ...(start === undefined ? [] : [constant(start, [n], starts)]),
    ],
  };
}

function offsetChannels(p: Program, s: StepOf<'requantizeParts'>, node: Requantize, r: Reduction): readonly Channel[] {
  const channels = channelsOf(p, node, accBounds(p, r));
  if (node.min < -byteZero || node.max > 127) refuse('what is stored is not a byte');
  return channels.map((c, o): Channel => {
    const off = s.start === undefined ? -(r.bias.values?.[o] ?? 0) : -c.range[0];
    return { ...c, off };
  });
}

/** As many bits as a part may have, so that neither its product with u leaves a word nor all of u*M the integers of a double. */
function partBits(channels: readonly Channel[], s: StepOf<'requantizeParts'>): number {
  const most = Math.max(...channels.map(({ range: [lo, hi], off }) => Math.max(-(lo + off), hi + off)), 1);
  const word = s.start === undefined ? 31 : 32;
  const bits = Math.min(word - Math.ceil(Math.log2(most + 1)), Math.floor(20 / (s.parts - 1)));
  return bits >= 4 ? bits : refuse(`sums up to ${most} leave no room for a multiplier`);
}

function fitAll(
  channels: readonly Channel[],
  s: StepOf<'requantizeParts'>,
  bits: number,
  memo: Memo,
): { readonly form: Form; readonly fits: readonly Fit[] } {
  const highest = largestShift(channels);
  let last = 0;
  for (let right = highest; right >= Math.max(1, highest - 3); right--) {
    const form: Form = { parts: s.parts, bits, right };
    const fits = fitsOf(channels, (c) =>
      recall(memo, JSON.stringify(['parts', c, form, s.form]), () => search(c, form, s.form)),
    );
    if (fits.length === channels.length) return { form, fits };
    last = fits.length;
  }
  return refuse(`no form of ${s.parts} parts is exact for channel ${last}`);
}

const slope = ({ mult, shift }: Channel): number => mult * 2 ** (shift - 31);
/** The final shift for which the largest result, before it is limited, fills a word. */
function largestShift(channels: readonly Channel[]): number {
  const far = (c: Channel): number =>
    Math.max(...c.range.map((acc) => Math.abs(acc * slope(c) + c.zero + byteZero))) + 2;
  return Math.min(24, Math.floor(31 - Math.log2(Math.max(...channels.map(far)))));
}

/** Multipliers tried around the nearest one, before the form is given up. */
const tries = 1500;

function search(c: Channel, form: Form, kind: 'plain' | 'signed'): Fit | null {
  const [lo, hi] = c.range;
  if (lo === hi) return { mul: 0, add: (wanted(c, lo) + byteZero) * 2 ** form.right, fix: 0, offset: 0 };
  if (c.shift > 0 || c.mult <= 0 || Math.max(-lo, hi) >= 2 ** 24) return null;
  const steps = staircase(c);
  const fixes = kind === 'signed' ? [-Math.round(2 ** (form.right + c.shift)), -1, 0] : [0];
  for (const fix of fixes) {
    const fit = fitSteps(c, form, steps, fix);
    if (fit !== null) return fit;
  }
  return null;
}

function fitSteps(c: Channel, form: Form, steps: readonly Stair[], fix: number): Fit | null {
  const [lo, hi] = c.range;
  const K = form.bits * (form.parts - 1);
  const [scale, one] = [2 ** K, 2 ** form.right];
  const nearest = Math.round(slope(c) * 2 ** (form.right + K));
  for (const m of around(nearest, tries)) {
    if (m <= 0 || m >= 2 ** 31 * scale) continue;
    const part = (acc: number): number => Math.floor(((acc + c.off) * m) / scale) + (acc < 0 ? fix : 0);
    const [low, high] = addends(steps, c.range, {
      possible: [-(2 ** 31) - part(lo), 2 ** 31 - 1 - part(hi)],
      begin: (level) => (level + byteZero) * one,
      part,
    });
    if (low <= high) return { mul: m, add: Math.floor((low + high) / 2), fix, offset: 0 };
  }
  return null;
}

/** A channel's row of the table: [where acc is 0, what is added below,] parts of M from the lowest, c. */
function rowOf(c: Channel, fit: Fit, { parts, bits }: Form, signed: boolean): readonly number[] {
  const one = 2 ** bits;
  const cut: number[] = [];
  let rest = fit.mul;
  for (let i = 1; i < parts; i++) {
    cut.push(rest % one);
    rest = Math.floor(rest / one);
  }
  return [...(signed ? [c.off, fit.fix] : []), ...cut, rest | 0, fit.add | 0];
}

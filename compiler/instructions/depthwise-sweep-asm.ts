/**
 * The assembly of depthwise_sweep: 3x3 windows, one channel after another, two columns of outputs at a time, downwards. A row of x is
 * loaded and parted once for all outputs that it takes part in; their sums wait in registers: rolling sums. Must stay true: all
 * registers are taken, so what is needed once a row, a strip or a channel waits in s0-s15 or on the stack.
 */
import { advance, park, unpark } from './asm-lines.ts';
import { type Code, rounds, sequence, straight } from './code.ts';
import { channelConstants, channels, slots } from './depthwise-frame.ts';
import { type DepthwiseNest, pixelBytes, storeLine } from './depthwise-nest.ts';
import { constantRegisters, requantizeLines, usesTemp } from './requantize-lines.ts';

/** Register plan. even: bytes 0 and 2 of a loaded word, odd: 1 and 3; pairs: a row's outer weights; middle: weights of column 1. */
const [from, to, even, odd] = ['r0', 'r1', 'r2', 'r3'] as const;
const pairs = ['r4', 'r5', 'r6'] as const;
const middle = ['r7', 'r8'] as const;
const mul = 'r9';
/** Stride 1 keeps two rows of outputs; stride 2 one, and has room for the next column's byte and the bias. */
const rollingSums = [
  ['r10', 'r11'],
  ['r12', 'lr'],
] as const;
const stepSums = [['r11', 'r12']] as const;
const next = 'r10';
const begun = 'lr';

/** What waits where: s0-s3 sums begin with, by which of their rows are padding. */
const [limit, stripFrom, stripEnd, stripTo] = ['s4', 's5', 's6', 's7'] as const;
const constantHome = ['s8', 's9'] as const;
const lent = ['s10', 's11', 's12'] as const;
const beginHome = ['s0', 's1', 's2', 's3'] as const;
const at = slots(0);

/** One input row's part in one row of outputs. */
interface Role {
  readonly oy: number;
  readonly ky: number;
  /** Where the sum begins: a key of `begins`. */
  readonly begins: string | undefined;
  readonly ends: boolean;
}

/** Rows of x that outputs need, each with its roles; an output's last row comes first. */
export function rolesOf(n: DepthwiseNest): readonly (readonly Role[])[] {
  const real = (r: number): boolean => r >= n.top && r < n.top + n.H;
  const used = Math.min(n.H, n.SY * (n.OH - 1) + n.KH - n.top);
  return Array.from({ length: Math.max(0, used) }, (_, i) => {
    const r = i + n.top;
    const roles: Role[] = [];
    for (let ky = n.KH - 1; ky >= 0; ky--) {
      const oy = (r - ky) / n.SY;
      if (!Number.isInteger(oy) || oy < 0 || oy >= n.OH) continue;
      const rows = Array.from({ length: n.KH }, (_, k) => n.SY * oy + k);
      const seen = rows.filter(real);
      const missing = rows.flatMap((row, k) => (real(row) ? [] : [k]));
      roles.push({ oy, ky, begins: r === seen[0] ? missing.join('') : undefined, ends: r === seen.at(-1) });
    }
    return roles;
  });
}
/** Which window rows may be padding, all together: what sums begin with, a register each. '' is none. */
export const beginnings = (n: DepthwiseNest): readonly string[] => [
  ...new Set(['', ...rolesOf(n).flatMap((row) => row.flatMap((r) => r.begins ?? []))]),
];
export const mostBeginnings = beginHome.length;

/** Bytes by which the addresses in the registers lag behind. */
interface Cursor {
  from: number;
  to: number;
}
/** Farthest immediate offset of a load or store. */
const reach = 4095;
const rowBytes = (n: DepthwiseNest): number => n.planes * n.pitch;
/** A load may step on by itself where nothing else is loaded from the row. */
const steps = (n: DepthwiseNest): boolean => n.SX === 1 && rowBytes(n) <= 255;
const sumsOf = (n: DepthwiseNest, oy: number): readonly string[] =>
  n.SY === 1 ? (rollingSums[oy % 2] ?? []) : stepSums[0];

/** even and odd become the parted word of a row; with stride 2, next the byte behind it. */
function loadRow(n: DepthwiseNest, columns: number, lag: Cursor): readonly string[] {
  const part = [`sxtb16 ${odd}, ${even}, ror #8`, `sxtb16 ${even}, ${even}`];
  if (steps(n)) return [`ldr ${even}, [${from}], #${rowBytes(n)}`, ...part];
  const far = lag.from + 4 > reach ? flush(lag, 'from') : [];
  const loads = [
    `ldr ${even}, [${from}, #${lag.from}]`,
    ...(n.SX === 2 && columns === 2 ? [`ldrsb ${next}, [${from}, #${lag.from + 4}]`] : []),
  ];
  lag.from += rowBytes(n);
  return [...far, ...loads, ...part];
}
function flush(lag: Cursor, which: 'from' | 'to'): readonly string[] {
  const lines = advance(which === 'from' ? from : to, lag[which]);
  lag[which] = 0;
  return lines;
}

/** Three products for each column; the first adds to `addend` instead where a sum begins there. */
function products(
  n: DepthwiseNest,
  sums: readonly string[],
  ky: number,
  addend: string | undefined,
): readonly string[] {
  const pair = pairs[ky];
  const [w, half] = [middle[ky >> 1], ky % 2 === 0 ? 'b' : 't'];
  const [left = '', right] = sums;
  const out = [`smlad ${left}, ${even}, ${pair}, ${addend ?? left}`, `smlab${half} ${left}, ${odd}, ${w}, ${left}`];
  if (right === undefined) return out;
  if (n.SX === 1)
    return [
      ...out,
      `smlad ${right}, ${odd}, ${pair}, ${addend ?? right}`,
      `smlat${half} ${right}, ${even}, ${w}, ${right}`,
    ];
  return [
    ...out,
    `smlatb ${right}, ${even}, ${pair}, ${addend ?? right}`,
    `smlat${half} ${right}, ${odd}, ${w}, ${right}`,
    `smlabt ${right}, ${next}, ${pair}, ${right}`,
  ];
}

/** Registers lent to the requantise lines beside `mul`: one with a copy elsewhere first, then the row's own, which are put aside. */
function finish(n: DepthwiseNest, sums: readonly string[], lag: Cursor): readonly string[] {
  const q = n.requantize;
  const extra = constantRegisters(q) - 1;
  const wanted = extra + (usesTemp(q) ? 1 : 0);
  const [copied, copy] = n.SY === 1 ? [middle[1], lent[2]] : [begun, beginHome[0]];
  const aside = [even, odd].slice(0, Math.max(0, wanted - 1));
  const lend = [copied, ...aside].slice(0, wanted);
  const constants = lend.slice(0, extra);
  const far = lag.to + pixelBytes(n) > reach ? flush(lag, 'to') : [];
  const stores = sums.map((sum, i) => storeLine(n, sum, to, lag.to + i * pixelBytes(n)));
  lag.to += n.OW * pixelBytes(n);
  return [
    ...aside.map((r, i) => park(lent[i] ?? '', r)),
    ...constants.map((r, i) => unpark(r, constantHome[i] ?? '')),
    ...sums.flatMap((sum) => requantizeLines(q, sum, { constants: [mul, ...constants], temp: lend.at(-1) ?? '' })),
    ...(wanted > 0 ? [unpark(copied, copy)] : []),
    ...aside.map((r, i) => unpark(r, lent[i] ?? '')),
    ...far,
    ...stores,
  ];
}

/** One row of x: ends sums, goes on with others, begins new ones, in this order, so that two sets of sums do. */
function rowLines(n: DepthwiseNest, columns: number, roles: readonly Role[], lag: Cursor): readonly string[] {
  const homes = beginnings(n);
  const out = [...loadRow(n, columns, lag)];
  for (const { oy, ky, begins, ends } of roles) {
    const sums = sumsOf(n, oy).slice(0, columns);
    const inRegister = begins === '' && n.SY > 1;
    if (begins !== undefined && !inRegister)
      out.push(...sums.map((sum) => unpark(sum, beginHome[homes.indexOf(begins)] ?? '')));
    out.push(...products(n, sums, ky, inRegister ? begun : undefined));
    if (ends) out.push(...finish(n, sums, lag));
  }
  return out;
}

/** From where on rows repeat every `unroll`, and how often they do; 0 rounds: not worth a loop. */
function steady(
  n: DepthwiseNest,
  rows: readonly (readonly Role[])[],
  unroll: number,
): { readonly first: number; readonly times: number } {
  const key = (i: number): string =>
    JSON.stringify(rows[i]?.map(({ oy, ky, begins, ends }) => [sumsOf(n, oy)[0], ky, begins, ends]));
  const alike = (i: number): boolean => i + unroll < rows.length && key(i) === key(i + unroll);
  let first = 0;
  while (first < rows.length && !alike(first)) first++;
  let last = first;
  while (alike(last)) last++;
  const times = Math.floor((last - first) / unroll) + 1;
  return first < rows.length && times > 1 ? { first, times } : { first: rows.length, times: 0 };
}

/** One or two columns of outputs from the first row to the last. */
function strip(n: DepthwiseNest, columns: number, unroll: number, label: number): Code {
  const rows = rolesOf(n);
  const lag: Cursor = { from: 0, to: 0 };
  const run = (some: readonly (readonly Role[])[]): Code =>
    straight(...some.flatMap((roles) => rowLines(n, columns, roles, lag)));
  const { first, times } = steady(n, rows, unroll);
  if (times === 0) return run(rows);
  const head = run(rows.slice(0, first));
  const enter = straight(
    ...flush(lag, 'from'),
    ...flush(lag, 'to'),
    `mov ${even}, ${from}`,
    ...advance(even, times * unroll * rowBytes(n)),
    park(limit, even),
  );
  const round = run(rows.slice(first, first + unroll));
  const again = straight(...flush(lag, 'from'), ...flush(lag, 'to'), unpark(even, limit), `cmp ${from}, ${even}`);
  return sequence(head, enter, rounds(times, label, sequence(round, again)), run(rows.slice(first + times * unroll)));
}

/** All columns: pairs, then the odd one. */
function strips(n: DepthwiseNest, unroll: number): Code {
  const pairsOf = n.OW >> 1;
  const onwards = [
    unpark(from, stripFrom),
    `adds ${from}, #${2 * n.SX}`,
    unpark(to, stripTo),
    ...advance(to, 2 * pixelBytes(n)),
  ];
  const keep = straight(park(stripFrom, from), park(stripTo, to));
  const single = n.OW % 2 === 1 ? strip(n, 1, unroll, 5) : straight();
  if (pairsOf === 0) return single;
  const pair = sequence(keep, strip(n, 2, unroll, 4), straight(...onwards));
  if (pairsOf === 1) return sequence(pair, single);
  return sequence(
    straight(...[`mov ${even}, ${from}`, ...advance(even, 2 * n.SX * pairsOf), park(stripEnd, even)]),
    rounds(pairsOf, 3, sequence(pair, straight(unpark(even, stripEnd), `cmp ${from}, ${even}`))),
    single,
  );
}

/** Weights, constants and all that sums begin with, for one channel. */
function channel(n: DepthwiseNest): Code {
  const q = n.requantize;
  const [bias, ...rest] = ['r10', 'r11', 'r12'] as const;
  return straight(
    `ldr ${odd}, [sp, #${at.w}]`,
    `ldm ${odd}!, {${[...pairs, ...middle].join(', ')}}`,
    `str ${odd}, [sp, #${at.w}]`,
    park(lent[2], middle[1]),
    ...channelConstants(n, 0, bias, [mul, ...rest], odd),
    ...rest.slice(0, constantRegisters(q) - 1).map((r, i) => park(constantHome[i] ?? '', r)),
    ...begin(n, bias),
    `ldr ${from}, [sp, #${at.x}]`,
    `ldr ${to}, [sp, #${at.y}]`,
  );
}

/** Rows of padding are the zero point times a row's weights: added once a channel, not once a pixel. */
function begin(n: DepthwiseNest, bias: string): readonly string[] {
  const sum = 'r11';
  const zero = (n.zero ?? 0) & 0xffff;
  const lines = beginnings(n).flatMap((missing, i) => [
    `mov ${sum}, ${bias}`,
    ...[...missing]
      .map(Number)
      .flatMap((ky) => [
        `smlad ${sum}, ${even}, ${pairs[ky]}, ${sum}`,
        `smlab${ky % 2 === 0 ? 'b' : 't'} ${sum}, ${even}, ${middle[ky >> 1]}, ${sum}`,
      ]),
    park(beginHome[i] ?? '', sum),
  ]);
  const resident = n.SY > 1 ? [`mov ${begun}, ${bias}`] : [];
  return [`movw ${even}, #${zero}`, `movt ${even}, #${zero}`, ...lines, ...resident];
}

/** The whole function: x, y, w, bias in r0-r3, the requantise constants on the stack. */
export const sweepCode = (n: DepthwiseNest, unroll: number): Code =>
  channels(n, 0, sequence(channel(n), strips(n, unroll)));

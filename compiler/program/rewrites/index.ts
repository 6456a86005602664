/**
 * Scheduling: a schedule is a list of steps, replay() applies them one after another, each a pure function Program -> Program
 * that refuses what it cannot show to be legal. After every step the program is verified again.
 * To add a primitive: a line in steps.ts and well-formed.ts, a file here, a case below, a draw in test/unit/program-fuzz.test.ts.
 */
import { Illegal, refuse } from '../build.ts';
import type { Program } from '../program.ts';
import { verifyProgram } from '../verify.ts';
import { pack, widenConst } from './const.ts';
import { expand } from './expand.ts';
import { fission } from './fission.ts';
import { foldOffset } from './fold-offset.ts';
import { fuse } from './fuse.ts';
import { layOut } from './lay-out.ts';
import { linearSum } from './linear-sum.ts';
import type { Memo } from './memo.ts';
import { peel } from './peel.ts';
import { flags, place } from './place.ts';
import { rebase } from './rebase.ts';
import { reorder } from './reorder.ts';
import { replace } from './replace.ts';
import { requantizeAffine } from './requantize-affine.ts';
import { requantizeHalf } from './requantize-half.ts';
import { requantizeParts } from './requantize-parts.ts';
import { requantizeTop } from './requantize-top.ts';
import { scaleProduct } from './scale-product.ts';
import { split } from './split.ts';
import { computeAt, pad, stage } from './stage.ts';
import type { Step } from './steps.ts';
import { tabulate } from './tabulate.ts';
import { unroll } from './unroll.ts';
import { wellFormed } from './well-formed.ts';
import { winograd } from './winograd.ts';
import { winogradWords } from './winograd-words.ts';

export type { Memo } from './memo.ts';
export type { Step } from './steps.ts';

function applyStep(p: Program, s: Step, memo: Memo): Program {
  switch (s.primitive) {
    case 'split':
      return split(p, s);
    case 'reorder':
      return reorder(p, s);
    case 'fuse':
      return fuse(p, s);
    case 'fission':
      return fission(p, s);
    case 'unroll':
      return unroll(p, s);
    case 'peel':
      return peel(p, s);
    case 'expand':
      return expand(p, s);
    case 'stage':
      return stage(p, s);
    case 'layOut':
      return layOut(p, s);
    case 'computeAt':
      return computeAt(p, s);
    case 'pad':
      return pad(p, s);
    case 'foldOffset':
      return foldOffset(p, s);
    case 'requantizeAffine':
      return requantizeAffine(p, s, memo);
    case 'requantizeTop':
      return requantizeTop(p, s, memo);
    case 'requantizeParts':
      return requantizeParts(p, s, memo);
    case 'winogradWords':
      return winogradWords(p, s);
    case 'rebase':
      return rebase(p, s);
    case 'winograd':
      return winograd(p, s, memo);
    case 'requantizeHalf':
      return requantizeHalf(p, s, memo);
    case 'linearSum':
      return linearSum(p, s, memo);
    case 'scaleProduct':
      return scaleProduct(p, memo);
    case 'tabulate':
      return tabulate(p, s);
    case 'widenConst':
      return widenConst(p, s);
    case 'pack':
      return pack(p, s);
    case 'replace':
      return replace(p, s);
    case 'place':
      return place(p, s);
    case 'flags':
      return flags(p, s);
    default:
      return refuse(`no primitive ${String((s satisfies never as { primitive?: unknown }).primitive)}`);
  }
}

export type Replayed =
  | {
      readonly ok: true;
      readonly program: Program /** Forms that were proved on this occurrence's constants. */;
      readonly claims: readonly string[];
    }
  | { readonly ok: false; readonly step: number; readonly reason: string };

/**
 * The naive program, bound to its constants, rewritten by a schedule. Never throws for what a schedule says, however
 * malformed. `memo` keeps proofs between calls with the same constants.
 */
export function replay(naive: Program, schedule: readonly Step[], memo: Memo = new Map()): Replayed {
  let p = naive;
  const claims: string[] = [];
  for (const [step, s] of schedule.entries()) {
    try {
      wellFormed(s);
      p = verifyProgram(applyStep(p, s, memo));
      if (s.primitive === 'requantizeAffine' || s.primitive === 'requantizeTop' || s.primitive === 'requantizeParts')
        claims.push(`${s.primitive} ${s.acc}: exact on every reachable value`);
      if (s.primitive === 'winograd') claims.push(`winograd ${s.form}: exact on every reachable value`);
      if (s.primitive === 'requantizeHalf') claims.push(`requantizeHalf ${s.acc}: exact on every reachable sum`);
      if (s.primitive === 'scaleProduct') claims.push('scaleProduct: exact on every product');
      if (s.primitive === 'linearSum') claims.push('linearSum: exact on every pair of bytes');
      if (s.primitive === 'replace') claims.push(`replace ${s.instr}`);
    } catch (error) {
      if (!(error instanceof Illegal)) throw error;
      return { ok: false, step, reason: `${String(s?.primitive)}: ${error.message}` };
    }
  }
  return { ok: true, program: p, claims };
}

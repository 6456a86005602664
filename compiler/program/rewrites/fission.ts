/** fission: one nest becomes several, a statement each. */
import { iter, refuse } from '../build.ts';
import { inlineStmts } from '../inline.ts';
import type { Alloc, Program, Stmt } from '../program.ts';
import { show } from '../show.ts';
import { accesses, atLoop, loopsIn, rename } from '../walk.ts';
import { perfectNest } from './legality.ts';
import type { StepOf } from './steps.ts';

/**
 * `for a: for b: {S; T}`  ->  `for a: for b: S; for a_1: for b_1: T`.
 * A buffer used by both must be indexed by exactly these iterators in one dimension each (expand makes it so). Temporaries
 * declared in the nest move before it; they must be expanded likewise.
 */
export function fission(p: Program, s: StepOf<'fission'>): Program {
  return atLoop(p, s.loops[0] ?? refuse('no loops'), (l) => {
    const chain = perfectNest(l, s.loops);
    const body = chain.at(-1)?.body ?? [];
    const allocs = body.filter((x): x is Alloc => x.kind === 'alloc');
    const parts = body.filter((x) => x.kind !== 'alloc');
    requireSeparable(parts, s.loops);
    const nests = parts.map((x, i) => {
      const suffix = i === 0 ? '' : `_${i}`;
      const own = new Set([...s.loops, ...loopsIn([x]).map((y) => y.iter)]);
      const outer = new Set(s.loops);
      const [renamed] = rename(
        [x],
        (b) => b,
        (n) => (outer.has(n) && own.has(n) ? `${n}${suffix}` : n),
      ) as readonly [Stmt];
      return chain.reduceRight<Stmt>((inner, c) => ({ ...c, iter: `${c.iter}${suffix}`, body: [inner] }), renamed);
    });
    return [...allocs, ...nests];
  });
}

function requireSeparable(parts: readonly Stmt[], names: readonly string[]): void {
  const groups = parts.map((x) => accesses(inlineStmts([x])));
  const written = new Set(
    groups
      .flat()
      .filter((a) => a.how !== 'read')
      .map((a) => a.buf),
  );
  for (const buf of written) {
    const users = groups.filter((g) => g.some((a) => a.buf === buf));
    if (users.length < 2) continue;
    const own = users.flat().filter((a) => a.buf === buf);
    for (const n of names) {
      const name = show(iter(n));
      const dims = own[0]?.index.map((_, d) => d) ?? [];
      if (!dims.some((d) => own.every((a) => show(a.index[d] ?? iter('')) === name)))
        refuse(`${buf} is shared by iterations of ${n}: expand it first`);
    }
  }
}

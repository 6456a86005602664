/** The arena planner on random blocks: nothing that lives together overlaps, and plans come near their lower bound. */
import { expect, test } from 'vitest';
import { type Block, drawArena, planArena } from '../../compiler/plan/arena.ts';
import { samples } from '../samples.ts';
import { Random } from './random.ts';

const randomBlocks = (r: Random): Block[] =>
  Array.from({ length: r.int(1, 14) }, (_, i) => {
    const first = r.int(0, 9);
    return { id: `b${i}`, bytes: r.int(1, 500), first, last: first + r.int(0, 5) };
  });

test('blocks that live together never overlap, and no plan is below the bound', () => {
  const r = new Random(3);
  for (let round = 0; round < samples(300, 20_000); round++) {
    const blocks = randomBlocks(r);
    const plan = planArena(blocks);
    expect(plan.bytes).toBeGreaterThanOrEqual(plan.lowerBound);
    for (const a of blocks) {
      for (const b of blocks) {
        if (a === b || a.first > b.last || b.first > a.last) continue;
        const [x, y] = [plan.offsets.get(a.id) ?? -1, plan.offsets.get(b.id) ?? -1];
        expect(x + a.bytes <= y || y + b.bytes <= x, drawArena(blocks, plan)).toBe(true);
      }
    }
  }
});

test('a chain of layers needs the two largest neighbours, not the sum', () => {
  const plan = planArena([
    { id: 'in', bytes: 96, first: 0, last: 1 },
    { id: 'a', bytes: 160, first: 1, last: 2 },
    { id: 'b', bytes: 64, first: 2, last: 3 },
    { id: 'out', bytes: 16, first: 3, last: 4 },
  ]);
  expect(plan).toMatchObject({ bytes: 256, lowerBound: 256 });
});

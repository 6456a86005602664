/** The arena planner on random blocks: nothing that lives together overlaps, and plans come near their lower bound. */
import { expect, test } from 'vitest';
import { type Block, bytesAt, drawArena, type Overlap, planArena } from '../../compiler/plan/arena.ts';
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

test('a block may begin within one below it where that is said, and no further', () => {
  const r = new Random(5);
  let saved = 0;
  for (let round = 0; round < samples(300, 20_000); round++) {
    const blocks = randomBlocks(r);
    const overlaps = blocks.flatMap((below): readonly Overlap[] =>
      blocks
        .filter((above) => above !== below && above.last === below.first && r.next() < 0.5)
        .map((above) => ({ below: below.id, above: above.id, bytes: r.int(-300, 600) })),
    );
    const plan = planArena(blocks, overlaps);
    const [at, picture] = [(b: Block): number => plan.offsets.get(b.id) ?? -1, drawArena(blocks, plan)];
    const enough = (below: Block, above: Block): boolean => {
      const known = overlaps.find((o) => o.below === below.id && o.above === above.id)?.bytes ?? below.bytes;
      return at(below) + Math.min(known, below.bytes) <= at(above);
    };
    for (const a of blocks) {
      expect(at(a) + a.bytes, picture).toBeLessThanOrEqual(plan.bytes);
      for (const b of blocks)
        if (a !== b && a.first <= b.last && b.first <= a.last) expect(enough(a, b) || enough(b, a), picture).toBe(true);
    }
    if (plan.bytes < planArena(blocks).lowerBound) saved++;
  }
  expect(saved).toBeGreaterThan(20);
});

test('what a step needs, with a result that begins some way below its input, or anywhere', () => {
  const x: Block = { id: 'x', bytes: 96, first: 0, last: 1 };
  const y: Block = { id: 'y', bytes: 64, first: 1, last: 2 };
  const needs = (bytes: number): readonly number[] => {
    const overlaps = [{ below: 'y', above: 'x', bytes }];
    const plan = planArena([x, y], overlaps);
    return [bytesAt([x, y], 1, overlaps), plan.lowerBound, plan.bytes];
  };
  expect(needs(20)).toEqual([128, 128, 128]);
  expect(needs(Number.NEGATIVE_INFINITY)).toEqual([96, 96, 96]);
  expect(needs(Number.POSITIVE_INFINITY)).toEqual([160, 160, 160]);
});

/** docs/performance.md says what the bench measured last, and what it measured is exact. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { publishedFigures } from '../../bench/networks/published.ts';
import { allResults } from '../../bench/networks/results.ts';
import { performanceText } from '../../bench/networks/text.ts';

const text = (file: string): string => readFileSync(resolve(import.meta.dirname, '../..', file), 'utf8');

test('docs/performance.md is what the bench writes', () => {
  expect(text('docs/performance.md')).toBe(performanceText(allResults(), publishedFigures()));
});

test("the README's row is what the bench measured last, to two digits", () => {
  const measured = allResults()[0]?.networks ?? [];
  const cells = measured.map((n) => (n.cycles / 1e6).toPrecision(2)).join(' | ');
  expect(text('README.md')).toContain(`| microtune, records that ship | \`model\` | ${cells} |`);
});

test('within the RAM that was given, and exact', () => {
  for (const { network, ramBudget, result } of allResults().flatMap((r) => r.tight)) {
    if ('refused' in result) continue;
    expect(result.ramBytes, network).toBeLessThanOrEqual(ramBudget);
    expect(result.exact, network).toBe(true);
  }
});

test('every network that was measured gave the golden outputs, and its layers and their causes explain its cycles', () => {
  expect(allResults()[0]?.networks.map((n) => n.network)).toEqual(['vww', 'ic', 'kws', 'ad']);
  for (const n of allResults().flatMap((r) => r.networks)) {
    expect(n.exact).toBe(true);
    const sum = n.layers.reduce((cycles, l) => cycles + l.cycles, 0);
    expect(Math.abs(n.cycles / sum - 1), `${n.network} on ${n.board}`).toBeLessThan(0.02);
    // Causes are a timing model's.
    for (const l of n.kind === 'model' ? n.layers : []) {
      const caused = Object.values(l.causes ?? {}).reduce((cycles, c) => cycles + c, 0);
      expect(caused, `${n.network} ${l.name}`).toBe(l.cycles);
    }
  }
});

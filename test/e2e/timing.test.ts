/** The rules of every core (test/timing): each sequence takes the cycles that its source says, however QEMU cuts the code. */
import { describe, expect, test } from 'vitest';
import type { Timing } from '../../boards/board.ts';
import {
  type CoreRules,
  coreRules,
  type Experiment,
  measureRules,
  memoryExperiments,
  memorySources,
  observe,
  type Rule,
  withoutWaiting,
} from '../timing/index.ts';
import { an385AsM0plus, an386, type Count, measure } from '../timing/machine.ts';

const told = (r: Pick<Rule, 'rule' | 'source'>, value: number): string => `${r.rule} [${r.source}]: ${value}`;
const sum = (c: Count): number => Object.values(c.causes).reduce((a, b) => a + b);

/** A line for each rule whose count differs. */
async function expectRules(core: CoreRules, rules: readonly Rule[]): Promise<void> {
  const found = await measureRules(core, rules);
  expect(found.map((f) => told(f.rule, f.cycles))).toEqual(rules.map((r) => told(r, r.cycles)));
  // A block an instruction: the counts are the same.
  const single = await measureRules(core, rules, ['-singlestep']);
  expect(single.map((f) => f.longest.warm)).toEqual(found.map((f) => f.longest.warm));
  for (const { rule, longest } of found) {
    expect(longest.warm.unknown + longest.warm.unmapped, rule.rule).toBe(0);
    expect(sum(longest.warm), rule.rule).toBe(longest.warm.cycles);
    if (core.counted === 'once') expect(longest.cold, rule.rule).toEqual(longest.warm);
  }
}
async function expectObservations(e: Experiment): Promise<void> {
  const found = await observe(e);
  expect(e.observations.map((o, i) => told(o, found[i] ?? Number.NaN))).toEqual(
    e.observations.map((o) => told(o, o.expected)),
  );
}
const named = (experiments: readonly Experiment[]) => experiments.map((e) => [e.name, e] as const);
const letters = (cited: string): readonly string[] => cited.split(', ').map((s) => s.split(' ')[0] ?? '');

describe.each(coreRules.map((c) => [c.core, c] as const))('%s', (_, core) => {
  test.each(Object.entries(core.groups))('%s', async (_, rules) => expectRules(core, rules));
  if (core.experiments !== undefined) test.each(named(core.experiments))('%s', async (_, e) => expectObservations(e));
  test('every number has a source, every source is used', () => {
    const of = [...Object.values(core.groups).flat(), ...(core.experiments ?? []).flatMap((e) => e.observations)];
    const cited = of.flatMap((r) => letters(r.source));
    expect([...new Set(cited)].sort()).toEqual(Object.keys(core.sources).sort());
  });
});
describe('memory', () => {
  test.each(named(memoryExperiments))('%s', async (_, e) => expectObservations(e));
  test('every number has a source, every source is used', () => {
    const cited = memoryExperiments.flatMap((e) => e.observations.map((o) => o.source));
    expect([...new Set(cited)].sort()).toEqual(Object.keys(memorySources).sort());
  });
});

test('each cycle has a cause', async () => {
  const measured = await measure(an386, withoutWaiting('cortex-m4', an386), [
    { name: 'all', text: 'adds r4, r0, #4\nldr r5, [r4]\nb 1f\nnop\n1: ldr r6, [r0, #2]' },
    { name: 'apart', text: 'ldr r4, [r0]\nldr r5, [r2]' },
  ]);
  // Five instructions; a load not chained, twice, and one computed address; one refill; one more transfer.
  expect(measured('all').cold.causes).toEqual({ issue: 4, pipeline: 3, branch: 1, fetch: 0, data: 1 });
  // Loads of two memories: neither waits for memory, the second does not pipeline.
  expect(measured('apart').cold.causes).toEqual({ issue: 2, pipeline: 2, branch: 0, fetch: 0, data: 0 });
});

test('what the decoder does not know, and memory that no region names, is counted and said', async () => {
  const m3 = await measure(an386, withoutWaiting('cortex-m4', an386), [
    { name: 'coprocessor', text: 'movs r4, #1\ncmp r4, #0\nit eq\ncdpeq p0, #0, c0, c0, c0, #0' },
  ]);
  expect(m3('coprocessor').cold).toMatchObject({ unknown: 1, cycles: 4 });
  const only: Timing = { core: 'cortex-m4', caches: [], regions: [{ name: 'code', base: '0x0', bytes: 0x400000 }] };
  const m4 = await measure(an386, only, [{ name: 'outside', text: 'ldr r4, [r0]\nldr r5, [r2]' }]);
  expect(m4('outside').cold).toMatchObject({ unmapped: 2, unknown: 0 });
  const m0 = await measure(an385AsM0plus, withoutWaiting('cortex-m0plus', an385AsM0plus), [
    { name: 'v7', text: '.inst.w 0xfb94f4f5' },
  ]);
  expect(m0('v7').cold).toMatchObject({ unknown: 1, cycles: 1 });
});

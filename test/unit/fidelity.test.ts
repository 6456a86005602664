/** docs/fidelity.md says what the bench measured last, of the rules that there are, and what it measured is what the sources say. */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { type Fidelity, type Published, placeOf } from '../../bench/fidelity/measure.ts';
import { fidelityText } from '../../bench/fidelity/text.ts';
import { coreRules, memoryExperiments } from '../timing/index.ts';

const root = resolve(import.meta.dirname, '../..');
const json = (file: string): unknown => JSON.parse(readFileSync(join(root, file), 'utf8'));
const measured = json('bench/results/fidelity.json') as Fidelity;
const published = json('bench/published.json') as Published;

test('docs/fidelity.md is what the bench writes', () => {
  expect(readFileSync(join(root, 'docs/fidelity.md'), 'utf8')).toBe(fidelityText(measured, published));
});

test('what was measured is what the sources say, rule by rule', () => {
  const experiments = [
    ...coreRules.flatMap((c) => (c.experiments ?? []).map((e) => [c.core, e] as const)),
    ...memoryExperiments.map((e) => ['memory', e] as const),
  ];
  const expected = [
    ...coreRules.flatMap((c) =>
      Object.entries(c.groups).flatMap(([group, rules]) =>
        rules.map((r) => [placeOf(`${c.core}, ${group}`, r.rule), r.cycles] as const),
      ),
    ),
    ...experiments.flatMap(([where, e]) =>
      e.observations.map((o) => [placeOf(`${where}, ${e.name}`, o.rule), o.expected] as const),
    ),
  ];
  expect(new Set(expected.map(([place]) => place)).size).toBe(expected.length);
  expect(measured.rules).toEqual(Object.fromEntries(expected));
});

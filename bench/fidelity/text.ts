/** docs/fidelity.md from what was measured and published. A rule without a measurement throws: the bench has to run again. */
import type { Board } from '../../boards/board.ts';
import { networkNames } from '../../test/models.ts';
import {
  type CoreRules,
  coreRules,
  type Experiment,
  memoryExperiments,
  memorySources,
} from '../../test/timing/index.ts';
import { cyclesAndTime, millions, table, thousands } from '../markdown.ts';
import { type Fidelity, measuredTwins, type Published, placeOf, type RuleCycles } from './measure.ts';

/** A sequence in one line; the assembler's repetitions as n × (…). */
function sequence(body: string): string {
  const folded = body.replace(/\.rept (\d+)\n([\s\S]*?)\n\.endr\n?/g, '$1 × ($2)\n').replace(/\.balign \d+\n/g, '');
  const line = folded.trim().replace(/\n+/g, '; ').replace(/\s+/g, ' ');
  return `\`${line.length > 70 ? `${line.slice(0, 69)}…` : line}\``;
}

function measured(found: RuleCycles, where: string, rule: string): number {
  const value = found[placeOf(where, rule)];
  if (value === undefined) throw new Error(`no measurement of "${placeOf(where, rule)}": run npm run bench:fidelity`);
  return value;
}
const experimentText = (found: RuleCycles, where: string, e: Experiment): string =>
  `${e.name[0]?.toUpperCase()}${e.name.slice(1)}\n\n${table(
    ['what is counted', 'source', 'by the source', 'measured'],
    e.observations.map((o) => [o.rule, o.source, o.expected, measured(found, `${where}, ${e.name}`, o.rule)]),
  )}\n`;
const sourcesText = (sources: Readonly<Record<string, string>>): string =>
  Object.entries(sources)
    .map(([letter, what]) => `- **${letter}**: ${what}`)
    .join('\n');

function coreText(found: RuleCycles, c: CoreRules): string {
  const how = c.counted === 'once' ? 'beyond an empty function' : 'of one of many in a row';
  const groups = Object.entries(c.groups).map(
    ([group, rules]) =>
      `${group[0]?.toUpperCase()}${group.slice(1)}\n\n${table(
        ['rule', 'sequence', 'source', 'by the source', 'measured'],
        rules.map((r) => [
          r.rule,
          sequence(r.body),
          r.source,
          r.cycles,
          measured(found, `${c.core}, ${group}`, r.rule),
        ]),
      )}\n`,
  );
  const experiments = (c.experiments ?? []).map((e) => experimentText(found, c.core, e));
  return `### ${c.core}\nCycles ${how}.\n${sourcesText(c.sources)}\n\n${[...groups, ...experiments].join('\n')}`;
}

function twin(id: string): Board {
  const found = measuredTwins.find((b) => b.id === id);
  if (found === undefined) throw new Error(`published.json names a board that is no twin: ${id}`);
  return found;
}

/** Why no processor of this pipeline reaches the makers' figure with GCC's code. */
function ceilingText(p: Published): string {
  const ours = p.coremark.model.find((m) => m.board === 'nucleo-l4r5zi' && m.compiler.endsWith('-O3'));
  const stated = p.coremark.silicon.find((s) => s.core === 'cortex-m4' && s.part.startsWith('as Arm'));
  if (ours === undefined || stated === undefined) throw new Error('published.json: CoreMark on a Cortex-M4 is missing');
  const [cycles, instructions] = [1e6 / stated.perMHz, ours.instructions / ours.iterations];
  return `at ${stated.perMHz} an iteration takes ${thousands(Math.round(cycles))}
cycles, and GCC's code has ${thousands(Math.round(instructions))} instructions, many of which take more than one.`;
}
/** Every source once, numbered. */
function references(p: Published): readonly string[] {
  const all = [...p.coremark.model, ...p.coremark.silicon, ...p.networks.model, ...p.networks.silicon];
  return [...new Set(all.map((s) => s.source))];
}

function coremarkText(p: Published): string {
  const refs = references(p);
  const mark = (s: { readonly source: string }): string => `[${refs.indexOf(s.source) + 1}]`;
  const model = p.coremark.model.map((m): readonly string[] => {
    const perMHz = (1e6 * m.iterations) / m.cycles;
    return [twin(m.board).cpu, `**model** of ${m.board}`, m.compiler, perMHz.toFixed(2), mark(m)];
  });
  const silicon = p.coremark.silicon.map((s): readonly string[] => [
    s.core,
    s.part,
    s.compiler,
    s.perMHz.toFixed(2),
    mark(s),
  ]);
  const rows = [...model, ...silicon].sort((a, b) => (a[0] ?? '').localeCompare(b[0] ?? '', 'en'));
  return table(['core', 'measured on', 'compiler', 'CoreMark/MHz', 'source'], rows);
}

function stackText(p: Published): string {
  const refs = references(p);
  const rows = p.networks.model.flatMap((m) => {
    const { clockHz } = twin(m.board);
    const silicon = p.networks.silicon.filter(
      (s) => s.core === twin(m.board).cpu && s.clockHz === clockHz && s.stack.includes('CMSIS-NN'),
    );
    const others = silicon.map((s) => {
      const ms = s.ms[m.network];
      return ms === undefined ? '' : `${s.stack}: ${ms} ms [${refs.indexOf(s.source) + 1}]`;
    });
    const ms = (m.cycles / clockHz) * 1000;
    return [[m.network, m.board, thousands(m.cycles), ms.toFixed(1), others.filter((o) => o !== '').join('; ')]];
  });
  return table(['network', 'model of', 'cycles', 'ms', 'silicon'], rows);
}

function oursText(f: Fidelity, p: Published): string {
  const refs = references(p);
  const measured = new Set(f.networks.map((m) => m.board));
  const rows = measuredTwins
    .filter((b) => measured.has(b.id))
    .map((b) => [
      b.id,
      ...networkNames.map((n) => {
        const cycles = f.networks.find((m) => m.board === b.id && m.network === n)?.cycles;
        if (typeof cycles !== 'number') return cycles ?? '';
        return cyclesAndTime(cycles, b.clockHz);
      }),
    ]);
  const best = p.networks.silicon.map((s) => [
    `${s.part}, ${s.stack} [${refs.indexOf(s.source) + 1}]`,
    ...networkNames.map((n) => {
      const ms = s.ms[n];
      return ms === undefined ? '' : `${millions((ms / 1000) * s.clockHz)} M, ${ms} ms`;
    }),
  ]);
  return [
    table(['our C, default schedules, model of', ...networkNames], rows),
    '',
    table(['other code, on silicon', ...networkNames], best),
  ].join('\n');
}

export function fidelityText(f: Fidelity, p: Published): string {
  return `# How true the cycles of a twin are
Written by \`npm run bench:fidelity\`; change [bench/fidelity](../bench/fidelity/) and [test/timing](../test/timing/), not
this file. A twin counts the cycles of a product's core and memories by the [timing model](../boards/common/timing/README.md).
Its constants come from manuals, from the makers' compiler models, and from what others measured on silicon; none was
chosen to meet a published time. This page says what is checked, and how far the model is from silicon where that can be
told. Nobody here has the silicon: no figure of the model on this page was checked against a board by us.

## In short
- **Rules**: each line of the tables below is a test. It shows that the model does what its source says; it does not show
  that the source says everything.
- **Whole programs**: CoreMark and TFLite Micro, built by us, beside times that others published for silicon. Compilers,
  versions, memories and settings differ; each table says where.
- **What is not modelled**: [the list](../boards/common/timing/README.md#not-modelled); what is not known of a part is in
  its board's README, in [boards](../boards/README.md).

## CoreMark
Built from its sources without a change. The code lies in flash, the data in RAM, as the twin's link map has it; counted is
from start_time to stop_time, ten iterations, caches empty at first; the checksums were right. On silicon others measured
with compilers of their own. The makers' figures are of Arm Compiler, whose code needs fewer instructions: ${ceilingText(p)}
So those say where the ceiling is, not whether the model is right. The rows with GCC are the ones to compare.

${coremarkText(p)}

What follows from it:
- Cortex-M4: within the spread of two other makers' parts with GCC.
- Cortex-M7: the model is slower than silicon with GCC, by about a tenth of a part that runs from tightly coupled memory and
  by about a twentieth of an STM32H750, which has the twin's caches and flash interface. A large part of the model's cycles are
  branches that it predicts wrongly. No document says how silicon predicts beyond its target cache
  ([m7-branch.c](../boards/common/timing/m7-branch.c)); where branches depend on data it does better than what is taken for it.
  Kernels are loops of known length, where that matters little.
- Cortex-M0+: built for size, the model is a tenth faster than a SAMD21 whose board support builds for size by default; the
  flashes differ. The RP2040's figure is lower than the core's manual allows for GCC's code at -O3 in RAM without waiting; why is
  not known.
- Cortex-M33 and M55: only figures of makers were found, with Arm Compiler.

## TFLite Micro with CMSIS-NN
The same networks, built by us from today's sources with GCC, under the model, beside submissions to MLPerf Tiny that used
CMSIS-NN on the same product. Not the same program: a submission is years older, another runtime around the same kernels,
with another compiler; its clock is the same, how it set up flash and caches is not published. Outputs were those of the
reference.

${stackText(p)}

The model lies between the two submissions for ic, vww and kws, and below both for ad. The two differ from each other by up to
three quarters with kernels of one library, so that this comparison cannot be closer than that.

## Our networks and the best published
Different code, so this says nothing of the model's truth: it says what a user can expect of a choice. Caches are empty at
the start of an inference; outputs were compared with the model's. A word instead of a number is the reason why a network
does not run there. The \`pico\` is left out: its emulator takes minutes for an inference.

${oursText(f, p)}

## Sources of the figures
${references(p)
  .map((s, i) => `${i + 1}. ${s}`)
  .join('\n')}

## Rules
All memories answer without waiting, but where it is said.

${coreRules.map((c) => coreText(f.rules, c)).join('\n')}
### Memory
On a Cortex-M4, flash with 5 wait states.
${sourcesText(memorySources)}

${memoryExperiments.map((e) => experimentText(f.rules, 'memory', e)).join('\n')}`;
}

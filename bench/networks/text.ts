/** docs/performance.md from results that are kept and from what others published (bench/published.json). */
import { boardOf, type Cause, causes } from '../../boards/index.ts';
import type { Published } from '../fidelity/measure.ts';
import { millions, table, thousands } from '../markdown.ts';
import type { LeftOut } from './leave-out.ts';
import { type LayerResult, type NetworkResult, networkNames } from './replay.ts';
import type { Results } from './results.ts';
import { shapeFamilies } from './shapes.ts';
import type { Went } from './tune.ts';

const percent = (part: number, whole: number): string => `${((100 * part) / whole).toFixed(0)} %`;
const times = (a: number, b: number): string => `${(a / b).toFixed(1)}×`;
const shape = (dims: readonly number[]): string => dims.slice(dims.length > 2 ? 1 : 0).join('×');
const msOf = (cycles: number, clockHz: number): string => ((1000 * cycles) / clockHz).toFixed(1);

/** Two 8-bit products a cycle: no Cortex-M4 does more, and operands have to come from somewhere. */
const ideal = 0.5;
/** Layers above this many cycles a MAC, if they take this share of their network, are explained. */
const explained = { perMac: 1.5 * ideal, share: 0.03 };

/** What CMSIS-NN takes for a layer: its operator's figure, with flash where that was counted. */
function cmsisOf(p: Published, network: string, { source }: LayerResult): string {
  const found = p.networks.prototype.layers.find((l) => l.network === network && l.operator === source);
  return found === undefined
    ? ''
    : `${thousands(found.withFlash ?? found.cycles)}${found.withFlash === undefined ? '*' : ''}`;
}

function layersText(r: NetworkResult, p: Published): string {
  const rows = r.layers.map((l) => [
    l.source,
    l.op,
    `${l.inputs.map(shape).join(' + ')} → ${shape(l.output)}`,
    thousands(l.macs),
    thousands(l.cycles),
    l.cyclesPerMac === null ? '' : l.cyclesPerMac.toFixed(2),
    cmsisOf(p, r.network, l),
    l.schedule,
  ]);
  return table(['op', 'layer', 'shapes', 'MACs', 'cycles', 'c/MAC', 'CMSIS-NN', 'schedule'], rows);
}

/** What a cause means for a layer. */
const meaning: Readonly<Record<Cause, string>> = {
  issue:
    'the instructions themselves: loads of operands, widening, requantisation and stores beside the multiplications',
  pipeline: 'waiting for values that were just loaded or computed',
  branch: 'loops and calls',
  fetch: 'instructions that come from flash, each for the first time or again when they do not stay in its 1 KiB cache',
  data: 'weights and tables that come from flash with five wait states, and unaligned accesses',
};

/** A line a layer that is far from two MACs a cycle and matters: where its cycles go beyond them. */
function whyText(r: NetworkResult): string {
  const rows = r.layers
    .filter(
      (l) =>
        (l.cyclesPerMac ?? 0) > explained.perMac && l.cycles > explained.share * r.cycles && l.causes !== undefined,
    )
    .map((l) => [
      l.source,
      l.op,
      l.cyclesPerMac?.toFixed(2) ?? '',
      percent(ideal * l.macs, l.cycles),
      ...causes.map((c) => percent(l.causes?.[c] ?? 0, l.cycles)),
      mainCause(l),
    ]);
  const head = ['op', 'layer', 'c/MAC', 'of it 0.5 a MAC', ...causes, 'most beyond that'];
  return rows.length === 0 ? '' : `\n${table(head, rows)}\n`;
}
function mainCause(l: LayerResult): string {
  const beyond = (c: Cause): number => (l.causes?.[c] ?? 0) - (c === 'issue' ? ideal * l.macs : 0);
  const most = causes.reduce((a, b) => (beyond(b) > beyond(a) ? b : a));
  return meaning[most];
}

function wholeText({ networks }: Results, p: Published, clockHz: number): string {
  const of = (name: string): NetworkResult | undefined => networks.find((n) => n.network === name);
  const ours = networkNames.map((n) => {
    const r = of(n);
    return r === undefined ? '' : `**${millions(r.cycles)} M, ${msOf(r.cycles, clockHz)} ms**`;
  });
  const model = networkNames.map((n) => {
    const found = p.networks.model.find((m) => m.network === n);
    return found === undefined ? '' : `${millions(found.cycles)} M, ${msOf(found.cycles, clockHz)} ms`;
  });
  const prototype = networkNames.map((n) => {
    const found = p.networks.prototype.networks.find((m) => m.network === n);
    return found?.withFlash === undefined ? '' : `${millions(found.withFlash)} M, ${msOf(found.withFlash, clockHz)} ms`;
  });
  const silicon = p.networks.silicon
    .filter((s) => s.clockHz === clockHz && s.core === 'cortex-m4')
    .map((s) => [
      `${s.stack}, silicon (${s.source})`,
      ...networkNames.map((n) => {
        const ms = s.ms[n];
        return ms === undefined ? '' : `${millions((ms / 1000) * s.clockHz)} M, ${ms} ms`;
      }),
    ]);
  return table(
    ['', ...networkNames],
    [
      ['**microtune**, timing model', ...ours],
      ['TFLite Micro with CMSIS-NN, timing model', ...model],
      ['TFLite Micro with CMSIS-NN, prototype of the model', ...prototype],
      ...silicon,
    ],
  );
}

function memoryText({ networks }: Results, p: Published): string {
  const rows = networks.map((r) => {
    const theirs = p.networks.prototype.networks.find((m) => m.network === r.network);
    return [
      r.network,
      thousands(r.arenaBytes),
      thousands(r.arenaLowerBound),
      thousands(r.ramBytes),
      thousands(r.flashBytes),
      theirs === undefined ? '' : thousands(theirs.arenaBytes),
    ];
  });
  return table(
    [
      'network',
      'arena',
      'no plan below',
      'RAM: arena, code and constants there, stack',
      'flash',
      "TFLite Micro's arena",
    ],
    rows,
  );
}

function leftOutText(rows: readonly LeftOut[]): string {
  if (rows.length === 0) return 'Not measured yet.';
  const more = (r: LeftOut, cycles: number): string =>
    `${thousands(cycles)} (${((100 * cycles) / r.tuned - 100).toFixed(1)} % more)`;
  return table(
    ['network', 'all records', 'without its own', 'nor any of its shapes'],
    rows.map((r) => [r.network, thousands(r.tuned), more(r, r.without), more(r, r.withoutShapes)]),
  );
}

const wentText = (rows: readonly Went[]): string =>
  table(
    ['layers of', 'seed', 'tasks', 'trials', 'failed', 'seconds', 'default cycles', 'found', ''],
    rows.map((w) => [
      w.network,
      w.seed,
      w.tasks,
      w.trials,
      w.failed,
      w.seconds,
      thousands(w.defaultCycles),
      thousands(w.cycles),
      times(w.defaultCycles, w.cycles),
    ]),
  );

/** The whole page. */
export function performanceText(boardId: string, results: Results, p: Published): string {
  const board = boardOf(boardId);
  if (board === undefined) throw new Error(`no board ${boardId}`);
  const networks = results.networks.map(
    (r) => `### ${r.network}
${thousands(r.cycles)} cycles, ${msOf(r.cycles, board.clockHz)} ms at ${board.clockHz / 1e6} MHz; golden outputs ${r.exact ? 'equal, byte for byte' : '**DIFFER**'}.

${layersText(r, p)}
${whyText(r)}`,
  );
  return `# How fast it is
Written by \`npm run bench:networks -- --board ${boardId} --replay --write\`; change [bench/networks](../bench/networks/), not this file.
The reference networks of MLPerf Tiny, int8, batch 1, as \`microtune compile\` makes them with the records that ship
([records/](../records/README.md)), on \`${boardId}\`: ${board.title}. Caches are empty at the start of an inference. Cycles are
those of the [timing model](../boards/common/timing/README.md), which [fidelity.md](fidelity.md) compares with silicon;
silicon itself was measured by others, with other code.

## Whole networks
${wholeText(results, p, board.clockHz)}

${memoryText(results, p)}

## Layer by layer
\`op\` is the operator's position in the model file. MACs are those that run: channels that cannot change are gone.
CMSIS-NN: ${p.networks.prototype.what}; ${p.networks.prototype.source} (${p.networks.prototype.date}); * marks figures without flash.
So compare sizes, not percents. A Cortex-M4 multiplies two pairs a cycle at best, ${ideal} cycles a MAC, and what it
multiplies has to be loaded and widened; layers far from that, if they matter, are listed behind each network with the causes
that the twin counted.

${networks.join('\n')}
## Layers that nobody measured
A layer without a record gets the settings of the nearest layers that have some, those that are legal for it, ranked by the cost model that ships.
How far that is from its own records (\`npm run bench:networks -- --leave-one-out --write\`):

${leftOutText(results.leftOut)}

"Its own" are the records made for the network; the last column leaves out every layer that differs from one of the network's in zero
points only, such as those of other networks with the same shapes.

## How the records were found
By the guided search, from nothing (\`npm run bench:networks -- --tune\`); sums over the layers, each run alone from empty caches. Beside the
reference networks, layers of ${shapeFamilies.length} families of other networks (\`--shapes\`, [shapes.ts](../bench/networks/shapes.ts)).

${wentText(results.went)}
`;
}

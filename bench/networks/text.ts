/** docs/performance.md from results that are kept and from what others published (bench/published.json). */
import { type BoardModule, type Cause, causes } from '../../boards/index.ts';
import { networkNames } from '../../test/models.ts';
import type { Published } from '../fidelity/measure.ts';
import { cyclesAndTime, millions, table, thousands } from '../markdown.ts';
import type { LeftOut } from './leave-out.ts';
import { prototypeCpu } from './published.ts';
import type { LayerResult, NetworkResult } from './replay.ts';
import type { Results } from './results.ts';
import { shapeFamilies } from './shapes.ts';
import type { Went } from './tune.ts';

/** A board with what is kept of it. */
export interface BoardResults extends Results {
  readonly board: BoardModule;
}

/** What a board counts. */
const unitOf = ({ kind }: BoardModule): string => (kind === 'instructions' ? 'instructions' : 'cycles');
/** A count of a whole network; instructions say nothing of time. */
const countText = (count: number, board: BoardModule): string =>
  board.kind === 'instructions' ? `${millions(count)} M` : cyclesAndTime(count, board.clockHz);
const percent = (part: number, whole: number): string => `${((100 * part) / whole).toFixed(0)} %`;
const shape = (dims: readonly number[]): string => dims.slice(dims.length > 2 ? 1 : 0).join('×');

/** Cycles a MAC of the core's widest multiplication, with all operands in registers. */
const best: Readonly<Record<string, { readonly perMac: number; readonly words: string }>> = {
  'cortex-m4': { perMac: 0.5, words: 'multiplies two pairs a cycle' },
  'cortex-m33': { perMac: 0.5, words: 'multiplies two pairs a cycle' },
  'cortex-m7': { perMac: 0.5, words: 'multiplies two pairs a cycle' },
  'cortex-m0plus': { perMac: 1, words: 'multiplies once a cycle; several small numbers may share a word' },
};
/** Layers this many times above the best, if they take this share of their network, are explained. */
const explained = { times: 1.5, share: 0.03 };
/** What CMSIS-NN takes for a layer: its operator's figure, with flash where that was counted. */
function cmsisOf(p: Published, network: string, { source }: LayerResult): string {
  const found = p.networks.prototype.layers.find((l) => l.network === network && l.operator === source);
  if (found === undefined) return '';
  return found.withFlash === undefined ? `${thousands(found.cycles)}*` : thousands(found.withFlash);
}

function layersText(board: BoardModule, r: NetworkResult, p: Published): string {
  const compared = board.cpu === prototypeCpu;
  const unit = unitOf(board);
  const rows = r.layers.map((l) => [
    l.source,
    l.op,
    `${l.inputs.map(shape).join(' + ')} → ${shape(l.output)}`,
    thousands(l.macs),
    thousands(l.cycles),
    l.cyclesPerMac === null ? '' : l.cyclesPerMac.toFixed(2),
    ...(compared ? [cmsisOf(p, r.network, l)] : []),
    l.schedule,
  ]);
  const head = ['op', 'layer', 'shapes', 'MACs', unit, `${unit[0]}/MAC`, ...(compared ? ['CMSIS-NN'] : []), 'schedule'];
  return table(head, rows);
}

/** What a cause means for a layer. */
const meaning: Readonly<Record<Cause, string>> = {
  issue: 'loads of operands, widening, requantisation and stores beside the multiplications',
  pipeline: 'waiting for values that were just loaded or computed',
  branch: 'loops and calls',
  fetch: 'instructions that come from flash and are not in its cache',
  data: 'weights and tables from flash, unaligned accesses',
};

/** A line for each layer that is far from the best and matters: where its cycles go beyond that. */
function whyText({ cpu }: BoardModule, r: NetworkResult): string {
  const limit = best[cpu]?.perMac;
  if (limit === undefined) return '';
  const matters = (l: LayerResult): boolean =>
    (l.cyclesPerMac ?? 0) > explained.times * limit && l.cycles > explained.share * r.cycles && l.causes !== undefined;
  const rows = r.layers.filter(matters).map((l) => {
    const beyond = (c: Cause): number => (l.causes?.[c] ?? 0) - (c === 'issue' ? limit * l.macs : 0);
    const most = causes.reduce((a, b) => (beyond(b) > beyond(a) ? b : a));
    const shares = causes.map((c) => percent(l.causes?.[c] ?? 0, l.cycles));
    return [l.source, l.op, l.cyclesPerMac ?? '', percent(limit * l.macs, l.cycles), ...shares, meaning[most]];
  });
  const head = ['op', 'layer', 'c/MAC', 'multiplying', ...causes, 'most of the rest'];
  return rows.length === 0 ? '' : `\n${table(head, rows)}\n`;
}

/** One row of whole networks: by name, or nothing where a network is not among them. */
const networksRow = (title: string, of: (name: string) => string | undefined): readonly string[] => [
  title,
  ...networkNames.map((n) => of(n) ?? ''),
];

function wholeText({ board, networks, tight, plain }: BoardResults, p: Published): string {
  const { prototype, model, silicon } = p.networks;
  const at = (cycles: number | undefined): string | undefined =>
    cycles === undefined ? undefined : countText(cycles, board);
  const ours = networksRow('**microtune**', (name) => {
    const found = at(networks.find((n) => n.network === name)?.cycles);
    return found === undefined ? undefined : `**${found}**`;
  });
  const within = networksRow("**microtune**, all RAM within TFLite Micro's arena", (name) => {
    const found = tight.find((t) => t.network === name)?.result;
    return found === undefined ? undefined : 'refused' in found ? 'refused' : at(found.cycles);
  });
  const untuned = networksRow('microtune, default schedules: plain loops', (name) =>
    at(plain.find((n) => n.network === name)?.cycles),
  );
  const cmsis = 'TFLite Micro with CMSIS-NN';
  const compared = [
    networksRow(`${cmsis}, the same model`, (name) =>
      at(model.find((m) => m.network === name && m.board === board.id)?.cycles),
    ),
    ...(board.cpu === prototypeCpu
      ? [
          networksRow(`${cmsis}, prototype`, (name) =>
            at(prototype.networks.find((m) => m.network === name)?.withFlash),
          ),
        ]
      : []),
  ];
  const published = silicon
    .filter((s) => s.core === board.cpu)
    .map((s) =>
      networksRow(`silicon: ${s.part}, ${s.stack} (${s.source})`, (name) => {
        const ms = s.ms[name];
        return ms === undefined ? undefined : cyclesAndTime((ms / 1000) * s.clockHz, s.clockHz);
      }),
    );
  const rows = [ours, within, untuned, ...compared, ...published];
  return table(
    ['', ...networkNames],
    rows.filter((row) => row.slice(1).some((cell) => cell !== '')),
  );
}

function memoryText({ board, networks }: BoardResults, p: Published): string {
  const rows = networks.map((r) => {
    const theirs = p.networks.prototype.networks.find((m) => m.network === r.network)?.arenaBytes;
    const { arenaBytes, arenaLowerBound, ramBytes, flashBytes, initCycles } = r;
    return [r.network, ...[arenaBytes, arenaLowerBound, ramBytes, flashBytes, theirs ?? 0, initCycles].map(thousands)];
  });
  const head = ['bytes', 'arena', 'no plan below', 'RAM', 'flash', "TFLite Micro's arena", `${unitOf(board)} of init`];
  return table(head, rows);
}

function leftOutText(board: BoardModule, rows: readonly LeftOut[]): string {
  const more = (r: LeftOut, cycles: number): string =>
    `${thousands(cycles)} (${((100 * cycles) / r.tuned - 100).toFixed(1)} %)`;
  return `### Layers that nobody measured
${capital(unitOf(board))} of each network without its own records, and more than with them:

${table(
  ['network', 'all records', 'without its own', 'nor any of its shapes'],
  rows.map((r) => [r.network, thousands(r.tuned), more(r, r.without), more(r, r.withoutShapes)]),
)}
`;
}

const capital = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1);

const wentText = (board: BoardModule, rows: readonly Went[]): string => `### How the records were found
${table(
  ['layers of', 'within RAM', 'seed', 'tasks', 'trials', 'failed', 'seconds', `default ${unitOf(board)}`, 'found', ''],
  rows.map((w) => [
    w.network,
    w.ramBudget === undefined ? '' : thousands(w.ramBudget),
    ...[w.seed, w.tasks, w.trials, w.failed, w.seconds],
    ...[w.defaultCycles, w.cycles].map(thousands),
    `${(w.defaultCycles / w.cycles).toFixed(1)}×`,
  ]),
)}
`;

function boardText(r: BoardResults, p: Published): string {
  const { board } = r;
  const limit = best[board.cpu];
  const networks = r.networks.map(
    (n) => `### ${n.network}
${thousands(n.cycles)} ${unitOf(board)}; golden outputs ${n.exact ? 'equal, byte for byte' : '**DIFFER**'}.${limit === undefined ? '' : ` At best this core ${limit.words}: ${limit.perMac} cycles a MAC.`}

${layersText(board, n, p)}
${whyText(board, n)}`,
  );
  return `## ${board.id}
${board.title}.

${wholeText(r, p)}

${memoryText(r, p)}

${networks.join('\n')}
${r.leftOut.length > 0 ? `${leftOutText(board, r.leftOut)}\n` : ''}${r.went.length > 0 ? wentText(board, r.went) : ''}`;
}

/** The whole page. */
export function performanceText(boards: readonly BoardResults[], p: Published): string {
  const { prototype } = p.networks;
  return `# How fast it is
Written by \`npm run bench:networks -- --board BOARD --replay --write\`; change [bench/networks](../bench/networks/), not this
file. The reference networks of MLPerf Tiny, int8, one inference from empty caches, as \`microtune compile\` makes them with the
[records that ship](../records/README.md). Cycles are those of the [timing model](../boards/common/timing/README.md), which
[fidelity.md](fidelity.md) compares with silicon; boards without one count instructions. What is marked as silicon was measured by others, with other code.

How to read the tables:
- **op** is the operator's position in the model file, **MACs** are those that run: channels that cannot change are gone.
- **CMSIS-NN**: ${prototype.what}; ${prototype.source} (${prototype.date}). Figures with * are without flash.
- **RAM** is the arena, code and constants placed in RAM, and the stack. **Flash** is code and constants. **Init** copies what is
  placed in RAM, once.
- Layers that take much and are far from what their core can multiply have a line behind their network: how much of
  their time multiplying would take at best, and by which causes the twin counted their cycles.
- **Without its own** records a layer gets settings of the nearest layers that have some, ranked by a cost model that was trained
  without the network's trials. **Nor any of its shapes** leaves out all layers that differ from one of the network's in zero points only,
  whichever network they are of (\`--leave-one-out\`).
- Records are found by the guided search, from nothing (\`--tune\`), for all of the board's RAM and then, with nothing placed in RAM, for
  what TFLite Micro's arena takes; their cycles are sums over layers that run alone. Beside the reference networks there may be layers of ${shapeFamilies.length} other ones ([shapes.ts](../bench/networks/shapes.ts)).

${boards.map((b) => boardText(b, p)).join('\n')}`;
}

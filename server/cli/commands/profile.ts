/** `microtune profile`: where the cycles of a network go, by layer and, on a twin, by cause. */
import type { Command } from 'commander';
import { type Cause, causes } from '../../../boards/index.ts';
import { ok } from '../../../compiler/result.ts';
import type { LayerRun } from '../../infer.ts';
import type { Act } from '../index.ts';
import {
  caveats,
  countsOf,
  type InferenceOptions,
  type Inferred,
  inferenceOf,
  inferenceOptions,
} from '../inference.ts';
import type { Io, Shows } from '../io.ts';
import { common } from '../options.ts';
import { count, table, unit } from '../table.ts';

export function addProfile(program: Command, act: Act): void {
  const command = program
    .command('profile')
    .description('run a model once on a board and show where its cycles go: by layer, and on a twin by cause');
  common(inferenceOptions(command), 'microtune profile model.tflite --board nucleo-l4r5zi').action(act(profile));
}

async function profile(_io: Io, file: string, o: InferenceOptions): Shows {
  const done = await inferenceOf(file, o);
  if (!done.ok) return done;
  return ok({ json: countsOf(done.value), text: shown(done.value) });
}

/** Characters of the longest bar. */
const barWidth = 24;
/** Eighths of a block; a bar ends in one of them. */
const eighths = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
function bar(share: number): string {
  const parts = Math.round(share * barWidth * 8);
  return '█'.repeat(parts >> 3) + (eighths[parts & 7] ?? '');
}

/** What each cause is called in the table's head; the legend says the rest. */
const heads: Readonly<Record<Cause, string>> = {
  issue: 'issue',
  pipeline: 'loads',
  branch: 'branches',
  fetch: 'fetch',
  data: 'data',
};
const legend =
  'of 100 cycles: issue (instructions themselves), loads (waiting for a loaded or computed value, an address, a busy unit), branches (refilling the pipeline), fetch (instructions from flash), data (constants and data from slow memory, unaligned accesses)';

function shown(done: Inferred): string {
  const { board, ran } = done;
  const most = Math.max(...ran.layers.map((l) => l.cycles), 1);
  const explained = ran.causes !== undefined;
  const cells = (l: Pick<LayerRun, 'cycles' | 'macs' | 'causes'>): readonly string[] => [
    count(l.cycles),
    percent(l.cycles, ran.sum),
    l.macs > 0 ? (l.cycles / l.macs).toFixed(2) : '-',
    ...(explained ? causes.map((cause) => percent(l.causes?.[cause] ?? 0, l.cycles)) : []),
  ];
  const macs = ran.layers.reduce((n, l) => n + l.macs, 0);
  const layers = table(
    [
      'layer',
      'operator',
      '>MACs',
      `>${unit(board.kind)}`,
      '>%',
      '>per MAC',
      ...(explained ? causes.map((cause) => `>${heads[cause]}`) : []),
      'share',
    ],
    [
      ...ran.layers.map((l) => [l.name, l.op, count(l.macs), ...cells(l), bar(l.cycles / most)]),
      ['all layers', '', count(macs), ...cells({ cycles: ran.sum, macs, causes: ran.causes }), ''],
    ],
  );
  return [
    layers,
    ...(explained ? [legend] : []),
    `whole network in one run ${count(ran.cycles)} ${unit(board.kind)}, ${milliseconds(done)}the layers add up to ${percent(ran.sum, ran.cycles)} % of it`,
    ...caveats(done),
  ].join('\n');
}

const percent = (part: number, whole: number): string => (whole > 0 ? ((100 * part) / whole).toFixed(1) : '-');
/** At the board's clock, where a count is a time. */
const milliseconds = ({ board, ran }: Inferred): string =>
  board.kind === 'instructions'
    ? ''
    : `${((1000 * ran.cycles) / board.clockHz).toFixed(3)} ms at ${Math.round(board.clockHz / 1e6)} MHz; `;

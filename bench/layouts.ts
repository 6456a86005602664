/**
 * What layouts between layers bring a network, by the records that ship: each layer as it is fastest with bytes in order, and as it is
 * chosen where neighbours may agree on something else. `node bench/layouts.ts [--board B] [--networks vww,kws] [--models DIR]`
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { boardOf } from '../boards/index.ts';
import { instruction } from '../compiler/instructions/index.ts';
import type { Stmt } from '../compiler/program/index.ts';
import { type Offer, type Selected, select, selectLaidOut } from '../compiler/select.ts';
import { type Task, tasksOf } from '../compiler/tasks.ts';
import { offersFor, toolchainOf } from '../server/offers.ts';
import { shippedFor, shippedRecords } from '../server/shipped/records.ts';
import { modelsDir } from '../test/models.ts';
import { table } from './markdown.ts';
import { layerOf, subjectOf } from './session.ts';

const { values } = parseArgs({
  options: {
    board: { type: 'string', default: 'nucleo-l4r5zi' },
    networks: { type: 'string', default: 'vww,kws' },
    models: { type: 'string' },
  },
});
const board = boardOf(values.board);
const file = board === undefined ? undefined : shippedFor(board);
if (board === undefined || file === undefined) throw new Error(`no records ship for ${values.board}`);
// Counts stand with the compiler that they were made with, whichever there is here.
const toolchain = toolchainOf(board, file.on.toolchain);

const cyclesOf = ({ offer }: Selected): number => offer.cycles?.count ?? Number.NaN;
const sum = (all: readonly Selected[]): number => all.reduce((n, s) => n + cyclesOf(s), 0);

/** What an instruction takes in a layer, all its calls together. */
function cyclesIn({ choice }: Selected, instr: string): number {
  const go = (stmts: readonly Stmt[]): number =>
    stmts.reduce((n, s) => {
      if (s.kind === 'loop') return n + s.extent * go(s.body);
      return s.kind === 'call' && s.instr === instr ? n + (instruction(s.instr, s.params).cycles ?? 0) : n;
    }, 0);
  return go(choice.program.body);
}

for (const name of values.networks.split(',')) {
  const { graph } = subjectOf(join(modelsDir, `${name}_int8.tflite`));
  const tasks = tasksOf(graph, { rounding: 'double' });
  const known = offersFor(tasks, board, shippedRecords(tasks, board, toolchain), toolchain);
  const offers = (task: Task): readonly Offer[] => (known.get(task.id) ?? []).map((k) => k.offer);
  const [before, after] = [select(tasks, offers), selectLaidOut(graph, tasks, offers)];
  const taskOf = (node: number): Task | undefined => tasks.find((t) => t.occurrences.some((o) => o.node === node));
  const rows = before.flatMap((s, i): readonly (readonly string[])[] => {
    const [task, now] = [taskOf(s.choice.node), after[i]];
    if (task === undefined || now === undefined || now.offer === s.offer) return [];
    const change = cyclesOf(now) - cyclesOf(s);
    const layouts = /, (takes|leaves).*?(?=, code|, constants|$)/.exec(now.choice.words)?.[0].slice(2) ?? '';
    return [[layerOf(task), `${cyclesOf(s)}`, `${cyclesOf(now)}`, `${change}`, layouts]];
  });
  console.log(`${name} on ${board.id}: ${sum(before)} -> ${sum(after)} cycles, sums over layers`);
  const turned = ['planes', 'widen'].map((instr) => `${instr} ${before.reduce((n, s) => n + cyclesIn(s, instr), 0)}`);
  console.log(`with bytes in order, by what instructions say of themselves: ${turned.join(', ')}\n`);
  console.log(`${table(['layer', 'bytes in order', 'chosen', 'change', 'layouts'], rows)}\n`);
}

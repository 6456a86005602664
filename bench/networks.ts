/**
 * The reference networks, and the records that ship.
 * `npm run bench:networks -- [--board B] [--networks kws,ic]` with one of
 * --replay (the usual): compiles with the records that ship, runs, verifies, counts; --json prints {networks} and nothing else,
 *   --out DIR keeps the measured ELFs, --ram-budget N and --flash-budget N (bytes, or 64K) are compile's, --write keeps the
 *   results and writes docs/performance.md from them;
 * --tune [--trials N] [--seeds N] [--shapes]: makes records/B.jsonl and its cost model anew, N trials a task, and some more for
 *   TFLite Micro's RAM; --shapes: for the layers of other common networks;
 * --refresh: measures the records again, without a search, after a change of kernels or compiler;
 * --layouts: measures the layers of networks in the layouts that their neighbours know, from the records that ship;
 * --leave-one-out: each network without its own records, against all of them;
 * --text: writes docs/performance.md from the results that are kept.
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { byteCount, wishesOf } from '../server/cli/options.ts';
import { modelsDir, type NetworkName, networkNames } from '../test/models.ts';
import { measureLayouts } from './networks/layouts.ts';
import { type LeftOut, leaveOneOut } from './networks/leave-out.ts';
import { replayPlain } from './networks/plain.ts';
import { refresh } from './networks/refresh.ts';
import { type NetworkResult, replayNetwork } from './networks/replay.ts';
import { keepResults, mainBoard, writePerformance } from './networks/results.ts';
import { shapeFamilies, subjectOfShapes } from './networks/shapes.ts';
import { replayTight } from './networks/tight.ts';
import { tuneNetwork, type Went, wentText } from './networks/tune.ts';
import { must, type Subject } from './session.ts';

const { values } = parseArgs({
  options: {
    board: { type: 'string', default: mainBoard },
    networks: { type: 'string' },
    models: { type: 'string' },
    replay: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    out: { type: 'string' },
    'ram-budget': { type: 'string' },
    'flash-budget': { type: 'string' },
    write: { type: 'boolean', default: false },
    tune: { type: 'boolean', default: false },
    refresh: { type: 'boolean', default: false },
    trials: { type: 'string', default: '100' },
    seeds: { type: 'string', default: '1' },
    shapes: { type: 'boolean', default: false },
    layouts: { type: 'boolean', default: false },
    'leave-one-out': { type: 'boolean', default: false },
    text: { type: 'boolean', default: false },
  },
});
/** What is told while it runs; standard output is for results. */
const say = (line: string): void => console.error(line);
const families = shapeFamilies.map((f) => f.name);
const known: readonly string[] = [...networkNames, ...families];
const names = values.networks?.split(',') ?? (values.shapes ? families : networkNames);
const unknown = names.find((n) => !known.includes(n));
if (unknown !== undefined) throw new Error(`no network ${unknown}; known are ${known.join(', ')}`);
const networks = names.filter((name): name is NetworkName => networkNames.some((n) => n === name));
const { board, 'ram-budget': ram, 'flash-budget': flash } = values;
const budgets = wishesOf({
  ...(ram !== undefined && { ramBudget: byteCount(ram) }),
  ...(flash !== undefined && { flashBudget: byteCount(flash) }),
});

function aboutOf(name: string): string | Subject {
  const family = shapeFamilies.find((f) => f.name === name);
  return family === undefined ? join(modelsDir, `${name}_int8.tflite`) : subjectOfShapes(family);
}

async function tuneAll(): Promise<void> {
  const search = { board, trials: Number(values.trials), seeds: Number(values.seeds), say };
  const went: Went[] = [];
  for (const name of names) {
    const part = await tuneNetwork(name, aboutOf(name), search);
    keepResults(board, { went: part });
    went.push(...part);
  }
  console.log(values.json ? JSON.stringify({ went }, null, 2) : went.map(wentText).join('\n'));
}

async function replayAll(): Promise<void> {
  const results: NetworkResult[] = [];
  for (const name of networks) {
    say(`${name} on ${board}`);
    const { out } = values;
    results.push(must(await replayNetwork(name, { board, budgets, ...(out !== undefined && { out }) })));
  }
  if (values.write) {
    const plain = await replayPlain(networks, board, say);
    keepResults(board, { networks: results, tight: await replayTight(networks, board, say), plain });
  }
  console.log(values.json ? JSON.stringify({ networks: results }, null, 2) : results.map(line).join('\n'));
}
const line = (r: NetworkResult): string =>
  `${r.network.padEnd(4)} ${String(r.cycles).padStart(10)} (${r.kind}), arena ${r.arenaBytes}, RAM ${r.ramBytes}, flash ${r.flashBytes}, ${r.exact ? 'exact' : 'NOT EXACT'}`;

async function layoutsOfAll(): Promise<void> {
  for (const name of names) await measureLayouts(name, aboutOf(name), board, say);
}

async function leaveOut(): Promise<void> {
  const leftOut: LeftOut[] = [];
  for (const name of networks) leftOut.push(await leaveOneOut(name, board, say));
  if (values.write) keepResults(board, { leftOut });
  console.log(JSON.stringify({ leftOut }, null, 2));
}

if (values.tune) await tuneAll();
else if (values.refresh) await refresh(board, values.networks?.split(','), aboutOf, say);
else if (values.layouts) await layoutsOfAll();
else if (values['leave-one-out']) await leaveOut();
else if (!values.text) await replayAll();
if (values.text || (values.write && !values.tune && !values.refresh && !values.layouts)) writePerformance();

/**
 * The networks that can be made of what is known of each layer, by cycles and memory. Must stay true: whatever is picked, its
 * schedules hold on the constants of the layers that get them.
 */
import { needsOf, networkOf, nothingWorked, type Worked } from '../compiler/emit/network.ts';
import type { Graph } from '../compiler/graph/graph.ts';
import { asmFunctionName } from '../compiler/instructions/asm-function.ts';
import { instruction } from '../compiler/instructions/index.ts';
import { schedule } from '../compiler/lower.ts';
import { operatorOf } from '../compiler/ops/index.ts';
import { type Cost, frontOf, type Point, ramOf } from '../compiler/plan/front.ts';
import { runsInPlace } from '../compiler/plan/in-place.ts';
import type { Memo, Place, Program } from '../compiler/program/index.ts';
import { callsIn } from '../compiler/program/walk.ts';
import { type Selected, unmeasured } from '../compiler/select.ts';
import type { Occurrence, Task } from '../compiler/tasks.ts';
import type { Workload } from '../compiler/workload.ts';
import { placedInRam } from '../kernels/index.ts';
import type { KnownOffer } from './offers.ts';

/** A network of a portfolio: what it is expected to need, with a real plan of its arena. */
export interface Estimate {
  readonly selected: readonly Selected[];
  /** Undefined where a layer was never measured. */
  readonly cycles: number | undefined;
  readonly arenaBytes: number;
  /** No plan for these schedules can be smaller. */
  readonly arenaLowerBound: number;
  readonly ramBytes: number;
  readonly flashBytes: number;
}
export interface Portfolio {
  /** Fastest first. RAM and flash are what the network needs at least, up to the compiler's and the linker's part. */
  readonly points: readonly Point[];
  estimate(p: Point): Estimate;
}

/** Bytes of code of a kernel that was never compiled: a guess that is corrected as soon as the network is. */
const guessedCode = 1024;
/** Candidates of a layer that are looked at closely. */
const mostOptions = 16;

/** A layer's candidate whose schedule holds. */
interface Option {
  readonly selected: Selected;
  readonly known: KnownOffer;
  readonly cycles: number;
  /** May lie over its input, which spares the arena its output. */
  readonly inPlace: boolean;
  /** Bytes of its block kernels, by name. */
  readonly functions: ReadonlyMap<string, number>;
}

/** `offersOf`: everything known of a task, its default schedule among it. */
export function portfolioOf(
  graph: Graph,
  name: string,
  tasks: readonly Task[],
  offersOf: (task: Task) => readonly KnownOffer[],
): Portfolio {
  const memo: Memo = new Map();
  const layers: (readonly Option[])[] = [];
  for (const task of tasks) {
    const offers = sorted(offersOf(task));
    for (const o of task.occurrences) layers.push(optionsOf(task, o, offers, memo));
  }
  layers.sort((a, b) => (a[0]?.selected.choice.node ?? 0) - (b[0]?.selected.choice.node ?? 0));
  const worked = nothingWorked();
  const own = costsOf(graph, name, layers, worked);
  const points = frontOf(shared(own, layers)).map((p) => withFunctions(p, own, picked(layers, p)));
  const made = new Map<Point, Estimate>();
  return {
    points,
    estimate(p) {
      const known = made.get(p) ?? estimateOf(graph, name, picked(layers, p), p, worked);
      made.set(p, known);
      return known;
    },
  };
}

const sorted = (offers: readonly KnownOffer[]): readonly KnownOffer[] =>
  [...offers].sort((a, b) => (a.trial?.cycles ?? unmeasured) - (b.trial?.cycles ?? unmeasured));

/** Those of one layer, fastest first: each takes less of something than all that are faster. */
function optionsOf(task: Task, o: Occurrence, offers: readonly KnownOffer[], memo: Memo): readonly Option[] {
  const out: Option[] = [];
  const refused: Selected['refused'][number][] = [];
  const smallest = new Set(smallestOf(offers));
  const overwrites = (operatorOf(task.workload.op).inPlace?.(task.workload) ?? []).length > 0;
  for (const known of offers) {
    const beaten = out.some((k) => (k.inPlace || !overwrites) && enough(k.known, known));
    if ((beaten || out.length >= mostOptions) && !smallest.has(known) && out.length > 0) continue;
    const { offer } = known;
    const done = schedule(task.workload, o.constants, offer.schedule, memo);
    if (!done.ok) {
      refused.push({ record: offer.record, reason: done.reason });
      continue;
    }
    const { program } = done;
    const choice = { node: o.node, workload: task.workload, program, words: offer.words };
    out.push({
      selected: {
        choice: { ...choice, ...(offer.cycles !== undefined && { cycles: offer.cycles }) },
        offer,
        refused: [...refused],
      },
      known,
      cycles: known.trial?.cycles ?? unmeasured,
      inPlace: overwrites && mayOverwrite(program, task.workload),
      functions: functionsOf(program, known.trial?.sizes.functions ?? {}),
    });
  }
  if (out.length === 0)
    throw new Error(`task ${task.id} has no legal schedule, not even its default: ${refused.at(-1)?.reason}`);
  return out;
}

/** Whether the first offer, which is no slower, makes the other one pointless: that saves next to nothing anywhere. */
function enough(faster: KnownOffer, slower: KnownOffer): boolean {
  const [a, b] = [faster, slower].map(takes);
  return a !== undefined && b !== undefined && a.every((bytes, i) => bytes <= (b[i] ?? 0) * (1 + 1 / 64) + 16);
}

/** What a trial took of each memory; undefined where there was none. */
function takes({ offer, trial }: KnownOffer): readonly number[] | undefined {
  if (trial === undefined) return undefined;
  const { codeBytes, constBytes, scratchBytes, stackBytes } = trial.sizes;
  const placed = placedInRam(offer.schedule);
  const data = placed.some((what) => what !== 'code') ? constBytes : 0;
  return [codeBytes + constBytes, data + (placed.includes('code') ? codeBytes : 0), scratchBytes, stackBytes];
}

/** The offers with least flash and least RAM: what a network can be shrunk to rests on them. */
function smallestOf(offers: readonly KnownOffer[]): readonly KnownOffer[] {
  const rows = offers.flatMap((known) => {
    const bytes = takes(known);
    return bytes === undefined ? [] : [{ known, flash: bytes[0] ?? 0, ram: bytes.slice(1).reduce((a, b) => a + b, 0) }];
  });
  const least = (of: (r: (typeof rows)[number]) => number): readonly KnownOffer[] =>
    [...rows]
      .sort((a, b) => of(a) - of(b))
      .slice(0, 1)
      .map((r) => r.known);
  return [...least((r) => r.flash), ...least((r) => r.ram), ...offers.filter((k) => k.plain)];
}

function mayOverwrite(program: Program, w: Workload): boolean {
  const inputs = program.buffers.filter((b) => b.space === 'in').map((b) => b.name);
  const y = program.buffers.find((b) => b.space === 'out')?.name ?? '';
  const over = operatorOf(w.op).inPlace?.(w) ?? [];
  return over.some((k) => runsInPlace(program, new Set([inputs[k] ?? '']), y));
}

/** The costs of every option but for its block kernels: sizes of constants, scratch and arena from its kernel, of code from its trial. */
function costsOf(
  graph: Graph,
  name: string,
  layers: readonly (readonly Option[])[],
  worked: Worked,
): readonly (readonly Cost[])[] {
  const most = Math.max(0, ...layers.map((l) => l.length));
  const rounds: ReturnType<typeof needsOf>[] = [];
  for (let k = 0; k < most; k++) {
    const choices = layers.map((l) => optionAt(l, Math.min(k, l.length - 1)).selected.choice);
    rounds.push(needsOf(graph, name, choices, worked));
  }
  return layers.map((options, i) =>
    options.map((option, k): Cost => {
      const needs = rounds[k]?.[i];
      if (needs === undefined) throw new Error(`layer ${i} has no needs`);
      const { kernel, arenaBytes } = needs;
      const sizes = option.known.trial?.sizes;
      const code = (sizes?.codeBytes ?? guessedCode) - total(option.functions.values());
      const constants = (place: 'any' | 'ram'): number =>
        kernel.constants.reduce((n, c) => n + (place === 'any' || c.place === place ? c.bytes.length : 0), 0);
      return {
        cycles: option.cycles,
        flashBytes: constants('any') + code,
        placedBytes: constants('ram') + (kernel.codePlace === 'ram' ? code : 0),
        arenaBytes,
        stackBytes: Math.max(kernel.stackBytes, sizes?.stackBytes ?? 0),
      };
    }),
  );
}

function optionAt(options: readonly Option[], k: number): Option {
  const option = options[k];
  if (option === undefined) throw new Error(`no option ${k}`);
  return option;
}

const picked = (layers: readonly (readonly Option[])[], p: Point): readonly Option[] =>
  p.picks.map((pick, i) => optionAt(layers[i] ?? [], pick));

function estimateOf(graph: Graph, name: string, options: readonly Option[], p: Point, worked: Worked): Estimate {
  const choices = options.map((o) => o.selected.choice);
  const { plan } = networkOf(graph, name, choices, worked);
  return {
    selected: options.map((o) => o.selected),
    cycles: p.cycles < unmeasured ? p.cycles : undefined,
    arenaBytes: plan.bytes,
    arenaLowerBound: plan.lowerBound,
    ramBytes: ramOf({ ...p, arenaBytes: plan.bytes }),
    flashBytes: p.flashBytes,
  };
}

/**
 * The block kernels of a program. Which ones they are depends on its constants (a shift is part of a function), how large they are
 * does hardly: sizes are those of the trial, in the order of use.
 */
function functionsOf(program: Program, sizes: Readonly<Record<string, number>>): ReadonlyMap<string, number> {
  const used = callsIn(program.body).map((c) => instruction(c.instr, c.params));
  const names = used.flatMap((i) => (i.function === undefined ? [] : [i.symbol]));
  const bytes = Object.values(sizes);
  return new Map([...new Set(names)].map((name, i) => [name, bytes[i] ?? 0]));
}

/** The name under which a function is linked: code in flash is another than in RAM. */
const linkedName = ({ selected }: Option, symbol: string): string => asmFunctionName(symbol, placeOf(selected));
const placeOf = ({ choice }: Selected): Place => choice.program.placement.code ?? 'flash';

/** The costs with block kernels, of which each layer that could use one pays an equal part: as if all did. */
function shared(
  own: readonly (readonly Cost[])[],
  layers: readonly (readonly Option[])[],
): readonly (readonly Cost[])[] {
  const users = new Map<string, number>();
  for (const options of layers) {
    const names = options.flatMap((o) => [...o.functions.keys()].map((symbol) => linkedName(o, symbol)));
    for (const name of new Set(names)) users.set(name, (users.get(name) ?? 0) + 1);
  }
  return own.map((costs, i) =>
    costs.map((cost, k): Cost => {
      const option = optionAt(layers[i] ?? [], k);
      const part = total(
        [...option.functions].map(([symbol, bytes]) => bytes / (users.get(linkedName(option, symbol)) ?? 1)),
      );
      return withCode(cost, part, placeOf(option.selected));
    }),
  );
}

const withCode = (c: Cost, bytes: number, place: Place): Cost => ({
  ...c,
  flashBytes: c.flashBytes + bytes,
  placedBytes: c.placedBytes + (place === 'ram' ? bytes : 0),
});

/** A point as it comes out: each function that its layers use is linked once. */
function withFunctions(p: Point, own: readonly (readonly Cost[])[], options: readonly Option[]): Point {
  const costs = p.picks.map((pick, i) => own[i]?.[pick]);
  let cost: Cost = {
    ...p,
    flashBytes: total(costs.map((c) => c?.flashBytes ?? 0)),
    placedBytes: total(costs.map((c) => c?.placedBytes ?? 0)),
  };
  const seen = new Set<string>();
  for (const option of options)
    for (const [symbol, bytes] of option.functions) {
      const name = linkedName(option, symbol);
      if (!seen.has(name)) cost = withCode(cost, bytes, placeOf(option.selected));
      seen.add(name);
    }
  return { ...cost, picks: p.picks };
}

const total = (values: Iterable<number>): number => [...values].reduce((sum, n) => sum + n, 0);

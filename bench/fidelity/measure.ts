/** What docs/fidelity.md is made of: measured here, or published by others (bench/published.json). */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { boards } from '../../boards/index.ts';
import { networkNames } from '../../test/models.ts';
import {
  coreRules,
  type Experiment,
  measureRules,
  memoryExperiments,
  observe,
  type Rule,
} from '../../test/timing/index.ts';

const execute = promisify(execFile);

/** Cycles of every rule, by its place. */
export type RuleCycles = Readonly<Record<string, number>>;
export interface NetworkCycles {
  readonly board: string;
  readonly network: string;
  /** Of one inference, caches empty; or the code of the refusal. */
  readonly cycles: number | string;
}
export interface Fidelity {
  readonly rules: RuleCycles;
  readonly networks: readonly NetworkCycles[];
}

export interface Source {
  readonly source: string;
}
/** CoreMark, in iterations a second and MHz. */
export interface CoreMark extends Source {
  readonly core: string;
  readonly part: string;
  readonly compiler: string;
  readonly perMHz: number;
}
/** A program of others that was built by hand and run by `bench:fidelity -- --elf`. */
export interface BuiltRun extends Source {
  readonly what: string;
  readonly board: string;
  readonly compiler: string;
  readonly cycles: number;
  readonly instructions: number;
  readonly date: string;
}
/** Milliseconds of one inference. */
export interface SiliconTimes extends Source {
  readonly part: string;
  readonly core: string;
  readonly clockHz: number;
  readonly stack: string;
  readonly ms: Readonly<Record<string, number>>;
}
/** Cycles that a prototype of the timing model counted, all memories fast and with an STM32L4R5's flash. */
interface PrototypeCycles {
  readonly network: string;
  readonly cycles: number;
  readonly withFlash?: number;
}
export interface Published {
  readonly coremark: {
    readonly model: readonly (BuiltRun & { readonly iterations: number })[];
    readonly silicon: readonly CoreMark[];
  };
  readonly networks: {
    readonly model: readonly (BuiltRun & { readonly network: string })[];
    readonly silicon: readonly SiliconTimes[];
    readonly prototype: Source & {
      readonly what: string;
      readonly date: string;
      readonly networks: readonly (PrototypeCycles & { readonly arenaBytes: number; readonly textBytes: number })[];
      /** `operator`: its position in the model. */
      readonly layers: readonly (PrototypeCycles & { readonly operator: number })[];
    };
  };
}

export const placeOf = (where: string, rule: string): string => `${where}: ${rule}`;

async function cyclesOf(where: string, e: Experiment): Promise<readonly (readonly [string, number])[]> {
  const found = await observe(e);
  return e.observations.map((o, i) => [placeOf(`${where}, ${e.name}`, o.rule), found[i] ?? Number.NaN]);
}

export async function measureAllRules(): Promise<RuleCycles> {
  const all: (readonly [string, number])[] = [];
  for (const c of coreRules) {
    for (const [group, rules] of Object.entries(c.groups)) {
      const found = await measureRules(c, rules);
      all.push(...found.map((f) => [placeOf(`${c.core}, ${group}`, f.rule.rule), f.cycles] as const));
    }
    for (const e of c.experiments ?? []) all.push(...(await cyclesOf(c.core, e)));
  }
  for (const e of memoryExperiments) all.push(...(await cyclesOf('memory', e)));
  return Object.fromEntries(all);
}

/** One inference by `microtune run` with default schedules; it checks the output against the model. */
async function inference(board: string, file: string): Promise<number | string> {
  const command = resolve(import.meta.dirname, '../../bin/microtune.js');
  try {
    const words = [command, 'run', file, '--board', board, '--records', 'none', '--json'];
    const { stdout } = await execute(process.execPath, words, { maxBuffer: 1 << 26 });
    return (JSON.parse(stdout) as { readonly cycles: number }).cycles;
  } catch (error) {
    const said = String((error as { readonly stderr?: string }).stderr ?? error);
    return /error ([A-Z_]+)/.exec(said)?.[1] ?? 'FAILED';
  }
}

/** Twins whose emulator would take an hour for all networks. */
const tooSlow = ['pico'];
export const measuredTwins = boards.filter((b) => b.kind === 'model' && !tooSlow.includes(b.id));
/** Every network with default schedules on every twin but those. */
export async function measureNetworks(dir: string): Promise<readonly NetworkCycles[]> {
  const found: NetworkCycles[] = [];
  for (const board of measuredTwins)
    for (const network of networkNames) {
      const file = join(dir, `${network}_int8.tflite`);
      if (existsSync(file)) found.push({ board: board.id, network, cycles: await inference(board.id, file) });
    }
  return found;
}

export const cited = (rules: readonly Pick<Rule, 'source'>[]): readonly string[] => [
  ...new Set(rules.flatMap((r) => r.source.split(', ').map((s) => s.split(' ')[0] ?? ''))),
];

/** An artifact on disk, told to a person: layers, sizes, where things lie, and what was proved. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Trade, Trades } from '../trades.ts';
import { count, counted, speedUp, table, unit } from './table.ts';

/** report.json as server/build.ts writes it. */
export interface Report {
  readonly model: string;
  readonly board: string;
  readonly kind: string;
  readonly arenaBytes: number;
  readonly arenaLowerBound: number;
  readonly stackBytes: number;
  readonly ramBytes: number;
  readonly flashBytes: number;
  readonly cycles: number | null;
  readonly initCycles: number | null;
  readonly verifiedInputs: number;
  readonly layers: readonly {
    readonly name: string;
    readonly op: string;
    readonly cycles: number | null;
    readonly macs: number;
    readonly schedule: string;
    /** Of the trial that it rests on; null for default schedules. */
    readonly record?: string | null;
    /** With the default schedule; tuned networks only. */
    readonly defaultCycles?: number;
  }[];
  readonly defaultCycles?: number;
  /** Below the folder of the artifact. */
  readonly files: { readonly elf: string | null; readonly bin: string | null };
  /** What other networks would cost. */
  readonly trades?: Trades;
}
export interface Artifact extends Report {
  readonly out: string;
  readonly elf: string | null;
  readonly bin: string | null;
}

/** The artifact in a folder, with absolute paths. */
export function readArtifact(out: string): Artifact {
  return artifactOf(JSON.parse(readFileSync(join(out, 'report.json'), 'utf8')) as Report, out);
}

export function artifactOf(report: Report, out: string): Artifact {
  const at = (path: string | null): string | null =>
    path !== null && existsSync(join(out, path)) ? join(out, path) : null;
  return { ...report, out, elf: at(report.files.elf), bin: at(report.files.bin) };
}

/** A line a layer: with default counts and speed-up where it was tuned, without counts where none are stable. */
export function layersText(a: Report): string {
  if (a.defaultCycles !== undefined) return tunedText(a, a.defaultCycles);
  const counts = a.cycles === null ? [] : [`>${unit(a.kind)}`];
  return table(
    ['layer', 'operator', '>MACs', ...counts, 'schedule'],
    a.layers.map((l) => [l.name, l.op, count(l.macs), ...counts.map(() => count(l.cycles)), l.schedule]),
  );
}

function tunedText(a: Report, defaultCycles: number): string {
  const macs = a.layers.reduce((n, l) => n + l.macs, 0);
  const whole = { name: 'whole network', op: '', macs, schedule: '', cycles: a.cycles, defaultCycles };
  return table(
    ['layer', 'operator', '>MACs', `>default ${unit(a.kind)}`, '>tuned', '>speed-up', 'schedule'],
    [...a.layers, whole].map((l) => [
      l.name,
      l.op,
      count(l.macs),
      count(l.defaultCycles),
      count(l.cycles),
      speedUp(l.defaultCycles, l.cycles),
      l.schedule,
    ]),
  );
}

/** What schedules placed in RAM. */
function placedText({ ramBytes, arenaBytes, stackBytes }: Artifact): string {
  const placed = ramBytes - arenaBytes - stackBytes;
  return placed > 0 ? `, ${count(placed)} of code and constants` : '';
}

/** Sizes and places, a line each. */
export const sizesText = (a: Artifact): string =>
  [
    ...(a.cycles === null
      ? []
      : [`whole network   ${count(a.cycles)} ${unit(a.kind)} on ${a.board}, init ${count(a.initCycles)}`]),
    `arena           ${count(a.arenaBytes)} bytes (no plan can be below ${count(a.arenaLowerBound)})`,
    `RAM             ${count(a.ramBytes)} bytes: the arena${placedText(a)} and ${count(a.stackBytes)} of stack`,
    `flash           ${count(a.flashBytes)} bytes: code and constants`,
    `C library       ${a.out}`,
    ...(a.elf === null ? [] : [`firmware        ${a.elf}`]),
  ].join('\n');

/** What was proved, and of which network. */
export const proofText = (a: Report): string => {
  const which = a.defaultCycles === undefined ? "The firmware's" : "The tuned firmware's";
  return `${which} outputs equal the model's bit for bit on ${counted(a.verifiedInputs, 'input')}.`;
};

/** What the last kilobytes of flash and of RAM bought, where there was a choice. */
export function tradesText({ trades, kind }: Report): string {
  if (trades === undefined) return '';
  const counted = [...trades.flash, ...trades.ram].every((t) => t.cycles !== null);
  const time = (t: Trade): string => (counted ? count(t.cycles) : t.relative === null ? '' : t.relative.toFixed(2));
  const rows = (title: string, of: readonly Trade[]): readonly string[] => {
    const columns = [counted ? `>${unit(kind)}` : '>time, fastest = 1', '>flash', '>RAM', '>of it arena'];
    const lines = of.map((t) => [time(t), ...[t.flashBytes, t.ramBytes, t.arenaBytes].map(count)]);
    return of.length < 2 ? [] : [title, table(columns, lines)];
  };
  const by = counted ? 'added up from trials of single layers' : 'estimated from other boards or layers';
  const less = [...rows(`What flash buys, ${by}:`, trades.flash), ...rows(`What RAM buys, ${by}:`, trades.ram)];
  const { arenaBytes, arenaLowerBound } = trades.smallestArena;
  const smallest = `smallest arena  ${count(arenaBytes)} bytes (no plan can be below ${count(arenaLowerBound)})`;
  return less.length === 0 ? '' : [...less, smallest].join('\n');
}

export const artifactText = (a: Artifact): string =>
  [layersText(a), tradesText(a), sizesText(a), proofText(a)].filter((part) => part !== '').join('\n\n');

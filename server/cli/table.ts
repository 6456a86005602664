/** Tables and numbers as people read them. Columns of numbers stand to the right; no line ends in blanks. */
import { plural } from '../dashboard/format.js';

/** Header and rows of equal length -> a line each, whatever is in them. A column whose name begins with '>' is set to the right. */
export function table(columns: readonly string[], rows: readonly (readonly string[])[]): string {
  const right = columns.map((c) => c.startsWith('>'));
  const all = [columns.map((c) => c.replace(/^>/, '')), ...rows.map((row) => row.map(oneLine))];
  const widths = columns.map((_, i) => Math.max(...all.map((row) => row[i]?.length ?? 0)));
  const cell = (text: string, i: number): string =>
    right[i] ? text.padStart(widths[i] ?? 0) : text.padEnd(widths[i] ?? 0);
  return all.map((row) => row.map(cell).join('  ').trimEnd()).join('\n');
}

const oneLine = (text: string): string => text.replace(/[\t\r\n]+/g, ' ');

/** 1234567 -> "1,234,567"; nothing measured is a dash. */
export const count = (n: number | null | undefined): string =>
  n === null || n === undefined ? '-' : Math.round(n).toLocaleString('en-US');

/** 1 -> "1 trial", 2000 -> "2,000 trials". */
export const counted = (n: number, one: string): string => `${count(n)} ${plural(n, one)}`;

/** What a kind of count counts, in words. */
export const unit = (kind: string): string => (kind === 'instructions' ? kind : `cycles (${kind})`);

/** "2.31x"; a dash where one of the two is missing. */
export const speedUp = (before: number | null | undefined, after: number | null | undefined): string =>
  before && after ? `${(before / after).toFixed(2)}x` : '-';

/** Milliseconds -> "8s", "3m20s", "2h05m". */
export function span(ms: number): string {
  const s = Math.max(0, Math.round(ms / 1000));
  const two = (n: number): string => String(n).padStart(2, '0');
  if (s < 60) return `${s}s`;
  if (s < 3600) return `${Math.floor(s / 60)}m${two(s % 60)}s`;
  return `${Math.floor(s / 3600)}h${two(Math.floor((s % 3600) / 60))}m`;
}

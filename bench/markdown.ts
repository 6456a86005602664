/** Tables and numbers of the documents that benches write. */
const row = (cells: readonly (string | number)[]): string => `| ${cells.join(' | ')} |`;

export const table = (head: readonly string[], rows: readonly (readonly (string | number)[])[]): string =>
  [row(head), row(head.map(() => '---')), ...rows.map(row)].join('\n');
export const thousands = (n: number): string => n.toLocaleString('en-US');
export const millions = (n: number): string => (n / 1e6).toFixed(2);
export const cyclesAndTime = (cycles: number, clockHz: number): string =>
  `${millions(cycles)} M, ${((1000 * cycles) / clockHz).toFixed(1)} ms`;

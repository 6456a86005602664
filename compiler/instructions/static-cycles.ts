/**
 * Cycles of a stretch of assembly on a Cortex-M4 whose memory never waits: the estimate that instructions carry. Knows the
 * classes that block kernels are made of; a branch counts as taken.
 */

/** Registers in a list like {r4-r7, lr}. */
function listed(text: string): number {
  const inside = text.slice(text.indexOf('{') + 1, text.indexOf('}')).split(',');
  return inside.reduce((n, part) => {
    const [from, to] = part.trim().split('-');
    return n + (to === undefined ? 1 : Number(to.slice(1)) - Number(from?.slice(1)) + 1);
  }, 0);
}

const loadNames: ReadonlySet<string> = new Set(['ldr', 'ldrb', 'ldrh', 'ldrsb', 'ldrsh']);
const conditions = ['', 'l', 'x', 'eq', 'ne', 'lt', 'gt', 'le', 'ge', 'hi', 'lo', 'cs', 'cc', 'mi', 'pl'];
const branchNames: ReadonlySet<string> = new Set(conditions.map((c) => `b${c}`));
const listNames = ['ldm', 'stm', 'push', 'pop'];

/** The first word of a line, without what says how wide it is encoded. */
function nameOf(line: string): string {
  const text = line.trim();
  const end = text.search(/\s/);
  const written = end < 0 ? text : text.slice(0, end);
  return written.endsWith('.w') ? written.slice(0, -2) : written;
}

/** Of one line after another: loads side by side cost one cycle each but for the first. */
export function straightCycles(lines: readonly string[]): number {
  let total = 0;
  let chained = false;
  for (const line of lines) {
    const name = nameOf(line);
    if (name.endsWith(':') || name.startsWith('.')) continue;
    const loads = loadNames.has(name);
    if (listNames.some((n) => name.startsWith(n))) total += 1 + listed(line);
    else if (name === 'ldrd' || name === 'strd') total += 3;
    else if (loads) total += chained ? 1 : 2;
    else if (branchNames.has(name)) total += 2;
    else total += 1;
    chained = loads;
  }
  return total;
}

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

/** Of one line after another: loads side by side cost one cycle each but for the first. */
export function straightCycles(lines: readonly string[]): number {
  let total = 0;
  let chained = false;
  for (const line of lines) {
    const [written = ''] = line.trim().split(/\s+/);
    const name = written.replace(/\.w$/, '');
    if (name.endsWith(':') || name.startsWith('.')) continue;
    const loads = /^ldr(s?[bh])?$/.test(name);
    if (/^(ldm|stm|push|pop)/.test(name)) total += 1 + listed(line);
    else if (name === 'ldrd' || name === 'strd') total += 3;
    else if (loads) total += chained ? 1 : 2;
    else if (/^b(l|x|eq|ne|lt|gt|le|ge|hi|lo|cs|cc|mi|pl)?$/.test(name)) total += 2;
    else total += 1;
    chained = loads;
  }
  return total;
}

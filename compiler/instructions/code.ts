/** Stretches of assembly with what they cost, put together as block kernels are: one after another, and in loops. */
import { straightCycles } from './static-cycles.ts';

export interface Code {
  readonly lines: readonly string[];
  /** Of a core that waits for no memory. */
  readonly cycles: number;
}
/** Lines without a loop. */
export const straight = (...lines: readonly string[]): Code => ({ lines, cycles: straightCycles(lines) });
export const sequence = (...parts: readonly Code[]): Code => ({
  lines: parts.flatMap((p) => p.lines),
  cycles: parts.reduce((n, p) => n + p.cycles, 0),
});
/** `times` rounds of a body that leaves Z clear as long as there is another. */
export const rounds = (times: number, label: number, body: Code): Code => ({
  lines: [`${label}:`, ...body.lines, `bne ${label}b`],
  cycles: times * (body.cycles + straightCycles(['bne'])),
});

/** Lines that block kernels write again and again. */

/** The list of an LDM or STM. */
export const list = (registers: readonly string[]): string => registers.join(', ');
/** A value waits in a floating-point register: a cycle there and a cycle back, and no address. */
export const park = (single: string, register: string): string => `vmov ${single}, ${register}`;
export const unpark = (register: string, single: string): string => `vmov ${register}, ${single}`;

/** Largest constant of one ADDW or SUBW. */
const step = 4095;
/** register += bytes; no line for 0. Flags stay as they are. */
export function advance(register: string, bytes: number): readonly string[] {
  const name = bytes < 0 ? 'subw' : 'addw';
  const out: string[] = [];
  for (let left = Math.abs(bytes); left > 0; left -= step)
    out.push(`${name} ${register}, ${register}, #${Math.min(left, step)}`);
  return out;
}

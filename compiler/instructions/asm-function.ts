/**
 * The text of a block kernel: its prototype and a function in assembly at file level, so that no compiler reorders, inlines or
 * re-registers it. Equal functions of several files are one in the linked program (a COMDAT group), as long as their names
 * are equal exactly when their texts are.
 */
import type { Place } from '../program/program.ts';
import type { AsmFunction } from './instruction.ts';

/** Its name in C: code in RAM is another function than the same code in flash. */
export const asmFunctionName = (symbol: string, place: Place): string => (place === 'ram' ? `${symbol}_ram` : symbol);

const section = (name: string, place: Place): string =>
  place === 'ram' ? `" MT_RAM_SECTION ".${name}` : `.text.${name}`;

/** `native`: for CPUs that have its features; `portable`: the same in C. */
export function asmFunctionText(
  symbol: string,
  f: AsmFunction,
  place: Place,
): { readonly native: string; readonly portable: string } {
  const name = asmFunctionName(symbol, place);
  const prototype = `void ${name}(${f.params.join(', ')})`;
  const lines = [
    '.syntax unified',
    `.pushsection ${section(name, place)},\\"axG\\",%progbits,${name},comdat`,
    // A line of an instruction cache: where a loop lies in its lines must not depend on what is linked before it.
    '.balign 32',
    '.thumb',
    '.thumb_func',
    `.weak ${name}`,
    `.type ${name}, %function`,
    `${name}:`,
    ...f.lines,
    '.ltorg',
    `.size ${name}, . - ${name}`,
    '.popsection',
  ];
  return {
    native: `${prototype};\n__asm__(\n${lines.map((l) => `  "${l}\\n"\n`).join('')});\n`,
    portable: `static ${prototype} {\n${f.plain}}\n`,
  };
}

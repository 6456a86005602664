/** Machine code as text, by the objdump beside the compiler. */
import { randomUUID } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Target } from '../boards/board.ts';
import type { Result } from '../compiler/result.ts';
import { fail } from './endings.ts';
import { findTool } from './find-tool.ts';
import { asFailures } from './in-cache.ts';
import { run, toolHint } from './process.ts';

/** An instruction, or data among the code. */
export interface CodeLine {
  readonly address: number;
  readonly text: string;
  /** Of the function that begins here. */
  readonly symbol: string | null;
}

/** The code of an ELF file, linked or not, in order. Failures: TOOL_MISSING, those of isOutside(). */
export async function disassemble(
  elf: Uint8Array,
  target: Target,
  cacheDir: string,
): Promise<Result<readonly CodeLine[]>> {
  const tool = target.compiler.replace(/gcc$/, 'objdump');
  if (tool === target.compiler || findTool(tool) === undefined) return fail('link', 'TOOL_MISSING', toolHint(tool));
  return asFailures('link', async () => {
    const path = join(cacheDir, `${randomUUID()}.elf`);
    writeFileSync(path, elf);
    try {
      const { stdout } = await run([tool, '-d', '-w', '-z', '--no-show-raw-insn', path]);
      return { ok: true, value: linesOf(stdout) };
    } finally {
      rmSync(path, { force: true });
    }
  });
}

/** `00000010 <name>:` begins a function, `  10:<tab>add<tab>r0, r1` is a line of it. */
function linesOf(listing: string): readonly CodeLine[] {
  const lines: CodeLine[] = [];
  let symbol: string | null = null;
  for (const text of listing.split('\n')) {
    const [, name] = /^[0-9a-f]+ <(.*)>:$/.exec(text) ?? [];
    const [, address, code] = /^ *([0-9a-f]+):\t(.*)$/.exec(text) ?? [];
    if (name !== undefined) symbol = name;
    if (address === undefined || code === undefined) continue;
    lines.push({ address: Number.parseInt(address, 16), text: code.trim().replace(/\t/g, ' '), symbol });
    symbol = null;
  }
  return lines;
}

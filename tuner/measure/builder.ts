/** Candidate -> object file, and the identity by which equal binaries are known before they are linked or loaded. */
import { createHash } from 'node:crypto';
import type { Target } from '../../boards/board.ts';
import { type KernelC, printTrialEntry } from '../../compiler/program/print-c.ts';
import type { Result } from '../../compiler/result.ts';
import { compileUnit, type ObjectFile, readElf, readObject, type Unit } from '../../toolchain/index.ts';

export interface Built {
  readonly object: ObjectFile;
  /** Hash of machine code and constants: equal means equal measurements. */
  readonly binary: string;
  /** Bytes of the block kernels in it, by section. */
  readonly functions: Readonly<Record<string, number>>;
}

/** What a candidate is compiled from: its kernel, and the entry that unpacks the table of addresses. */
export const unitOf = (kernel: KernelC, target: Target): Unit => ({
  target,
  name: kernel.symbol,
  source: `${kernel.source}\n${printTrialEntry(kernel)}`,
  flags: kernel.flags,
  headers: {},
});

export async function buildCandidate(kernel: KernelC, target: Target, cacheDir: string): Promise<Result<Built>> {
  const object = await compileUnit(unitOf(kernel, target), cacheDir);
  if (!object.ok) return object;
  const file = await readObject(object.value);
  if (!file.ok) return file;
  const hash = createHash('sha256').update(file.value);
  for (const c of kernel.constants) hash.update(c.symbol).update(c.place).update(c.bytes);
  const shared = readElf(file.value).sections.filter((s) => s.grouped && s.allocated);
  const functions = Object.fromEntries(shared.map((s) => [s.name, s.bytes]));
  return { ok: true, value: { object: object.value, binary: hash.digest('hex').slice(0, 24), functions } };
}

/** Which inputs a binary is tested with follows from the binary: measuring it again repeats the very same trial. */
export const vectorOf = ({ binary }: Built): number => Number.parseInt(binary.slice(0, 6), 16);

/**
 * Compiling and linking, for trials, artifacts and firmware alike. Results are values; compiled objects are cached by the
 * hash of everything that went into them.
 */
export { pruneCache } from './cache.ts';
export {
  commandOf,
  compilerOf,
  compilerOutput,
  compileUnit,
  type ObjectFile,
  readObject,
  stackUsageOf,
  toolchainVersion,
  type Unit,
} from './compile.ts';
export { type CodeLine, disassemble } from './disassemble.ts';
export { type Elf, type Image, readElf, sizesOf } from './elf.ts';
export { cannotStart, isOutside, systemFailure } from './endings.ts';
export { findTool } from './find-tool.ts';
export { type CandidateLink, candidateElf, type Firmware, type Linked, linkCandidate, linkFirmware } from './link.ts';
export { type Ran, run, toolHint } from './process.ts';

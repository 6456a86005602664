/** A model file and a board's name as commands get them -> what can be compiled. */
import { basename, extname } from 'node:path';
import { type BoardModule, boardOf, boards, type Compiler, compiledBy } from '../../boards/index.ts';
import { failed, ok, type Result } from '../../compiler/result.ts';
import { type Prepared, prepare } from '../models.ts';
import { readFile } from './read-file.ts';

/** Which of the optional passes run. */
export type Passes = 'all' | 'none';

/** What a model is called: its file's name. */
export const titleOf = (file: string): string => basename(file, extname(file));

/** Reads, checks and simplifies a model. Failures: those of import, with the file's name; a missing file throws. */
export function readModel(file: string, passes: Passes): Result<Prepared> {
  const read = prepare(readFile(file), titleOf(file), passes);
  return read.ok ? read : failed(read.error.stage, read.error.code, `${file}: ${read.error.detail}`);
}

/** A board by its name, its kernels made by `compiler`. Failure: BOARD_UNKNOWN with the names there are. */
export function boardNamed(id: string, compiler: Compiler = 'gcc'): Result<BoardModule> {
  const board = boardOf(id);
  if (board !== undefined) return ok(compiledBy(board, compiler));
  return failed('input', 'BOARD_UNKNOWN', `there is no board "${id}"; known are ${boards.map((b) => b.id).join(', ')}`);
}

/** From what a library threw to a failure with a code of the one table (server/errors.ts). */
import type { CommanderError } from 'commander';
import type { Failure } from '../../compiler/result.ts';
import { StoreError } from '../../db/index.ts';
import { LinkError } from '../../firmware-rpc/host/device.ts';

/** What the operating system says when a file cannot be used, in words. */
const fileProblems: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file or folder',
  EFBIG: 'it is larger than anything that is taken',
  EACCES: 'the rights do not allow it',
  EPERM: 'the rights do not allow it',
  EISDIR: 'it is a folder',
  ENOTDIR: 'a part of its path is a file',
  EEXIST: 'a file is in the way',
  EROFS: 'it lies on a read-only file system',
  ENOSPC: 'the disk is full',
};

/** A wrong command line. commander's messages begin with "error: " and may suggest a name on a second line. */
export function usage(error: CommanderError): Failure {
  const missing = error.code === 'commander.help';
  const detail = missing ? 'a command is missing' : error.message.replace(/^error: /, '');
  return { stage: 'input', code: 'USAGE', detail };
}

/** Anything thrown: files that cannot be used and broken links are expected, the rest is an error of ours. */
export function unexpected(error: unknown): Failure {
  if (error instanceof LinkError) return { stage: 'run', code: 'LINK', detail: error.message };
  if (error instanceof StoreError) return error.failure;
  if (!(error instanceof Error)) return { stage: 'cli', code: 'INTERNAL', detail: String(error) };
  const { code, path } = error as NodeJS.ErrnoException;
  const problem = fileProblems[code ?? ''];
  if (problem !== undefined && path !== undefined)
    return { stage: 'input', code: 'FILE_UNUSABLE', detail: `${path}: ${problem}` };
  return { stage: 'cli', code: 'INTERNAL', detail: `${error.message} (--debug shows where)` };
}

/**
 * How a compiler or a linker ended, as a failure with a code. Must stay true: what the machine did to it (no room left, killed
 * by somebody else, its files deleted) never looks like what its source did to it.
 */
import type { Result } from '../compiler/result.ts';
import { type Ran, wasKilled } from './process.ts';
import { saysNoProcess } from './tools.ts';

export const fail = (stage: string, code: string, detail: string): { ok: false } & Result<never> => ({
  ok: false,
  error: { stage, code, detail },
});

/** Failures that say nothing of the source: the same one fares otherwise as soon as somebody has seen to them. */
const outside: ReadonlySet<string> = new Set([
  'TOOL_MISSING',
  'DISK_FULL',
  'TOO_MANY_PROCESSES',
  'CACHE_LOST',
  'DATA_DIR_READONLY',
  'DATA_DIR_BAD',
  'DB_IO',
]);
export const isOutside = (code: string): boolean => outside.has(code);

export const firstLines = (text: string): string =>
  text
    .split('\n')
    .filter((l) => l.trim() !== '')
    .slice(0, 6)
    .join('\n')
    .slice(0, 1200);

export const noRoom = (ran: Ran): boolean => /no space left on device|disk quota exceeded/i.test(ran.stderr);
/** Of namespaces, too, there may be too many. */
const noProcess = (ran: Ran): boolean =>
  ran.stopped === undefined && (saysNoProcess(ran.stderr) || /^unshare: .*No space left/m.test(ran.stderr));

/** The failure of a tool that met the machine's bounds, whatever it worked on; undefined where it did not. */
function outsideFailure(stage: string, what: string, ran: Ran): (Result<never> & { readonly ok: false }) | undefined {
  const said = firstLines(ran.stderr);
  if (noProcess(ran)) return fail(stage, 'TOO_MANY_PROCESSES', `no process can be started to ${what}: ${said}`);
  return noRoom(ran) ? fail(stage, 'DISK_FULL', `no room left to ${what}: ${said}`) : undefined;
}

/** What a compiler that did not succeed came to: its code, and what to say if it said nothing itself. */
function endOf(ran: Ran): readonly [code: string, words: string] {
  const said = (words: RegExp): boolean => words.test(ran.stderr);
  if (ran.stopped === 'time' || ran.signal === 'SIGXCPU' || said(/CPU time limit exceeded signal/))
    return ['COMPILE_TIMEOUT', 'the compiler was stopped at its time limit'];
  if (ran.stopped === 'processes') return ['COMPILE_PROCESSES', 'the compiler started more processes than it may'];
  if (ran.signal === 'SIGXFSZ' || said(/File size limit exceeded signal/))
    return ['COMPILE_OUTPUT', 'the compiler wrote a larger file than it may'];
  if (said(/out of memory allocating|virtual memory exhausted|memory exhausted|Cannot allocate memory|std::bad_alloc/))
    return ['COMPILE_MEMORY', 'the compiler needs more memory than it may take'];
  if (wasKilled(ran)) return ['COMPILE_KILLED', 'the compiler was killed, and again when it was tried once more'];
  if (ran.signal !== null || said(/internal compiler error/))
    return ['COMPILE_CRASHED', `the compiler crashed (${ran.signal ?? `exit code ${ran.code}`})`];
  return ['COMPILE_FAILED', `the compiler ended with ${ran.code}`];
}

/** The failure of a compiler; `name` is what it compiled. Codes of isOutside() are not the source's fault. */
export function compileFailure(name: string, ran: Ran): Result<never> {
  const outside = outsideFailure('compile', `compile ${name}`, ran);
  if (outside !== undefined) return outside;
  const [code, words] = endOf(ran);
  // Of a tool that was stopped in the middle, what it had said until then explains nothing.
  const said = ran.stopped === undefined ? firstLines(ran.stderr) : '';
  const text = code === 'COMPILE_FAILED' ? said || words : [words, said].filter((t) => t !== '').join(': ');
  return fail('compile', code, `${name}: ${text}`);
}

/** The failure of a linker; `code` where the linker itself refused. */
export function linkFailure(ran: Ran, code: 'LINK_FAILED' | 'MODEL_TOO_BIG' = 'LINK_FAILED'): Result<never> {
  const outside = outsideFailure('link', 'link', ran);
  if (outside !== undefined) return outside;
  const said = firstLines(ran.stderr);
  const how = ran.stopped === 'time' ? 'was stopped at its time limit' : `ended with ${ran.signal ?? ran.code}`;
  return fail('link', code, said || `the linker ${how}`);
}

/** Whether a process or a thread could not be started for want of room for one more. Of a thread, only the message says so. */
export const cannotStart = (error: unknown): boolean =>
  error instanceof Error &&
  'code' in error &&
  (error.code === 'EAGAIN' || (error.code === 'ERR_WORKER_INIT_FAILED' && error.message === 'EAGAIN'));

/** The failure that an error of the system stands for; undefined when it is a mistake of ours. */
export function systemFailure(stage: string, error: unknown): Result<never> | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  if (cannotStart(error)) return fail(stage, 'TOO_MANY_PROCESSES', `no process can be started: ${error.message}`);
  switch (error.code) {
    case 'ENOSPC':
    case 'EDQUOT':
      return fail(stage, 'DISK_FULL', `no room left in the build cache: ${error.message}`);
    case 'EROFS':
    case 'EACCES':
    case 'EPERM':
      return fail(stage, 'DATA_DIR_READONLY', `the build cache cannot be written: ${error.message}`);
    case 'ENOENT':
      return fail(stage, 'CACHE_LOST', `deleted while it was needed: ${error.message}`);
    case 'EIO':
      return fail(stage, 'DB_IO', `the build cache: ${error.message}`);
    default:
      return undefined;
  }
}

/**
 * What a command may say and where. With --json standard output holds one JSON document and nothing else; what happens
 * meanwhile goes to standard error. A failure is one line `error CODE: ...` on standard error.
 */
import type { Failure, Result } from '../../compiler/result.ts';

/** What a command came to, in both forms; the caller prints the one that was asked for. */
export interface Shown {
  readonly json: unknown;
  readonly text: string;
}
export type Format = 'text' | 'json';

export interface Io {
  readonly format: Format;
  /** Standard output, a whole line or several. */
  out(text: string): void;
  /** News while the command works. */
  news(text: string): void;
  /** Where news go: a terminal can be drawn on. */
  readonly stream: NodeJS.WriteStream;
  /** Keys typed by a person, if there is one. */
  readonly keyboard: NodeJS.ReadStream;
}
export type Shows = Promise<Result<Shown | undefined>>;

export function ioOf(format: Format): Io {
  const stream = format === 'json' ? process.stderr : process.stdout;
  return {
    format,
    out: (text) => void process.stdout.write(`${text}\n`),
    news: (text) => void stream.write(`${text}\n`),
    stream,
    keyboard: process.stdin,
  };
}

/** Always one line, whatever a compiler had to say. */
export const errorLine = (error: Failure, hint = ''): string =>
  `error ${error.code}: ${[error.detail.replace(/\.$/, ''), hint]
    .filter((part) => part !== '')
    .join('. ')
    .replace(/\s*[\r\n]+\s*/g, ' | ')}`;

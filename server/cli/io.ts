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

/** What a process is given to speak and to listen with; `process` is one. */
export interface Terminal {
  readonly stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  readonly stdout: Screen;
  readonly stderr: Screen;
}
/** Where text goes; a terminal can be drawn on. */
export interface Screen {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
  write(text: string): unknown;
}

export interface Io {
  readonly format: Format;
  /** Standard output, a whole line or several. */
  out(text: string): void;
  /** News while the command works. */
  news(text: string): void;
  /** Where news go. */
  readonly screen: Screen;
  /** Keys typed by a person, if there is one. */
  readonly keyboard: Terminal['stdin'];
}
export type Shows = Promise<Result<Shown | undefined>>;

export function ioOf(format: Format, { stdin, stdout, stderr }: Terminal): Io {
  const screen = format === 'json' ? stderr : stdout;
  return {
    format,
    out: (text) => void stdout.write(`${harmless(text)}\n`),
    news: (text) => void screen.write(`${harmless(text)}\n`),
    screen,
    keyboard: stdin,
  };
}

/**
 * Names and reasons are other people's: what would move a terminal's cursor, colour it, or turn its lines around is shown as a sign
 * for something unknown.
 */
export const harmless = (text: string): string =>
  text.replace(/(?!\t|\n|\r\n)\p{Cc}|[\u202a-\u202e\u2066-\u2069]/gu, '\ufffd');

/** Always one line, whatever a compiler had to say. */
export const errorLine = (error: Failure, hint = ''): string =>
  harmless(
    `error ${error.code}: ${[error.detail.replace(/\.$/, ''), hint]
      .filter((part) => part !== '')
      .join('. ')
      .replace(/\s*[\r\n]+\s*/g, ' | ')}`,
  );

/**
 * What the daemon and a process that runs queries say to each other: a line of JSON in, a line of JSON out, and behind that
 * the rows as they go to whoever asked, so that the daemon never takes them apart.
 */
import type { Failure } from '../../compiler/result.ts';
import type { Answer, Limits, Params } from '../../db/guarded.ts';

/** In. */
export interface Question extends Limits {
  readonly sql: string;
  readonly params: Params;
}
/** Out: `rows` bytes of JSON follow. `last`: the process has done enough and wants to be replaced. */
export type Reply =
  | (Pick<Answer, 'columns' | 'truncated'> & { readonly ok: true; readonly ms: number; readonly rows: number } & Mood)
  | ({ readonly ok: false; readonly error: Failure } & Mood);
interface Mood {
  readonly last: boolean;
}
/** The first line out: the database is open, or why not. */
export type Hello = { readonly ok: true } | { readonly ok: false; readonly error: Failure };

/** A question as one line: readline ends lines at two characters more than JSON escapes. */
export const lineOf = (question: Question): string =>
  `${JSON.stringify(question).replace(/[\u2028\u2029]/g, (c) => `\\u${c.charCodeAt(0).toString(16)}`)}\n`;

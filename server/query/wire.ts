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
/**
 * How the process is. 'tired': it has done enough, another one should be started, until then it answers. 'spent': this was its last
 * answer.
 */
export type Mood = 'fresh' | 'tired' | 'spent';
/** Out: `rows` bytes of JSON follow. */
export type Reply =
  | (Pick<Answer, 'columns' | 'truncated'> & {
      readonly ok: true;
      readonly ms: number;
      readonly rows: number;
      readonly mood: Mood;
    })
  | { readonly ok: false; readonly error: Failure; readonly mood: Mood };
/** The first line out: the database is open, or why not. */
export type Hello = { readonly ok: true } | { readonly ok: false; readonly error: Failure };

/** A question as one line: readline ends lines at two characters more than JSON escapes. */
export const lineOf = (question: Question): string =>
  `${JSON.stringify(question).replace(/[\u2028\u2029]/g, (c) => `\\u${c.charCodeAt(0).toString(16)}`)}\n`;

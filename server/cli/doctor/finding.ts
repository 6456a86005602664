/** What the doctor says of one thing that it looked at. */
import type { Failure } from '../../../compiler/result.ts';
import { errorOf } from '../../errors.ts';

export interface Verdict {
  readonly state: 'ok' | 'warn' | 'fail';
  readonly detail: string;
  /** What to do about it; empty where nothing is to be done. */
  readonly advice: string;
}
export interface Finding extends Verdict {
  /** A tool, a port, a device. */
  readonly subject: string;
  readonly check: string;
}

export const fine = (detail: string): Verdict => ({ state: 'ok', detail, advice: '' });
export const warning = (detail: string, advice: string): Verdict => ({ state: 'warn', detail, advice });
/** A failure that has a code, with what docs/errors.md advises. */
export const failedWith = ({ code, detail }: Failure): Verdict => failing(detail, errorOf(code).advice);
export const failing = (detail: string, advice: string): Verdict => ({ state: 'fail', detail, advice });

/** What the doctor says of one thing that it looked at. */
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
export const failing = (detail: string, advice: string): Verdict => ({ state: 'fail', detail, advice });

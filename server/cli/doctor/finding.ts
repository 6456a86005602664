/** What the doctor says of one thing that it looked at. */
import { type Failure, failed, ok, type Result } from '../../../compiler/result.ts';
import { errorOf } from '../../errors.ts';
import type { Io } from '../io.ts';
import { table } from '../table.ts';

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

/** Prints what was found. Failure: CHECKS_FAILED. */
export function told(io: Io, findings: readonly Finding[]): Result<undefined> {
  const fails = findings.filter((f) => f.state === 'fail').length;
  io.out(io.format === 'json' ? JSON.stringify(findings, null, 2) : findingsText(findings));
  return fails === 0 ? ok(undefined) : failed('doctor', 'CHECKS_FAILED', `${fails} of ${findings.length} checks fail`);
}

/** The table, and under it what to do. */
function findingsText(all: readonly Finding[]): string {
  const rows = table(
    ['what', 'check', 'state', 'found'],
    all.map((f) => [f.subject, f.check, f.state, f.detail.replace(/\s*\n\s*/g, ' | ')]),
  );
  const todo = all.filter((f) => f.advice !== '').map((f) => `${f.subject}, ${f.check}: ${f.advice}`);
  return todo.length === 0 ? rows : `${rows}\n\nWhat to do:\n${todo.map((line) => `  ${line}`).join('\n')}`;
}

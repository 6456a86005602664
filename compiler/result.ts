/** Expected failures are values: where it ended (stage), a stable code (docs/errors.md) and what a person needs to know. */
export interface Failure {
  readonly stage: string;
  readonly code: string;
  readonly detail: string;
}
export type Result<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: Failure };

export const ok = <T>(value: T): Result<T> => ({ ok: true, value });
export const failed = (
  stage: string,
  code: string,
  detail: string,
): { readonly ok: false; readonly error: Failure } => ({
  ok: false,
  error: { stage, code, detail },
});

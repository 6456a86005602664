/** Results of proofs by what they were asked, so that candidates of one task do not repeat them. The caller owns it. */
export type Memo = Map<string, unknown>;

/** What was found for this question, now or before. A key says which proof asks. */
export function recall<T>(memo: Memo, key: string, find: () => T): T {
  if (!memo.has(key)) memo.set(key, find());
  return memo.get(key) as T;
}

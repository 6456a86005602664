/** Lists that come page by page, and what happens on the way: as async iterators, which throw what a method would return. */
import type { Failure, Result } from '../compiler/result.ts';

/** Thrown by iterators: the failure that the daemon named, or that it is not there. */
export class RequestFailed extends Error {
  override readonly name = 'RequestFailed';
  readonly failure: Failure;
  constructor(failure: Failure) {
    super(`${failure.code}: ${failure.detail}`);
    this.failure = failure;
  }
}

export interface Page<T> {
  readonly items: readonly T[];
  readonly next: string | null;
}

/** Everything from the first page to the last. Throws RequestFailed. */
export async function* everyItem<T>(
  page: (cursor: string | undefined) => Promise<Result<Page<T>>>,
): AsyncGenerator<T, void> {
  for (let cursor: string | undefined; ; ) {
    const got = await page(cursor);
    if (!got.ok) throw new RequestFailed(got.error);
    yield* got.value.items;
    if (got.value.next === null) return;
    cursor = got.value.next;
  }
}

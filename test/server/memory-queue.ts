/** The queue of leases without Redis: what waits in it can be seen, and it can be away. */
import { failed, ok, type Result } from '../../compiler/result.ts';
import type { LeaseQueue } from '../../server/farm/leases.ts';

export class MemoryQueue implements LeaseQueue {
  readonly address = { redis: 'redis://127.0.0.1:6379', prefix: 'test' };
  /** By the name of their queue. */
  readonly waiting = new Map<string, string[]>();
  closed = false;
  private there = true;
  private readonly listeners: (() => void)[] = [];

  get ready(): boolean {
    return this.there;
  }
  async put(queue: string, lease: string): Promise<Result<void>> {
    if (!this.there) return failed('run', 'LINK', 'Redis does not answer');
    this.waiting.set(queue, [...(this.waiting.get(queue) ?? []), lease]);
    return ok(undefined);
  }
  takeBack(queue: string, lease: string): void {
    this.waiting.set(
      queue,
      (this.waiting.get(queue) ?? []).filter((id) => id !== lease),
    );
  }
  onReady(listener: () => void): void {
    this.listeners.push(listener);
  }
  async close(): Promise<void> {
    this.closed = true;
  }

  /** The next lease for a worker. */
  take(queue: string): string | undefined {
    const [first, ...others] = this.waiting.get(queue) ?? [];
    this.waiting.set(queue, others);
    return first;
  }
  /** What was in it is lost. */
  goAway(): void {
    this.there = false;
    this.waiting.clear();
  }
  comeBack(): void {
    this.there = true;
    for (const heard of this.listeners) heard();
  }
}

/**
 * Which ports to ask for a board, and when. Must stay true: a port that did not answer is asked again at growing distances, not
 * again and again; one that vanished and came back is new.
 */

/** Milliseconds until a port is asked again that did not answer so many times: five seconds, doubling up to ten minutes. */
const distance = (silent: number): number => Math.min(600_000, 5000 * 2 ** (silent - 1));

interface Asked {
  readonly silent: number;
  /** When it is asked again. */
  readonly next: number;
}

export class PortDiary {
  private readonly now: () => number;
  private readonly asked = new Map<string, Asked>();

  /** `now`: milliseconds since the epoch. */
  constructor(now: () => number) {
    this.now = now;
  }

  /** Of the ports that are there and free, those that it is time to ask. Others are forgotten. */
  due(ports: readonly string[]): readonly string[] {
    const there = new Set(ports);
    for (const port of this.asked.keys()) if (!there.has(port)) this.asked.delete(port);
    return ports.filter((p) => (this.asked.get(p)?.next ?? 0) <= this.now());
  }
  /** It was asked, and nothing came of it. */
  silent(port: string): void {
    const silent = (this.asked.get(port)?.silent ?? 0) + 1;
    this.asked.set(port, { silent, next: this.now() + distance(silent) });
  }
  /** Nobody wants what is there, until something else is. */
  dismiss(port: string): void {
    this.asked.set(port, { silent: 0, next: Number.POSITIVE_INFINITY });
  }
}

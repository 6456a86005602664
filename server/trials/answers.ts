/**
 * Answers that cost much. Must stay true: one is made at a time; whoever asks for one that was asked for waits for the same; the latest
 * are kept.
 */
import PQueue from 'p-queue';

export class Answers<T> {
  private readonly kept: number;
  private readonly stands: (answer: T) => boolean;
  private readonly known = new Map<string, Promise<T>>();
  private readonly queue = new PQueue({ concurrency: 1 });

  /** Answers of which `stands` says no are made anew when they are asked for again, like those that could not be made. */
  constructor(kept: number, stands: (answer: T) => boolean = () => true) {
    this.kept = kept;
    this.stands = stands;
  }

  /** The answer to what has this key. */
  get(key: string, make: () => Promise<T>): Promise<T> {
    const known = this.known.get(key);
    if (known !== undefined) return known;
    const answer = this.queue.add(make);
    this.known.set(key, answer);
    const forget = (): void => void this.known.delete(key);
    answer.then((made) => this.stands(made) || forget(), forget);
    const [oldest] = this.known.keys();
    if (this.known.size > this.kept && oldest !== undefined) this.known.delete(oldest);
    return answer;
  }

  /** What was not begun is not made any more. */
  clear(): void {
    this.queue.clear();
  }
}

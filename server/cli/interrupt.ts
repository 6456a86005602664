/**
 * Ctrl-C while a job runs. At a terminal it asks what to do, and says that Ctrl-C in place of an answer cancels. Without a terminal there
 * is nobody to ask, so it cancels. SIGTERM and SIGHUP mean this process, not the job: it leaves, and the job can go on.
 */
import { createInterface } from 'node:readline';
import type { Io } from './io.ts';

const endings = ['SIGTERM', 'SIGHUP'] as const;
export type Choice = 'detach' | 'cancel' | 'leave';

/** Where signals arrive: the process. */
type Signals = Pick<NodeJS.EventEmitter, 'on' | 'off'>;

/** Calls `decided` once. Returns the function that ends listening. */
export function onInterrupt(
  io: Pick<Io, 'keyboard' | 'news'>,
  decided: (choice: Choice) => void,
  signals: Signals = process,
): () => void {
  let asked: ReturnType<typeof createInterface> | undefined;
  const settle = (choice: Choice): void => {
    stop();
    decided(choice);
  };
  const interrupted = (): void => {
    if (asked !== undefined || io.keyboard.isTTY !== true) return settle('cancel');
    io.news(
      'The job is still running: [d]etach and let it go on, [c]ancel it (so does Ctrl-C now), or Enter to keep watching?',
    );
    // Without `terminal` the keyboard stays as it is, and Ctrl-C stays a signal.
    asked = createInterface({ input: io.keyboard, terminal: false });
    asked.once('line', (line) => {
      asked?.close();
      asked = undefined;
      const key = line.trim().toLowerCase()[0];
      if (key === 'd') settle('detach');
      if (key === 'c') settle('cancel');
    });
  };
  const leave = (): void => settle('leave');
  const stop = (): void => {
    asked?.close();
    signals.off('SIGINT', interrupted);
    for (const signal of endings) signals.off(signal, leave);
  };
  signals.on('SIGINT', interrupted);
  for (const signal of endings) signals.on(signal, leave);
  return stop;
}

/**
 * Ctrl-C while a job runs. At a terminal it asks once what to do; the second Ctrl-C cancels at once. Without a terminal there
 * is nobody to ask, so it cancels. SIGTERM and SIGHUP mean this process, not the job: it leaves, and the job can go on.
 */
import { createInterface } from 'node:readline';
import type { Io } from './io.ts';

export type Choice = 'detach' | 'cancel' | 'leave';

/** Calls `decided` once. Returns the function that ends listening. */
export function onInterrupt(io: Io, decided: (choice: Choice) => void): () => void {
  let asked: ReturnType<typeof createInterface> | undefined;
  const settle = (choice: Choice): void => {
    stop();
    decided(choice);
  };
  const interrupted = (): void => {
    if (asked !== undefined || io.keyboard.isTTY !== true) return settle('cancel');
    io.news('\nThe job is still running: [d]etach and let it go on, [c]ancel it, or Enter to keep watching?');
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
    process.off('SIGINT', interrupted).off('SIGTERM', leave).off('SIGHUP', leave);
  };
  process.on('SIGINT', interrupted).on('SIGTERM', leave).on('SIGHUP', leave);
  return stop;
}

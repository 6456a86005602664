/**
 * A Transport as slow as a serial line: both ways a byte takes the time of ten bits (start, eight, stop), and what is sent
 * while others are on their way waits for its turn. They arrive a few at a time, each few when the last of them has.
 */
import type { Transport } from '../firmware-rpc/host/transport.ts';

export interface Throttled extends Transport {
  /** Bytes that have been put on the line, both ways, and how often something was sent: a request each. */
  readonly carried: () => { readonly sent: number; readonly received: number; readonly requests: number };
}

/** Bytes that arrive at once: timers have a grain of a millisecond. */
const few = 32;

/** One direction: passes bytes on in order, at the line's pace. Resolves when the last ones are through. */
function lane(baud: number, pass: (bytes: Uint8Array) => Promise<void> | void): (bytes: Uint8Array) => Promise<void> {
  let free = 0;
  let last: Promise<void> = Promise.resolve();
  const one = async (bytes: Uint8Array, due: number): Promise<void> => {
    const ms = due - performance.now();
    if (ms >= 1) await new Promise((resolve) => setTimeout(resolve, ms));
    await pass(bytes);
  };
  return (bytes) => {
    for (let at = 0; at < bytes.length; at += few) {
      const part = bytes.slice(at, at + few);
      // By the line's clock, whatever a timer was late by before.
      free = Math.max(free, performance.now()) + (part.length * 10_000) / baud;
      const due = free;
      last = last.then(() => one(part, due));
    }
    return last;
  };
}

export function throttled(line: Transport, baud: number): Throttled {
  const there = lane(baud, (bytes) => line.write(bytes));
  let [sent, received, requests] = [0, 0, 0];
  return {
    ...line,
    name: `${line.name} at ${baud} baud`,
    async write(bytes) {
      sent += bytes.length;
      requests++;
      await there(bytes);
    },
    onData(listener) {
      const back = lane(baud, listener);
      line.onData((bytes) => {
        received += bytes.length;
        void back(bytes);
      });
    },
    carried: () => ({ sent, received, requests }),
  };
}

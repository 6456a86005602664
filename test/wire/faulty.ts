/**
 * A Transport with faults, both ways and seeded: chunks dropped, doubled, delayed, cut; bytes flipped and lost; garbage spliced
 * in; other chunk sizes. Order is kept, as on any serial line.
 */
import type { Transport } from '../../firmware-rpc/host/transport.ts';
import { Random } from '../unit/random.ts';

/** Chances by chunk, 0 to 1. */
export interface Faults {
  readonly drop: number;
  readonly double: number;
  readonly flip: number;
  readonly lose: number;
  readonly garbage: number;
  readonly cut: number;
  readonly delay: number;
}
export const everyFault = (chance: number): Faults => ({
  drop: chance,
  double: chance,
  flip: chance,
  lose: chance,
  garbage: chance,
  cut: 4 * chance,
  delay: 4 * chance,
});

export interface FaultyTransport extends Transport {
  /** From now on everything vanishes without a sign, as behind a cable that was cut on a live connection. */
  blackHole(): void;
  /** How often something was done to a chunk. */
  readonly injected: () => number;
}

export function faulty(inner: Transport, faults: Faults, seed: number): FaultyTransport {
  const r = new Random(seed);
  let injected = 0;
  let hole = false;
  const happens = (chance: number): boolean => {
    const yes = r.next() < chance;
    if (yes) injected++;
    return yes;
  };
  const below = (n: number): number => r.int(0, n - 1);

  const spoil = (bytes: Uint8Array): number[] => {
    const out = [...bytes];
    if (happens(faults.flip)) out[below(out.length)] = below(256);
    if (happens(faults.lose)) out.splice(below(out.length), 1 + below(8));
    if (happens(faults.garbage))
      out.splice(below(out.length + 1), 0, ...Array.from({ length: below(40) }, () => below(256)));
    return happens(faults.double) ? [...out, ...out] : out;
  };
  const pieces = (bytes: number[]): number[][] => {
    if (bytes.length < 2 || !happens(faults.cut)) return [bytes];
    const at = 1 + below(bytes.length - 1);
    return [bytes.slice(0, at), ...pieces(bytes.slice(at))];
  };
  const lane = (deliver: (bytes: Uint8Array) => void): ((bytes: Uint8Array) => void) => {
    let tail = Promise.resolve();
    return (bytes) => {
      if (hole || happens(faults.drop)) return;
      for (const piece of pieces(spoil(bytes))) {
        const late = happens(faults.delay) ? below(6) : -1;
        tail = tail.then(() => (late < 0 ? undefined : new Promise((resolve) => setTimeout(resolve, late))));
        tail = tail.then(() => (hole ? undefined : deliver(Uint8Array.from(piece))));
      }
    };
  };

  const there = lane((bytes) => void inner.write(bytes));
  return {
    name: `faulty ${inner.name}`,
    write: async (bytes) => there(bytes),
    onData: (listener) => inner.onData(lane(listener)),
    onClose: (listener) => inner.onClose(listener),
    close: () => inner.close(),
    blackHole: () => {
      hole = true;
    },
    injected: () => injected,
  };
}

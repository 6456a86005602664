/** Turns at something that few can use at once, in simulated hours: each gets its share by weight, whatever its turns take. */
import { expect, test } from 'vitest';
import { type Client, FairTurns } from '../../tuner/fair-turns.ts';
import { seeded } from '../../tuner/random.ts';
import { samples } from '../samples.ts';

/** Who wants turns: `turn` draws what the next one takes, `wants` says until when it does and from when again. */
interface Customer {
  readonly client: Client;
  readonly turn: () => number;
  readonly wants: (at: number) => boolean;
}
const hour = 3_600_000;
/** How many turns a customer lines up for at most. */
const lined = 12;

/** What each customer had after `ms` at `places`; `seen` is told the shares so far after every turn. */
function simulate(
  customers: readonly Customer[],
  places: number,
  ms: number,
  seen: (had: readonly number[], at: number) => void = () => undefined,
): readonly number[] {
  const turns = new FairTurns<number>();
  const had = customers.map(() => 0);
  const waiting = customers.map(() => 0);
  const busy: { readonly who: number; readonly ends: number; readonly took: number }[] = [];
  let at = 0;
  while (at < ms) {
    customers.forEach((c, i) => {
      while (c.wants(at) && waiting[i]! < lined) {
        turns.add(c.client, i);
        waiting[i]!++;
      }
    });
    while (busy.length < places) {
      const who = turns.next();
      if (who === undefined) break;
      waiting[who]!--;
      const took = customers[who]!.turn();
      busy.push({ who, took, ends: at + took });
    }
    busy.sort((a, b) => a.ends - b.ends);
    const done = busy.shift();
    if (done === undefined) at += 1000;
    else {
      at = done.ends;
      had[done.who]! += done.took;
      turns.charge(customers[done.who]!.client, done.took);
    }
    seen(had, at);
  }
  return had;
}

test('over hours of turns of any length, whoever waits gets its share by weight, within a few turns', () => {
  for (let seed = 0; seed < samples(8, 200); seed++) {
    const random = seeded(seed);
    const places = 1 + random.below(4);
    const longest = [50, 200, 2000];
    const customers = Array.from({ length: 2 + random.below(5) }, (_, i): Customer => {
      const long = random.pick(longest);
      return {
        client: { id: `c${i}`, weight: random.pick([1, 4, 16]) },
        turn: () => 1 + random.next() * long,
        wants: () => true,
      };
    });
    const weights = customers.map((c) => c.client.weight);
    // A place may be taken by the longest turn of another, and each turn under way is paid for by a guess.
    const bound = (2 * (places + 1) * 2000) / Math.min(...weights);
    let widest = 0;
    simulate(customers, places, samples(hour / 6, hour), (had) => {
      const shares = had.map((h, i) => h / weights[i]!);
      widest = Math.max(widest, Math.max(...shares) - Math.min(...shares));
    });
    expect(widest, `seed ${seed}`).toBeLessThan(bound);
  }
});

test('having been idle is worth nothing: who comes back shares from then on', () => {
  const [back, gone] = [hour / 2, 0];
  const steady: Customer = { client: { id: 'steady', weight: 1 }, turn: () => 100, wants: () => true };
  const other: Customer = {
    client: { id: 'other', weight: 1 },
    turn: () => 100,
    wants: (at) => at <= gone || at > back,
  };
  let before: readonly number[] = [];
  const had = simulate([steady, other], 1, hour, (now, at) => {
    if (at <= back) before = [...now];
  });
  expect(before[1]!).toBeLessThanOrEqual(lined * 100);
  const [first, second] = had.map((h, i) => h - before[i]!);
  expect(Math.abs(first! - second!)).toBeLessThanOrEqual(lined * 100);
});

test('a stream of heavy clients that each come once starves nobody', () => {
  const turns = new FairTurns<string>();
  const low = { id: 'low', weight: 1 };
  // It had a lot while it was alone.
  turns.add(low, 'low');
  turns.next();
  turns.charge(low, 10_000);
  turns.add(low, 'low');
  let served = 0;
  for (; ; served++) {
    const heavy = { id: `heavy${served}`, weight: 16 };
    turns.add(heavy, heavy.id);
    const next = turns.next();
    if (next === 'low' || served > 20_000) break;
    turns.charge({ id: next!, weight: 16 }, 100);
  }
  expect(served).toBeLessThan(5000);
});

test('what is taken back waits no more', () => {
  const turns = new FairTurns<string>();
  for (let i = 0; i < 1000; i++) {
    const client = { id: `c${i}`, weight: 1 };
    turns.add(client, `a${i}`);
    turns.add(client, `b${i}`);
    turns.remove(`a${i}`);
    expect(turns.waiting).toBe(1);
    expect(turns.next()).toBe(`b${i}`);
    turns.charge(client, 5);
  }
  turns.remove('never there');
  expect(turns.next()).toBeUndefined();
  expect(turns.waiting).toBe(0);
});

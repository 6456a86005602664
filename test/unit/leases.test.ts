/** Leases against a model of them: whatever is asked in whichever order, each has one outcome, and what comes later changes nothing. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Result } from '../../compiler/result.ts';
import { Leases } from '../../server/farm/leases.ts';
import type { AnswerBody, LeaseBody } from '../../server/schemas/index.ts';
import { samples } from '../samples.ts';
import { MemoryQueue } from '../server/memory-queue.ts';
import { VirtualClock } from '../virtual-clock.ts';

const limits = { fetchMs: 10, answerMs: 30 };
const workers = ['a', 'b'] as const;
type Worker = (typeof workers)[number];

type Step =
  | { readonly do: 'grant'; readonly worker: Worker }
  | { readonly do: 'fetch'; readonly worker: Worker; readonly lease: number }
  | { readonly do: 'answer'; readonly worker: Worker; readonly lease: number; readonly count: number }
  | { readonly do: 'end'; readonly worker: Worker; readonly which: 'all' | 'unfetched' }
  | { readonly do: 'pass'; readonly ms: number }
  | { readonly do: 'redis'; readonly there: 'away' | 'back' };

const worker = fc.constantFrom(...workers);
const lease = fc.nat(5);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant('grant' as const), worker }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('fetch' as const), worker, lease }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('answer' as const), worker, lease, count: fc.nat(1) }) },
  fc.record({ do: fc.constant('end' as const), worker, which: fc.constantFrom('all' as const, 'unfetched' as const) }),
  fc.record({ do: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 35 }) }),
  fc.record({ do: fc.constant('redis' as const), there: fc.constantFrom('away' as const, 'back' as const) }),
);

/** A lease as it must be. */
interface Model {
  readonly id: string;
  readonly worker: Worker;
  state: 'waiting' | 'fetched' | 'over';
  everFetched: boolean;
  /** When it is over by itself. */
  until: number;
  /** The count that it was answered with; undefined: void. */
  outcome: number | undefined;
}

class World {
  readonly clock = new VirtualClock('2026-01-01T00:00:00Z');
  readonly queue = new MemoryQueue();
  readonly leases = new Leases(this.queue, this.clock);
  readonly models: Model[] = [];
  /** What each came to, as often as it came to something. */
  readonly outcomes: Result<AnswerBody>[][] = [];

  private end(model: Model, outcome?: number): void {
    [model.state, model.outcome] = ['over', outcome];
  }
  private code(result: Result<unknown>): string {
    return result.ok ? 'ok' : result.error.code;
  }

  async take(s: Step): Promise<void> {
    switch (s.do) {
      case 'grant':
        return this.grant(s.worker);
      case 'fetch': {
        const model = this.models[s.lease];
        const mine = model !== undefined && model.worker === s.worker && model.state !== 'over';
        if (mine && model.state === 'waiting')
          [model.state, model.until, model.everFetched] = ['fetched', this.clock.now() + limits.answerMs, true];
        expect(this.code(this.leases.fetch(s.worker, model?.id ?? 'none'))).toBe(mine ? 'ok' : 'LEASE_VOID');
        return undefined;
      }
      case 'answer': {
        const model = this.models[s.lease];
        const mine = model !== undefined && model.worker === s.worker;
        const first = mine && model.state === 'fetched';
        if (first) this.end(model, s.count);
        const again = mine && model.state === 'over' && model.outcome === s.count;
        const said = this.leases.answer(s.worker, model?.id ?? 'none', { is: 'count', count: s.count });
        expect(this.code(said)).toBe(first || again ? 'ok' : 'LEASE_VOID');
        return undefined;
      }
      case 'end':
        this.leases.endOf(s.worker, 'gone', s.which);
        for (const m of this.models)
          if (m.worker === s.worker && m.state !== 'over' && (s.which === 'all' || m.state === 'waiting')) this.end(m);
        return undefined;
      case 'pass':
        await this.clock.pass(s.ms);
        for (const m of this.models) if (m.state !== 'over' && m.until <= this.clock.now()) this.end(m);
        return undefined;
      case 'redis':
        if (s.there === 'away') this.queue.goAway();
        else this.queue.comeBack();
    }
  }
  private async grant(to: Worker): Promise<void> {
    const at = this.models.length;
    const content: LeaseBody = { device: String(at), errand: 'count' };
    const outcomes: Result<AnswerBody>[] = [];
    this.outcomes.push(outcomes);
    void this.leases.grant({ id: to, queue: to }, content, limits).then((outcome) => outcomes.push(outcome));
    const id = this.queue.waiting.get(to)?.at(-1) ?? `lost ${at}`;
    const put = this.queue.ready;
    const until = this.clock.now() + limits.fetchMs;
    const state = put ? 'waiting' : 'over';
    this.models.push({ id, worker: to, state, everFetched: false, until, outcome: undefined });
    await this.clock.pass(0);
  }
}

test('each lease has one outcome: its first answer, or none in time; what comes later changes nothing', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40, size: 'max' }), async (steps) => {
      const world = new World();
      for (const s of steps) await world.take(s);
      await world.take({ do: 'pass', ms: 100 });
      const said = world.outcomes.map((outcomes) =>
        outcomes.map((o) => (o.ok ? (o.value as { readonly count: number }).count : o.error.code)),
      );
      expect(said).toEqual(world.models.map((m) => [m.outcome ?? 'LINK']));
      // What nobody fetched is not left for somebody to find.
      const left = [...world.queue.waiting.values()].flat();
      expect(world.models.filter((m) => !m.everFetched && left.includes(m.id))).toEqual([]);
    }),
    { numRuns: samples(150, 3000), seed: 5 },
  );
});

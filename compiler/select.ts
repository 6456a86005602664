/**
 * Which schedule each occurrence of a task gets: the best one whose forms hold on that occurrence's constants, in the order
 * given, else the default. A schedule tuned on one layer's weights may rest on a proof that another layer's weights refuse.
 */
import type { Choice } from './emit/network.ts';
import { type ScheduleLike, schedule } from './lower.ts';
import type { Memo } from './program/index.ts';
import type { Task } from './tasks.ts';

export interface Offer {
  readonly schedule: ScheduleLike;
  readonly words: string;
  readonly cycles?: { readonly count: number; readonly kind: string };
  /** Id of the record it came from. */
  readonly record?: string;
}
export interface Selected {
  readonly choice: Choice;
  readonly offer: Offer;
  /** Better offers that this occurrence's constants refused, and why. */
  readonly refused: readonly { readonly record: string | undefined; readonly reason: string }[];
}

/** Choices for every node that runs, in execution order. `offersOf` gives a task's offers, best first, the default last. */
export function select(
  tasks: readonly Task[],
  offersOf: (task: Task) => readonly Offer[],
  memo: Memo = new Map(),
): readonly Selected[] {
  const out = tasks.flatMap((task) => {
    const offers = offersOf(task);
    return task.occurrences.map((o): Selected => {
      const refused: { record: string | undefined; reason: string }[] = [];
      for (const offer of offers) {
        const done = schedule(task.workload, o.constants, offer.schedule, memo);
        if (done.ok) {
          const choice = {
            node: o.node,
            workload: task.workload,
            program: done.program,
            words: offer.words,
            ...(offer.cycles !== undefined && { cycles: offer.cycles }),
          };
          return { choice, offer, refused };
        }
        refused.push({ record: offer.record, reason: done.reason });
      }
      throw new Error(
        `task ${task.id} has no legal schedule, not even its default: ${refused.at(-1)?.reason ?? 'none was offered'}`,
      );
    });
  });
  return out.sort((a, b) => a.choice.node - b.choice.node);
}

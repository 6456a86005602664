/**
 * Who gets RAM: schedules may place a layer's code and constants there, and all layers' together can be more than there is.
 * The layers that gain most cycles a byte come first; the others get the fastest schedule that fits what is left.
 */
import type { Task } from '../compiler/tasks.ts';
import type { TuningRecord } from '../db/types.ts';
import { placedInRam } from '../kernels/index.ts';

/** Bytes of RAM for constants and for code. */
export interface RamRoom {
  readonly dataBytes: number;
  readonly codeBytes: number;
}
/** Records of a task that may be used, best first. */
export interface Candidates {
  readonly task: Task;
  readonly records: readonly TuningRecord[];
}

/** What a record's kernel takes of RAM, for all layers of its task. Sizes of single constants are not on record: all count. */
function ramOf({ schedule, sizes }: TuningRecord, task: Task): RamRoom {
  const placed = placedInRam(schedule);
  const layers = task.occurrences.length;
  return {
    dataBytes: placed.some((what) => what !== 'code') ? (sizes?.constBytes ?? 0) * layers : 0,
    codeBytes: placed.includes('code') ? (sizes?.codeBytes ?? 0) * layers : 0,
  };
}
const bytes = ({ dataBytes, codeBytes }: RamRoom): number => dataBytes + codeBytes;

/** Cycles that the network saves for each byte of RAM that the task's best record takes. */
function worth({ task, records }: Candidates): number {
  const [best] = records;
  if (best === undefined) return 0;
  const taken = bytes(ramOf(best, task));
  const without = records.find((r) => bytes(ramOf(r, task)) === 0) ?? records.at(-1);
  const saved = ((without?.cycles ?? 0) - (best.cycles ?? 0)) * task.occurrences.length;
  return taken === 0 ? 0 : saved / taken;
}

/** By task: its records that fit what of `room` is left when its turn comes. */
export function shareRam(all: readonly Candidates[], room: RamRoom): ReadonlyMap<string, readonly TuningRecord[]> {
  const left = { ...room };
  const out = new Map<string, readonly TuningRecord[]>();
  const order = all.map((c) => ({ ...c, worth: worth(c) })).sort((a, b) => b.worth - a.worth);
  for (const { task, records } of order) {
    const fitting = records.filter((r) => {
      const need = ramOf(r, task);
      return need.dataBytes <= left.dataBytes && need.codeBytes <= left.codeBytes;
    });
    const [first] = fitting;
    if (first !== undefined) {
      const taken = ramOf(first, task);
      left.dataBytes -= taken.dataBytes;
      left.codeBytes -= taken.codeBytes;
    }
    out.set(task.id, fitting);
  }
  return out;
}

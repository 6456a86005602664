/**
 * Time of the emulated chip: whole cycles of clk_sys, from which the nanoseconds that rp2040js's peripherals ask for follow.
 * Must stay true: time moves only by `cycles`, so equal programs meet equal times; alarms fire in order of their time.
 */

/** As rp2040js wants one: goes off once, `nanos` after it was scheduled. */
export interface Alarm {
  schedule(nanos: number): void;
  cancel(): void;
}

export class CycleClock {
  /** Cycles since power-on. Whoever executes adds to it. */
  cycles = 0;
  /** When the next alarm goes off, in cycles; infinite where none is set. */
  due = Number.POSITIVE_INFINITY;
  private nanosPerCycle: number;
  private changedAt = { cycles: 0, nanos: 0 };
  private readonly pending = new Map<() => void, number>();

  constructor(hz: number) {
    this.nanosPerCycle = 1e9 / hz;
  }
  get nanos(): number {
    return this.changedAt.nanos + (this.cycles - this.changedAt.cycles) * this.nanosPerCycle;
  }
  get micros(): number {
    return this.nanos / 1000;
  }
  /** From now on a cycle takes 1/hz seconds. */
  setFrequency(hz: number): void {
    this.changedAt = { cycles: this.cycles, nanos: this.nanos };
    this.nanosPerCycle = 1e9 / hz;
    this.plan();
  }
  createAlarm(callback: () => void): Alarm {
    return {
      schedule: (nanos) => {
        this.pending.set(callback, this.nanos + nanos);
        this.plan();
      },
      cancel: () => {
        if (this.pending.delete(callback)) this.plan();
      },
    };
  }
  /** Lets go off what is due. */
  fire(): void {
    for (let next = this.first(); next !== undefined && next.at <= this.nanos; next = this.first()) {
      this.pending.delete(next.callback);
      this.plan();
      next.callback();
    }
  }
  private first(): { readonly callback: () => void; readonly at: number } | undefined {
    let first: { readonly callback: () => void; readonly at: number } | undefined;
    for (const [callback, at] of this.pending) if (first === undefined || at < first.at) first = { callback, at };
    return first;
  }
  private plan(): void {
    const first = this.first();
    this.due =
      first === undefined
        ? Number.POSITIVE_INFINITY
        : this.cycles + Math.max(0, Math.ceil((first.at - this.nanos) / this.nanosPerCycle));
  }
}

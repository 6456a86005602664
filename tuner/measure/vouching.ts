/**
 * Which results of a device stand. Must stay true: a check that passes vouches for all that was measured before it; one that fails
 * withdraws what was measured since the last good one.
 */
import { ok, type Result } from '../../compiler/result.ts';
import type { MeasureResult } from '../types.ts';
import type { AnyDevice } from './far.ts';
import type { CheckHealth, Health, Patient } from './health.ts';
import { linkErrors } from './link-errors.ts';

export class Vouching {
  /** Of the last check that passed. */
  health: Health | null = null;
  /** Results that were withdrawn. */
  suspects = 0;
  private readonly check: CheckHealth;
  /** Results since the last check. */
  private unchecked: MeasureResult[] = [];

  constructor(check: CheckHealth) {
    this.check = check;
  }

  get owed(): number {
    return this.unchecked.length;
  }
  measured(result: MeasureResult): void {
    this.unchecked.push(result);
  }

  /** What the check says; `news`: it passed, and counted another number than before. */
  async examine(
    device: AnyDevice,
    patient: Patient,
  ): Promise<Result<{ readonly news: boolean; readonly health: Health }>> {
    const found = await linkErrors('health', () => this.check(device, patient));
    if (!found.ok) return found;
    const news = found.value.count !== this.health?.count;
    this.health = found.value;
    this.unchecked = [];
    return ok({ news, health: found.value });
  }
  /** What does not stand. */
  withdraw(): readonly MeasureResult[] {
    const withdrawn = this.unchecked;
    this.unchecked = [];
    this.suspects += withdrawn.length;
    return withdrawn;
  }
}

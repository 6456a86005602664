/** Why a run under way does not move: its devices are gone, or other jobs have its tasks. Looked at again and again while it runs. */
import type { Logger } from 'pino';
import type { DevicePool } from '../../tuner/measure/pool.ts';
import { Attempts } from '../attempts.ts';
import type { Run } from '../progress.ts';
import type { WaitingBody } from '../schemas/index.ts';

const everyMs = 1000;
const sameTasks: WaitingBody = {
  code: 'SAME_TASKS',
  detail: 'other jobs are tuning all that is left of its tasks',
  until: null,
};

export class Waits {
  private readonly run: Run;
  private readonly pool: Pick<DevicePool, 'gone'>;
  private readonly attempts: Attempts;
  private othersHaveAll = false;
  private callOff: () => void;

  constructor(run: Run, pool: Pick<DevicePool, 'gone'>, log: Logger) {
    this.run = run;
    this.pool = pool;
    this.attempts = new Attempts(log);
    this.callOff = run.clock.after(everyMs, this.look);
  }

  /** Whether other jobs have all that is left of its tasks. */
  others(why: 'others' | 'nothing'): void {
    this.othersHaveAll = why === 'others';
    this.tell();
  }

  end(): void {
    this.callOff();
    this.othersHaveAll = false;
    this.run.wait(null);
  }

  private readonly look = (): void => {
    this.callOff = this.run.clock.after(everyMs, this.look);
    // That it could not be told is no reason to end the daemon.
    this.attempts.make('why the job waits could not be written', this.run.job.id, () => this.tell());
  };

  private tell(): void {
    const { gone } = this.pool;
    if (gone !== undefined)
      this.run.wait({ code: 'NO_DEVICE', detail: `since ${gone.since}: ${gone.detail}`, until: null });
    else this.run.wait(this.othersHaveAll ? sameTasks : null);
  }
}

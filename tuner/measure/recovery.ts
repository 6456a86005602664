/**
 * What keeps a device from work by itself, and when it is tried again. Must stay true: failures in a row climb the ladder to its end
 * (escalation.ts), which is quarantine; a device that failed a check climbs on until it has passed one behind trials.
 */
import type { Reason } from './device-state.ts';
import { isLasting, type Rung, rungAfter } from './escalation.ts';

export interface Rests {
  readonly restMs: (failures: number) => number;
  readonly quarantineMs: (looks: number) => number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}
/** What its device's slot does when the time has come. */
export interface Alarms {
  /** It rested long enough. */
  rested(): void;
  /** It is time to look at it in quarantine, or for where it was plugged in. */
  look(): void;
}

export class Recovery {
  /** Undefined: it works, or rests for a moment. */
  ailment: 'quarantined' | 'unplugged' | undefined;
  /** Of the last failure. */
  reason: Reason | undefined;
  /** So far. */
  failures = 0;
  private readonly rests: Rests;
  private readonly alarms: Alarms;
  /** Failures in a row. */
  private inARow = 0;
  /** Failed a check, and has not passed one behind trials since: such a device could pass at opening for ever. */
  private ill = false;
  private looks = 0;
  private rest: { readonly timer: NodeJS.Timeout; readonly until: number } | undefined;

  constructor(rests: Rests, alarms: Alarms) {
    this.rests = rests;
    this.alarms = alarms;
  }

  /** What is to be tried at the next opening. */
  get rung(): Rung | undefined {
    return rungAfter(this.inARow);
  }
  /** Until when it rests, or waits for the next look; undefined where it does not. */
  get until(): number | undefined {
    return this.rest?.until;
  }

  /** Counts a failure: it rests and is tried again, or is quarantined; whether it is. */
  failed({ code, detail }: Reason): boolean {
    this.inARow++;
    this.failures++;
    this.reason = { code, detail };
    const last = rungAfter(this.inARow) === undefined || isLasting(code);
    if (!last) this.after(this.rests.restMs(this.inARow), this.alarms.rested);
    else this.keepFromWork('quarantined', this.rests.quarantineMs(0));
    return last;
  }
  /** No rung of the ladder helps; it is looked for at once, in case that it is plugged in elsewhere. */
  vanished({ code, detail }: Reason): void {
    this.reason = { code, detail };
    this.keepFromWork('unplugged', this.rests.restMs(1));
  }
  private keepFromWork(ailment: 'quarantined' | 'unplugged', ms: number): void {
    this.ailment = ailment;
    this.looks = 0;
    this.after(ms, this.alarms.look);
  }
  /** A look did not help. */
  stillUnwell({ code, detail }: Reason): void {
    this.reason = { code, detail };
    this.looks++;
    this.after(this.rests.quarantineMs(this.looks), this.alarms.look);
  }

  /** It failed a check behind trials. */
  failedCheck(): void {
    this.ill = true;
  }
  /** A trial ended well; `checked`: a check behind it passed. */
  worked(checked: 'checked' | 'unchecked'): void {
    if (this.ill && checked === 'unchecked') return;
    this.ill = false;
    this.inARow = 0;
  }
  /** As if it were new: a look helped, or somebody released it. */
  isWell(): void {
    this.getUp();
    this.ailment = undefined;
    this.worked('checked');
  }
  /** Ends its rest. */
  getUp(): void {
    clearTimeout(this.rest?.timer);
    this.rest = undefined;
  }

  private after(ms: number, then: () => void): void {
    this.getUp();
    const timer = setTimeout(() => {
      this.rest = undefined;
      then();
    }, ms);
    this.rest = { timer, until: this.rests.now() + ms };
  }
}

/**
 * A device at a worker, as a source of a pool: whatever the pool wants of it is an errand under a lease. Must stay true: an errand
 * that came to nothing is a broken link, as a cable's would be, so that a trial is run elsewhere and the device is tried again.
 */
import { randomUUID } from 'node:crypto';
import type { BuiltFirmware } from '../../boards/index.ts';
import { failed, ok, type Result } from '../../compiler/result.ts';
import { LinkError } from '../../firmware-rpc/host/device.ts';
import { readObject } from '../../toolchain/index.ts';
import type { PlainAttempt } from '../../tuner/measure/attempt.ts';
import type { FarDevice, FarResult } from '../../tuner/measure/far.ts';
import type { DeviceSource } from '../../tuner/measure/pool.ts';
import type { AnswerBody, AttemptBody, ErrandName, LeaseBody, Offer } from '../schemas/index.ts';
import type { LeaseLimits } from './leases.ts';

/** The worker that a device hangs on, whenever it is there. */
export interface FarHost {
  readonly name: string;
  readonly here: boolean;
  /** Failure: LINK. */
  errand(content: LeaseBody, limits: LeaseLimits): Promise<Result<AnswerBody>>;
}

/** A worker that is there fetches at once; one that is not is known to be gone before this. */
const fetchMs = 15_000;
/** How long each errand may take a device that works, ms: emulators are built first, flash is slow, so are serial lines. */
const answerMs: Readonly<Record<ErrandName, number>> = {
  open: 120_000,
  measure: 60_000,
  count: 60_000,
  reset: 30_000,
  close: 10_000,
  reflash: 300_000,
  'power-cycle': 60_000,
};
/** Every run of a trial has its deadline on the device (runner.ts): no errand ends before all of them have. */
const runsMs = (macs: number): number => 6 * Math.ceil(500 + macs / 2000);

export class FarSource implements DeviceSource {
  readonly name: string;
  readonly id: string;
  readonly far = true;
  readonly reflash?: () => Promise<Result<void>>;
  readonly powerCycle?: () => Promise<Result<void>>;
  readonly host: FarHost;
  /** As the worker calls it. */
  private readonly there: string;
  private readonly firmware: () => Promise<Result<BuiltFirmware>>;

  /** `firmware`: that of today, to compare with. */
  constructor(host: FarHost, offer: Pick<Offer, 'name' | 'remedies'>, firmware: () => Promise<Result<BuiltFirmware>>) {
    this.name = `${host.name}/${offer.name}`;
    this.id = this.name;
    this.host = host;
    this.there = offer.name;
    this.firmware = firmware;
    if (offer.remedies.includes('reflash')) this.reflash = () => this.remedy('reflash');
    if (offer.remedies.includes('power-cycle')) this.powerCycle = () => this.remedy('power-cycle');
  }

  /** Failures: LINK, and those of opening it there. */
  async open(): Promise<Result<FarDevice>> {
    const session = randomUUID();
    const answer = await this.errand('open', { session });
    if (!answer.ok) return answer;
    if (answer.value.is !== 'open') return odd(answer.value);
    return ok(new FarLink(answer.value.info, (errand, attempt) => this.errand(errand, { session, attempt })));
  }
  async build(): Promise<string | undefined> {
    const firmware = await this.firmware();
    return firmware.ok ? firmware.value.buildId : undefined;
  }
  /** A device whose worker is not there is no more to blame than one that is unplugged. */
  async absent(): Promise<boolean> {
    return !this.host.here;
  }

  private async remedy(errand: 'reflash' | 'power-cycle'): Promise<Result<void>> {
    const answer = await this.errand(errand);
    return answer.ok ? ok(undefined) : answer;
  }
  /** What went wrong there is a failure here. */
  private async errand(
    errand: ErrandName,
    { session, attempt }: { readonly session?: string; readonly attempt?: AttemptBody | undefined } = {},
  ): Promise<Result<AnswerBody>> {
    const content = {
      device: this.there,
      errand,
      ...(session !== undefined && { session }),
      ...(attempt !== undefined && { attempt }),
    };
    const limits = { fetchMs, answerMs: answerMs[errand] + runsMs(attempt?.macs ?? 0) };
    const answer = await this.host.errand(content, limits);
    if (!answer.ok || answer.value.is !== 'failed') return answer;
    const { stage, code, detail } = answer.value;
    return failed(stage, code, `${this.host.name}: ${detail}`);
  }
}
const odd = ({ is }: AnswerBody): Result<never> =>
  failed('run', 'LINK', `the worker answers "${is}" to something else`);

type Ask = (errand: ErrandName, attempt?: AttemptBody) => Promise<Result<AnswerBody>>;

/** The device behind a source, while it is open there. */
class FarLink implements FarDevice {
  readonly info: FarDevice['info'];
  private readonly ask: Ask;
  /** Whoever waits for an answer. */
  private readonly waiting = new Set<(outcome: Result<never>) => void>();

  constructor(info: FarDevice['info'], ask: Ask) {
    this.info = info;
    this.ask = ask;
  }

  async measure(attempt: PlainAttempt): Promise<FarResult> {
    const object = await readObject(attempt.object);
    if (!object.ok) return { status: 'failed', ...object.error, stage: 'link', times: {} };
    const { trial } = await this.answered('trial', 'measure', bodyOf(attempt, object.value));
    return trial;
  }
  async count(): Promise<Result<number>> {
    const answer = await this.asked('count');
    if (answer.ok) return answer.value.is === 'count' ? ok(answer.value.count) : odd(answer.value);
    if (answer.error.code === 'LINK') throw new LinkError(answer.error.detail);
    return answer;
  }
  async reset(): Promise<void> {
    await this.answered('done', 'reset');
  }
  /** Whoever waits for an answer waits no longer. */
  async close(): Promise<void> {
    for (const settle of this.waiting) settle(failed('run', 'LINK', 'the device was closed'));
    await this.ask('close');
  }

  /** The answer, or that the device was closed before there was one. */
  private asked(errand: ErrandName, attempt?: AttemptBody): Promise<Result<AnswerBody>> {
    return new Promise((settle, reject) => {
      this.waiting.add(settle);
      void this.ask(errand, attempt)
        .then(settle, reject)
        .finally(() => this.waiting.delete(settle));
    });
  }
  /** Throws LinkError where it did not come to this kind of answer. */
  private async answered<K extends AnswerBody['is']>(
    kind: K,
    errand: ErrandName,
    attempt?: AttemptBody,
  ): Promise<Extract<AnswerBody, { readonly is: K }>> {
    const answer = await this.asked(errand, attempt);
    if (!answer.ok) throw new LinkError(answer.error.detail);
    if (answer.value.is !== kind) throw new LinkError(`the worker answers "${answer.value.is}" to ${errand}`);
    return answer.value as Extract<AnswerBody, { readonly is: K }>;
  }
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

/** An attempt as it travels, with the bytes of its object. */
function bodyOf(a: PlainAttempt, object: Uint8Array): AttemptBody {
  const { name, source, flags } = a.unit;
  return {
    unit: { name, source, flags: [...flags] },
    object: base64(object),
    binary: a.binary,
    functions: { ...a.functions },
    constants: a.constants.map(({ symbol, place, bytes }) => ({ symbol, place, bytes: base64(bytes) })),
    scratchBytes: a.scratchBytes,
    macs: a.macs,
    inputs: a.vector.inputs.map(({ bytes, seed, data }) => ({
      bytes,
      seed,
      ...(data !== undefined && { data: base64(data) }),
    })),
    outputs: a.vector.outputs.map(base64),
  };
}

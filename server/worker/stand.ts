/**
 * One device of a worker: what the farm's leases ask of it. Must stay true: errands are done one after another, but opening and
 * closing come at once and break off whatever is under way; what is of a session that is over changes nothing; trouble of this host
 * itself (a full disk, a missing linker) looks to the farm like a broken link, since it says nothing of the candidate.
 */
import { createHash, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BoardModule } from '../../boards/index.ts';
import { type Failure, failed, ok, type Result } from '../../compiler/result.ts';
import type { Device } from '../../firmware-rpc/host/device.ts';
import { isOutside, pruneCache, systemFailure } from '../../toolchain/index.ts';
import type { PlainAttempt } from '../../tuner/measure/attempt.ts';
import { isFar } from '../../tuner/measure/far.ts';
import { HealthKernel } from '../../tuner/measure/health.ts';
import { linkErrors } from '../../tuner/measure/link-errors.ts';
import type { DeviceSource } from '../../tuner/measure/pool.ts';
import { Station } from '../../tuner/measure/runner.ts';
import type { MeasureResult } from '../../tuner/types.ts';
import type { AnswerBody, AttemptBody, LeaseBody } from '../schemas/index.ts';

const done: AnswerBody = { is: 'done' };

export class Stand {
  readonly name: string;
  readonly board: BoardModule;
  readonly source: DeviceSource;
  private readonly cacheDir: string;
  private readonly health: HealthKernel;
  private station: Station | undefined;
  /** Under which it is open, or to be. */
  private session: string | undefined;
  private turn: Promise<unknown> = Promise.resolve();

  /** `name`: what the farm is to call it, behind the worker's name. */
  constructor(name: string, board: BoardModule, source: DeviceSource, cacheDir: string) {
    this.name = name;
    this.board = board;
    this.source = source;
    this.cacheDir = cacheDir;
    this.health = new HealthKernel(board, cacheDir);
  }

  /** What became of an errand. Throws errors of ours alone. */
  async perform(lease: LeaseBody): Promise<AnswerBody> {
    const answer = await linkErrors('run', () => this.performing(lease));
    if (answer.ok) return answer.value;
    if (answer.error.code === 'LINK' && this.isOf(lease)) await this.close();
    return answerOf(answer.error);
  }

  /** Its port is free behind it. */
  async close(): Promise<void> {
    this.session = undefined;
    do {
      const { station } = this;
      this.station = undefined;
      await station?.device.close().catch(() => undefined);
      // It may have been on its way to being open.
      await this.turn;
    } while (this.station !== undefined);
  }

  private async performing(lease: LeaseBody): Promise<Result<AnswerBody>> {
    switch (lease.errand) {
      case 'open':
        await this.close();
        this.session = lease.session;
        return this.inTurn(() => this.open(lease));
      case 'close':
        if (this.isOf(lease)) await this.close();
        return ok(done);
      case 'measure':
        return this.inTurn(() => this.measure(lease));
      case 'count':
        return this.inTurn(() => this.count(lease));
      case 'reset':
        return this.inTurn(() => this.reset(lease));
      case 'reflash':
        return this.remedy(this.source.reflash?.bind(this.source));
      case 'power-cycle':
        return this.remedy(this.source.powerCycle?.bind(this.source));
    }
  }
  private isOf({ session }: LeaseBody): boolean {
    return session !== undefined && this.session === session;
  }
  /** What is open under the session of this lease. */
  private stationOf(lease: LeaseBody): Station | undefined {
    return this.isOf(lease) ? this.station : undefined;
  }
  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const next = this.turn.then(work);
    this.turn = next.catch(() => undefined);
    return next;
  }

  private async open(lease: LeaseBody): Promise<Result<AnswerBody>> {
    if (!this.isOf(lease)) return closed;
    // A job begins: what the ones before it left is tidied.
    await pruneCache(this.cacheDir).catch(() => undefined);
    const opened = await this.source.open();
    if (!opened.ok) return opened;
    if (isFar(opened.value)) throw new Error(`${this.name} is at another host`);
    this.stationOn(opened.value);
    const { board, uid, buildId } = opened.value.info;
    return ok({ is: 'open', info: { board, uid, buildId } });
  }
  private stationOn(device: Device): void {
    this.station = new Station(device, this.name, this.board, this.cacheDir, () => performance.now());
  }

  private async measure(lease: LeaseBody): Promise<Result<AnswerBody>> {
    const station = this.stationOf(lease);
    if (station === undefined || lease.attempt === undefined) return closed;
    const plain = plainAttempt(lease.attempt, this.board, this.cacheDir);
    if (!plain.ok) return plain;
    const trial = told(await station.run(plain.value));
    return trial.ok ? ok({ is: 'trial', trial: trial.value }) : trial;
  }
  private async count(lease: LeaseBody): Promise<Result<AnswerBody>> {
    const station = this.stationOf(lease);
    if (station === undefined) return closed;
    const counted = await this.health.run(station.device);
    return counted.ok ? ok({ is: 'count', count: counted.value }) : counted;
  }
  /** What was resident is gone. */
  private async reset(lease: LeaseBody): Promise<Result<AnswerBody>> {
    const station = this.stationOf(lease);
    if (station === undefined) return closed;
    await station.device.reset();
    this.stationOn(station.device);
    return ok(done);
  }
  private async remedy(work: (() => Promise<Result<void>>) | undefined): Promise<Result<AnswerBody>> {
    await this.close();
    const ended = (await work?.()) ?? ok(undefined);
    return ended.ok ? ok(done) : ended;
  }
}

const closed = failed('run', 'LINK', 'the device is not open');

type Failed = Extract<AnswerBody, { readonly is: 'failed' }>;
const stages: readonly string[] = ['compile', 'link', 'load', 'run', 'health'] satisfies readonly Failed['stage'][];
function answerOf({ stage, code, detail }: Failure): Failed {
  const known = stages.includes(stage) ? (stage as Failed['stage']) : 'run';
  return { is: 'failed', stage: known, code, detail: detail.slice(0, 8000) };
}

type Trial = Extract<AnswerBody, { readonly is: 'trial' }>['trial'];
/** A result as it travels; one that says nothing of the candidate is a failure of this host. */
function told(result: MeasureResult): Result<Trial> {
  if (result.status === 'ok') {
    const { status, cycles, repeats, sizes, times, bytes } = result;
    const { functions, ...rest } = sizes;
    const all = { ...rest, ...(functions !== undefined && { functions: { ...functions } }) };
    return ok({ status, cycles, repeats: [...repeats], sizes: all, times, bytes });
  }
  const { status, stage, code, detail, times } = result;
  if (isOutside(code) || code === 'LINK' || (stage !== 'link' && stage !== 'run' && stage !== 'verify'))
    return failed('run', 'LINK', `${code}: ${detail}`);
  return ok({ status, stage, code, detail: detail.slice(0, 8000), times });
}

const bytesIn = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'base64'));

/** An attempt as it travelled, with its object in the cache. Failures: those of writing it, as LINK. */
function plainAttempt(a: AttemptBody, board: BoardModule, cacheDir: string): Result<PlainAttempt> {
  const object = kept(bytesIn(a.object), cacheDir);
  if (!object.ok) return object;
  return ok({
    unit: { ...a.unit, target: board.target, headers: {} },
    object: object.value,
    binary: a.binary,
    functions: a.functions,
    constants: a.constants.map((c) => ({ ...c, bytes: bytesIn(c.bytes) })),
    scratchBytes: a.scratchBytes,
    macs: a.macs,
    vector: {
      inputs: a.inputs.map(({ data, ...input }) => ({ ...input, ...(data !== undefined && { data: bytesIn(data) }) })),
      outputs: a.outputs.map(bytesIn),
    },
  });
}

/** Named by its own bytes: what somebody else calls it never becomes a path. */
function kept(bytes: Uint8Array, cacheDir: string): Result<PlainAttempt['object']> {
  const hash = createHash('sha256').update(bytes).digest('hex').slice(0, 32);
  const path = join(cacheDir, `${hash}.o`);
  try {
    if (!existsSync(path)) {
      // Whoever deletes the cache costs this one write.
      mkdirSync(cacheDir, { recursive: true });
      const temporary = join(cacheDir, `${randomUUID()}.tmp.o`);
      writeFileSync(temporary, bytes);
      renameSync(temporary, path);
    }
    return ok({ path, hash });
  } catch (error) {
    const failure = systemFailure('run', error);
    if (failure?.ok !== false) throw error;
    return failed('run', 'LINK', failure.error.detail);
  }
}

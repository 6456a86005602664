/**
 * The life of a worker: it registers with its farm, does what leases ask of its devices, says that it is there, and leaves in order.
 * Must stay true: a farm or a Redis that goes away and comes back finds it again; behind its end no device is open.
 */
import { ok, type Result } from '../../compiler/result.ts';
import { toolchainVersion } from '../../toolchain/index.ts';
import type { AnswerBody, Offer, WorkerTerms } from '../schemas/index.ts';
import { version } from '../version.ts';
import { type Consumer, consume } from './consume.ts';
import type { FarmLink } from './farm-link.ts';
import type { Stand } from './stand.ts';

export interface WorkerOptions {
  readonly name: string;
  readonly farm: FarmLink;
  readonly stands: readonly Stand[];
  /** Where Redis is for this host; as the farm says, unless given. */
  readonly redis: string | undefined;
  readonly news: (text: string) => void;
  readonly signal: AbortSignal;
}

/** Failures that pass: whoever waits gets in. */
const passing: readonly string[] = [
  'DAEMON_UNREACHABLE',
  'STOPPING',
  'QUEUE_UNREACHABLE',
  'TOO_MANY_REQUESTS',
  'REQUEST_TIMEOUT',
];
const againMs = 1000;
/** How long it may end what it has begun when it leaves, ms. */
const lastMs = 5000;

/** Works until the signal. Failures: those of the farm that do not pass, as WORKER_MISMATCH, UNAUTHORIZED; TOOL_MISSING. */
export async function work(o: WorkerOptions): Promise<Result<void>> {
  const devices = await offersOf(o.stands);
  if (!devices.ok) return devices;
  const worker = new Registered(o, devices.value);
  try {
    return await worker.live();
  } finally {
    await worker.leave();
  }
}

async function offersOf(stands: readonly Stand[]): Promise<Result<Offer[]>> {
  const offers: Offer[] = [];
  for (const { name, board, source } of stands) {
    const toolchain = await toolchainVersion(board.target);
    if (!toolchain.ok) return toolchain;
    const remedies: Offer['remedies'] = [
      ...(source.reflash === undefined ? [] : (['reflash'] as const)),
      ...(source.powerCycle === undefined ? [] : (['power-cycle'] as const)),
    ];
    offers.push({ name, board: board.id, kind: board.kind, toolchain: toolchain.value, remedies });
  }
  return ok(offers);
}

class Registered {
  private readonly o: WorkerOptions;
  private readonly devices: Offer[];
  private terms: WorkerTerms | undefined;
  /** The farm may have used a registration before its answer is here. */
  private registering: Promise<void> | undefined;
  private consumer: { readonly to: string; readonly is: Consumer } | undefined;
  private away = false;

  constructor(o: WorkerOptions, devices: Offer[]) {
    this.o = o;
    this.devices = devices;
  }

  /** Until the signal, or a failure that does not pass. */
  async live(): Promise<Result<void>> {
    while (!this.o.signal.aborted) {
      const at = this.terms === undefined ? await this.register() : await this.heartbeat(this.terms);
      if (!at.ok && !this.passes(at.error)) return at;
      await pause(at.ok ? at.value : againMs, this.o.signal);
    }
    return ok(undefined);
  }

  /** Ends what it is at, if that is soon, and leaves. */
  async leave(): Promise<void> {
    const closed = new AbortController();
    void this.consumer?.is.close().then(() => closed.abort());
    if (this.consumer !== undefined) await pause(lastMs, closed.signal);
    if (this.terms !== undefined) await this.o.farm.leave(this.terms.id);
    await Promise.all(this.o.stands.map((s) => s.close()));
  }

  /** In how many ms to say that it is there. */
  private async register(): Promise<Result<number>> {
    const { farm, name, stands, news } = this.o;
    // What a farm that was restarted knew of them it has forgotten.
    await Promise.all(stands.map((s) => s.close()));
    const asked = farm.register({ name, version, devices: this.devices });
    this.registering = asked.then(() => undefined);
    const terms = await asked;
    if (!terms.ok) return terms;
    this.terms = terms.value;
    const listening = await this.listen(terms.value);
    if (!listening.ok) {
      this.terms = undefined;
      await farm.leave(terms.value.id);
      return listening;
    }
    this.isThere();
    for (const stand of stands) news(`offers ${name}/${stand.name} to ${farm.url}`);
    return ok(terms.value.heartbeatMs);
  }
  private async listen(terms: WorkerTerms): Promise<Result<void>> {
    const { stands, news } = this.o;
    const redis = redisAt(terms.redis, this.o.redis);
    const to = JSON.stringify([redis, terms.prefix, terms.queue]);
    if (this.consumer?.to === to) return ok(undefined);
    await this.consumer?.is.close();
    this.consumer = undefined;
    // A device that is closed under its trial has two at once.
    const is = await consume({ ...terms, redis }, 2 * stands.length, (lease) => this.perform(lease), news);
    if (!is.ok) return is;
    this.consumer = { to, is: is.value };
    return ok(undefined);
  }

  private async heartbeat({ id, heartbeatMs }: WorkerTerms): Promise<Result<number>> {
    const heard = await this.o.farm.heartbeat(id);
    if (heard.ok) this.isThere();
    if (!heard.ok && heard.error.code !== 'WORKER_NOT_FOUND') return heard;
    if (!heard.ok) this.terms = undefined;
    return ok(heard.ok ? heartbeatMs : 0);
  }

  /** What comes too late, or of a lease that nobody knows, is dropped: the farm has given it to another. */
  private async perform(lease: string): Promise<void> {
    const { farm, stands } = this.o;
    await this.registering;
    const id = this.terms?.id;
    if (id === undefined) return;
    const content = await farm.lease(id, lease);
    if (!content.ok) return;
    const stand = stands.find((s) => s.name === content.value.device);
    if (stand === undefined) return;
    const answer = await stand.perform(content.value).catch((error: unknown) => this.oursIs(error));
    await farm.answer(id, lease, answer);
  }

  /** The farm need not wait for its deadline to learn of it. */
  private oursIs(error: unknown): AnswerBody {
    const why = error instanceof Error ? error.message : String(error);
    this.o.news(`an error of ours: ${why}`);
    return { is: 'failed', stage: 'run', code: 'LINK', detail: why.slice(0, 8000) };
  }

  private passes({ code, detail }: { readonly code: string; readonly detail: string }): boolean {
    if (!passing.includes(code)) return false;
    if (!this.away) this.o.news(`${code === 'QUEUE_UNREACHABLE' ? 'Redis' : 'the farm'} is away: ${detail}`);
    this.away = true;
    return true;
  }
  private isThere(): void {
    if (this.away) this.o.news('the farm is back');
    this.away = false;
  }
}

/** Where Redis is for this host; its password is the one that the farm has, unless another is given. */
function redisAt(farms: string, own: string | undefined): string {
  if (own === undefined) return farms;
  const [{ username, password }, here] = [new URL(farms), new URL(own)];
  if (here.password === '') Object.assign(here, { username, password });
  return here.href;
}

/** So many ms, or until the signal. */
function pause(ms: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted === true) return Promise.resolve();
  return new Promise((done) => {
    const timer = setTimeout(end, ms);
    function end(): void {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
      done();
    }
    signal?.addEventListener('abort', end);
  });
}

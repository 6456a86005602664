/**
 * What a job asks of its thread, and what comes back. Must stay true: all of it is plain data, as it is copied on the way; what is
 * large and nobody needs beside the thread (programs, kernels of a network) stays there.
 */
import type { Board, BuiltFirmware } from '../../boards/index.ts';
import type { Memory } from '../../compiler/emit/index.ts';
import type { Result } from '../../compiler/result.ts';
import type { Candidate, Proposed } from '../../tuner/candidates.ts';
import type { Vector } from '../../tuner/measure/bench.ts';
import type { Came, Seen } from '../../tuner/policies/index.ts';
import type { Config } from '../../tuner/types.ts';
import type { BuildOptions, Chosen } from '../build.ts';
import type { Memories } from '../memories.ts';
import type { Prepared } from '../models.ts';
import type { KnownOffer, Toolchain } from '../offers.ts';
import type { Outline } from '../run-network.ts';
import type { Trades } from '../trades.ts';
import type { Course } from '../transfer/learn.ts';

/** What a thread begins with. */
export interface Beginning {
  readonly prepared: Prepared;
  /** As the daemon has it. */
  readonly board: Board;
  readonly toolchain: Toolchain;
}

/** The same, as the thread gets it. */
export interface Begun extends Beginning {
  /** Where compiled sources are kept; threads do not know it by themselves. */
  readonly compiledDir: string | undefined;
}

/** Where a network is built, and under which name. */
export type Folders = Pick<BuildOptions, 'name' | 'outDir' | 'cacheDir'>;

/** What of a build is told. */
export interface Made {
  readonly selected: readonly Chosen[];
  readonly outline: Outline;
  readonly firmware: BuiltFirmware;
  readonly memory: Memory;
  readonly arenaBytes: number;
  readonly flashBytes: number;
}

/** By task: what its search is to go by. */
interface OfTask {
  /** Id of the task. */
  readonly task: string;
}
interface Fastest {
  /** Count of the fastest so far; Infinity before. */
  readonly best: number;
}

/** Questions and their answers. */
export interface Questions {
  candidates(q: OfTask & Fastest & { readonly count: number }): readonly Candidate[];
  propose(q: OfTask & { readonly config: Config }): Proposed;
  vector(q: OfTask & { readonly n: number }): Vector;
  /** What the model says to an input. */
  expected(q: { readonly input: Uint8Array }): Uint8Array;
  /** Bytes by task, see scratch-room.ts. */
  scratch(q: { readonly ramBytes: number }): ReadonlyMap<string, number>;
  /** The network with default schedules. */
  plain(q: Folders): Result<Made>;
  /** The fastest one within budgets, of what was offered. */
  fastest(q: Folders & { readonly budgets: Memories }): Result<Made>;
  /** Learns what to think of candidates beforehand, of searches that begin later; from where that comes, null where there is nothing. */
  learn(q: Course): string | null;
  /** What others than the fastest one would cost. */
  trades(q: Record<never, never>): Trades;
}
/** What is told without an answer. */
export interface Tellings {
  /** A search on a task begins. `random`: the state of its generator. */
  search(t: OfTask & { readonly policy: string; readonly random: number; readonly scratchBytes: number }): void;
  measured(t: OfTask & Fastest & { readonly seen: Seen; readonly came: Came }): void;
  /** Schedules that are known of a task. */
  offers(t: OfTask & { readonly offers: readonly KnownOffer[] }): void;
}

/** The parts of a question or a telling, for each kind of it. */
export type Asked = {
  [K in keyof Questions]: { readonly kind: K; readonly id: number; readonly q: Parameters<Questions[K]>[0] };
}[keyof Questions];
export type Told = {
  [K in keyof Tellings]: { readonly kind: K; readonly t: Parameters<Tellings[K]>[0] };
}[keyof Tellings];

/** What was thrown in the thread, so that it can be thrown on. */
export interface Thrown {
  readonly message: string;
  readonly stack: string;
  /** Of an error of the system. */
  readonly code?: string;
}
export type Reply =
  | { readonly kind: 'answer'; readonly id: number; readonly answer: unknown }
  | { readonly kind: 'thrown'; readonly id: number; readonly error: Thrown }
  /** Why the fastest network is not built. */
  | { readonly kind: 'said'; readonly why: string };

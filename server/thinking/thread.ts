/**
 * The thread of one job, for all that takes a processor seconds and needs neither the database nor a device: candidates, cost models,
 * networks, what the model says to an input. Must stay true: the daemon answers meanwhile; it comes to the same as if it were done
 * here; when the job ends, the thread and all that it held are gone.
 */
import module from 'node:module';
import { dirname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Board, BoardModule } from '../../boards/index.ts';
import { vectors } from '../../tuner/measure/bench.ts';
import type { Mind, Subject } from '../../tuner/mind.ts';
import type { Beginning, Begun, Questions, Reply, Tellings, Thrown } from './questions.ts';

/**
 * MiB of a thread's heap. With a limit far above what it needs it lets garbage grow to a multiple of that; with a small nursery
 * there is less of it.
 */
const limits = { maxOldGenerationSizeMb: 1024, maxYoungGenerationSizeMb: 8 };

/** What of a board is plain data. */
export function dataOf(board: BoardModule): Board {
  const { build: _build, open: _open, counters: _counters, profile: _profile, product: _product, ...data } = board;
  return data;
}

interface Waiting {
  resolve(answer: unknown): void;
  reject(error: Error): void;
}

export class Thread {
  private readonly worker: Worker;
  private readonly waiting = new Map<number, Waiting>();
  private last = 0;
  /** Why nothing is answered any more. */
  private over: Error | undefined;

  /** `said`: hears why the fastest network is not built. */
  constructor(beginning: Beginning, said: (why: string) => void) {
    const compiled = module.getCompileCacheDir();
    // Below that folder it is one for each version of Node.
    const begun: Begun = { ...beginning, compiledDir: compiled && dirname(compiled) };
    this.worker = new Worker(new URL('./entry.ts', import.meta.url), { workerData: begun, resourceLimits: limits });
    // Whoever waits for an answer is kept alive by what the daemon does.
    this.worker.unref();
    this.worker.on('message', (reply: Reply) => this.heard(reply, said));
    this.worker.on('error', (error: Error) => this.lost(error));
    this.worker.on('exit', () => this.lost(new Error('the thread of a job has ended')));
  }

  ask<K extends keyof Questions>(kind: K, q: Parameters<Questions[K]>[0]): Promise<ReturnType<Questions[K]>> {
    if (this.over !== undefined) return Promise.reject(this.over);
    return new Promise((resolve, reject) => {
      const id = ++this.last;
      this.waiting.set(id, { resolve: (answer) => resolve(answer as ReturnType<Questions[K]>), reject });
      this.worker.postMessage({ kind, id, q });
    });
  }
  tell<K extends keyof Tellings>(kind: K, t: Parameters<Tellings[K]>[0]): void {
    this.worker.postMessage({ kind, t });
  }

  /** Minds of a search by this policy, one for each task. */
  minds(policy: string): (subject: Subject) => Mind {
    return ({ task: { id: task }, random, scratchBytes, best }) => {
      this.tell('search', { task, policy, random: random.state, scratchBytes });
      const made = new Map<number, ReturnType<Mind['vector']>>();
      return {
        policy: {
          ask: (count) => this.ask('candidates', { task, count, best: best() }),
          tell: ({ config, features, cycles }, came) =>
            this.tell('measured', {
              task,
              best: best(),
              seen: { config, features, cycles },
              came: came.status === 'ok' ? { status: 'ok', cycles: came.cycles } : { status: 'failed' },
            }),
        },
        propose: (config) => this.ask('propose', { task, config }),
        vector: (number) => {
          const n = number % vectors;
          const vector = made.get(n) ?? this.ask('vector', { task, n });
          made.set(n, vector);
          return vector;
        },
      };
    };
  }

  async close(): Promise<void> {
    await this.worker.terminate();
  }

  private heard(reply: Reply, said: (why: string) => void): void {
    switch (reply.kind) {
      case 'said':
        return said(reply.why);
      case 'answer':
        this.waiting.get(reply.id)?.resolve(reply.answer);
        break;
      case 'thrown':
        this.waiting.get(reply.id)?.reject(errorOf(reply.error));
    }
    this.waiting.delete(reply.id);
  }
  private lost(error: Error): void {
    this.over ??= error;
    for (const { reject } of this.waiting.values()) reject(this.over);
    this.waiting.clear();
  }
}

const errorOf = ({ message, ...rest }: Thrown): Error => Object.assign(new Error(message), rest);

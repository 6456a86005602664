/** Cost models: told what was measured, they rank what was not. To add one: copy the tree model here. */
import { Worker } from 'node:worker_threads';
import { type Forest, predict, type Sample, train } from './trees.ts';

export interface CostModel {
  /** Learns from all samples so far. */
  fit(samples: readonly Sample[]): Promise<void>;
  /** Higher is predicted faster. Equal for all before the first fit. */
  rank(features: Float64Array): number;
}
/** One worker thread serves all models of a tuner. */
export interface Trainer {
  model(): CostModel;
  close(): Promise<void>;
}

export function startTrainer(): Trainer {
  const worker = new Worker(new URL('./worker.ts', import.meta.url));
  const waiting = new Map<number, { resolve(f: Forest): void; reject(e: Error): void }>();
  let next = 0;
  worker.on('message', ({ id, forest }: { id: number; forest: Forest }) => {
    waiting.get(id)?.resolve(forest);
    waiting.delete(id);
    if (waiting.size === 0) worker.unref();
  });
  worker.on('error', (error: Error) => {
    for (const w of waiting.values()) w.reject(error);
    waiting.clear();
  });
  worker.unref();
  const ask = (samples: readonly Sample[]): Promise<Forest> =>
    new Promise((resolve, reject) => {
      const id = next++;
      waiting.set(id, { resolve, reject });
      // An idle worker holds up nobody's end, one that somebody waits for does.
      worker.ref();
      worker.postMessage({ id, samples });
    });
  return { model: () => modelBy(ask), close: async () => void (await worker.terminate()) };
}

/** A model that is trained where it is asked for: for whoever has a thread of their own. */
export const modelHere = (): CostModel => modelBy(async (samples) => train(samples));

function modelBy(trained: (samples: readonly Sample[]) => Promise<Forest>): CostModel {
  let forest: Forest = { trees: [], rate: 0 };
  return {
    fit: async (samples) => {
      forest = await trained(samples);
    },
    rank: (features) => predict(forest, features),
  };
}

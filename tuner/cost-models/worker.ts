/** Trains trees away from the event loop. Message in: {id, samples}; message out: {id, forest}. */
import { parentPort } from 'node:worker_threads';
import { type Sample, train } from './trees.ts';

parentPort?.on('message', ({ id, samples }: { id: number; samples: readonly Sample[] }) => {
  parentPort?.postMessage({ id, forest: train(samples) });
});

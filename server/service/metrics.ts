/**
 * What the daemon does, for Prometheus. Must stay true: labels have few values (no ids, no paths as they were typed), and
 * reading the metrics looks at nothing that grows with the log.
 */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { databaseName } from '../../db/index.ts';
import type { NewRecord, Store } from '../../db/types.ts';
import type { Farm } from '../devices.ts';
import type { Jobs } from '../jobs/queue.ts';

/** Seconds: a request takes milliseconds, a compiler tenths, a slow board minutes. */
const buckets = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 60];

export class Metrics {
  readonly registry = new Registry();
  private readonly trials = new Counter({
    name: 'microtune_trials_total',
    help: 'Trials recorded since the start; stage and code of those that failed.',
    labelNames: ['board', 'status', 'stage', 'code'],
    registers: [this.registry],
  });
  private readonly stages = new Histogram({
    name: 'microtune_trial_stage_seconds',
    help: 'How long each stage of a trial took.',
    labelNames: ['board', 'stage'],
    buckets,
    registers: [this.registry],
  });
  private readonly requests = new Histogram({
    name: 'microtune_http_request_seconds',
    help: 'How long requests took, by route; event streams until they ended.',
    labelNames: ['method', 'route', 'status'],
    buckets,
    registers: [this.registry],
  });

  /** The same store; trials that are recorded through it are counted. */
  counting(store: Store): Store {
    return {
      ...store,
      addRecord: (record) => {
        const added = store.addRecord(record);
        this.count(record);
        return added;
      },
    };
  }

  private count({ board, status, stage, code, times }: NewRecord): void {
    this.trials.inc({ board, status, stage: stage ?? '', code: code ?? '' });
    for (const [name, ms] of Object.entries(times)) this.stages.observe({ board, stage: name }, ms / 1000);
  }

  /** Times every request of an app, by the route that answered. */
  timing(app: FastifyInstance): void {
    app.addHook('onResponse', async ({ method, routeOptions }, reply) => {
      const route = routeOptions.url ?? 'none';
      this.requests.observe({ method, route, status: reply.statusCode }, reply.elapsedTime / 1000);
    });
  }

  /** What is looked at when the metrics are read. */
  watch(o: { readonly store: Store; readonly jobs: Jobs; readonly farm: Farm; readonly dataDir: string }): void {
    this.gauge('microtune_jobs', 'Jobs by state.', 'state', () => o.store.jobStates());
    this.gauge('microtune_devices', 'Devices by state.', 'state', () => counted(o.farm.states().map((d) => d.state)));
    this.gauge('microtune_queue_length', 'Jobs that wait for their turn.', 'queue', () => ({ jobs: o.jobs.queued }));
    this.gauge('microtune_database_bytes', 'Size of the database and of its log.', 'file', () => ({
      database: sizeOf(join(o.dataDir, databaseName)),
      log: sizeOf(join(o.dataDir, `${databaseName}-wal`)),
    }));
  }

  private gauge(name: string, help: string, label: string, read: () => Readonly<Record<string, number>>): void {
    new Gauge({
      name,
      help,
      labelNames: [label],
      registers: [this.registry],
      collect() {
        this.reset();
        for (const [key, value] of Object.entries(read())) this.set({ [label]: key }, value);
      },
    });
  }
}

function counted(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}
const sizeOf = (file: string): number => statSync(file, { throwIfNoEntry: false })?.size ?? 0;

/**
 * Tasks of the log and the networks in which they occur. Must stay true: a model's layers are those that it is compiled with by the
 * program that wrote them last.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Database } from 'better-sqlite3';
import { cursorAfter, pageOf, placeOf } from './cursor.ts';
import { parsed } from './json.ts';
import type { BestRow, Fastest, Layer, TaskFilter, TaskRow } from './log-types.ts';
import { Stats } from './stats.ts';
import type { Page } from './types.ts';

/** A task before its trials are counted. */
interface TaskColumns extends Pick<TaskRow, 'id' | 'op' | 'shape' | 'macs'> {
  /** JSON. */
  readonly networks: string;
}

export class Tasks {
  private readonly db: Database;
  private readonly farm: string;
  private readonly stats: Stats;

  constructor(db: Database, farm: string) {
    this.db = db;
    this.farm = farm;
    this.stats = new Stats(db);
  }

  /** Whether these are a model's layers already: asking writes nothing. */
  knowsLayers(model: string, layers: readonly Layer[]): boolean {
    const known = this.db
      .prepare<[string], Omit<Layer, 'workload'>>(
        'SELECT position, name, task, macs FROM layers WHERE model = ? ORDER BY position',
      )
      .all(model);
    const wanted = layers.map(({ position, name, task, macs }) => ({ position, name, task, macs }));
    return isDeepStrictEqual(
      known,
      wanted.toSorted((a, b) => a.position - b.position),
    );
  }

  putLayers(model: string, layers: readonly Layer[]): void {
    const task = this.db.prepare('INSERT INTO tasks (id, workload) VALUES (@task, @workload) ON CONFLICT DO NOTHING');
    const layer = this.db.prepare('INSERT INTO layers VALUES (@model, @position, @name, @task, @macs)');
    this.db.prepare('DELETE FROM layers WHERE model = ?').run(model);
    for (const row of layers) {
      task.run({ task: row.task, workload: row.workload });
      layer.run({ model, position: row.position, name: row.name, task: row.task, macs: row.macs });
    }
  }

  layerNames(task: string, model: string): readonly string[] {
    return this.db
      .prepare<[string, string], string>('SELECT name FROM layers WHERE task = ? AND model = ? ORDER BY position')
      .pluck()
      .all(task, model);
  }

  page(filter: TaskFilter, limit: number, cursor: string | undefined): Page<TaskRow> {
    const list = ['tasks', filter.network, filter.op, filter.board, filter.kind];
    const after = cursor === undefined ? '' : placeOf(cursor, this.farm, list);
    const where = [
      'k.id > @after',
      ...(filter.op === undefined ? [] : ['k.op = @op']),
      ...(filter.network === undefined ? [] : ['k.id IN (SELECT task FROM layers WHERE model = @network)']),
    ];
    const rows = this.rows(where, { ...filter, after, limit: limit + 1 });
    const { items, next } = pageOf(rows, limit, ({ id }) => cursorAfter(id, this.farm, list));
    return { items: this.counted(items, filter).map(({ bests: _, ...task }) => task), next };
  }

  task(id: string): CountedTask | undefined {
    return this.counted(this.rows(['k.id = @id'], { id, limit: 1 }), {})[0];
  }

  private rows(
    where: readonly string[],
    of: TaskFilter & { readonly limit: number; readonly after?: string; readonly id?: string },
  ): readonly TaskColumns[] {
    return this.db
      .prepare<object, TaskColumns>(
        `SELECT k.id, k.op, k.shape,
           (SELECT max(macs) FROM layers WHERE task = k.id) AS macs,
           (SELECT json_group_array(json_object('id', id, 'name', name)) FROM (
             SELECT DISTINCT m.id, m.name FROM layers l JOIN models m ON m.id = l.model WHERE l.task = k.id ORDER BY m.id
           )) AS networks
         FROM tasks k WHERE ${where.join(' AND ')} ORDER BY k.id LIMIT @limit`,
      )
      .all(of);
  }

  /** Tasks with the counts of their trials on the boards and in the kinds that are asked for. */
  private counted(rows: readonly TaskColumns[], { board, kind }: TaskFilter): readonly CountedTask[] {
    const filter = { ...(board !== undefined && { board }), ...(kind !== undefined && { kind }) };
    const ids = rows.map(({ id }) => id);
    const byTask = Map.groupBy(this.stats.best(filter, ids), ({ task }) => task);
    return rows.map((row) => {
      const places = byTask.get(row.id) ?? [];
      const bests = places.flatMap(fastestOf);
      const total = (what: 'trials' | 'failed'): number => places.reduce((n, place) => n + place[what], 0);
      return {
        ...row,
        records: total('trials'),
        failed: total('failed'),
        best: (bests.length === 1 ? bests[0] : undefined) ?? null,
        networks: parsed<TaskRow['networks']>(row.networks),
        bests,
      };
    });
  }
}

type CountedTask = TaskRow & { readonly bests: readonly Fastest[] };

const fastestOf = ({ record, best: cycles, board, kind }: BestRow): readonly Fastest[] =>
  record === null || cycles === null ? [] : [{ record, cycles, kind, board }];

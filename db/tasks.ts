/**
 * Tasks of the log and the networks in which they occur. Must stay true: a model's layers are those that it is compiled with by the
 * program that wrote them last.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Database } from 'better-sqlite3';
import { cursorAfter, placeOf } from './cursor.ts';
import type { Fastest, Layer, TaskFilter, TaskRow } from './log-types.ts';
import type { Page } from './types.ts';

interface TaskColumns extends Omit<TaskRow, 'best' | 'networks'> {
  /** JSON. */
  readonly networks: string;
}

export class Tasks {
  private readonly db: Database;
  private readonly farm: string;

  constructor(db: Database, farm: string) {
    this.db = db;
    this.farm = farm;
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
    const last = rows[limit - 1];
    const next = rows.length > limit && last !== undefined ? cursorAfter(last.id, this.farm, list) : null;
    return { items: rows.slice(0, limit).map((row) => this.taskOf(row, filter)), next };
  }

  task(id: string): (TaskRow & { readonly bests: readonly Fastest[] }) | undefined {
    const [row] = this.rows(['k.id = @id'], { id, limit: 1 });
    return row && { ...this.taskOf(row, {}), bests: this.bests(row.id, {}) };
  }

  private rows(
    where: readonly string[],
    of: TaskFilter & { readonly limit: number; readonly after?: string; readonly id?: string },
  ): readonly TaskColumns[] {
    const counted = ['y.task = k.id AND y.stands AND NOT y.reused', ...placeConditions(of)].join(' AND ');
    return this.db
      .prepare<object, TaskColumns>(
        `SELECT k.id, k.op, k.shape,
           (SELECT max(macs) FROM layers WHERE task = k.id) AS macs,
           (SELECT ifnull(sum(trials), 0) FROM tallies y WHERE ${counted}) AS records,
           (SELECT ifnull(sum(trials), 0) FROM tallies y WHERE ${counted} AND y.status = 'failed') AS failed,
           (SELECT json_group_array(json_object('id', id, 'name', name)) FROM (
             SELECT DISTINCT m.id, m.name FROM layers l JOIN models m ON m.id = l.model WHERE l.task = k.id ORDER BY m.id
           )) AS networks
         FROM tasks k WHERE ${where.join(' AND ')} ORDER BY k.id LIMIT @limit`,
      )
      .all(of);
  }

  private taskOf(row: TaskColumns, filter: TaskFilter): TaskRow {
    const bests = this.bests(row.id, filter);
    const [only = null] = bests.length === 1 ? bests : [];
    return { ...row, best: only, networks: JSON.parse(row.networks) as TaskRow['networks'] };
  }

  /** Of each board and kind. */
  private bests(task: string, of: TaskFilter): readonly Fastest[] {
    const where = ['y.task = @task AND y.stands AND y.best IS NOT NULL', ...placeConditions(of)].join(' AND ');
    return this.db
      .prepare<object, Fastest>(
        `SELECT t.id AS record, g.best AS cycles, g.kind, g.board FROM (
           SELECT board, kind, best, min(best_seq) AS seq FROM tallies y
           WHERE ${where} AND best = (SELECT min(best) FROM tallies y2
             WHERE y2.task = y.task AND y2.board = y.board AND y2.kind = y.kind AND y2.stands)
           GROUP BY board, kind
         ) g JOIN trials t ON t.seq = g.seq ORDER BY g.board, g.kind`,
      )
      .all({ ...of, task });
  }
}

const placeConditions = (of: TaskFilter): readonly string[] => [
  ...(of.board === undefined ? [] : ['y.board = @board']),
  ...(of.kind === undefined ? [] : ['y.kind = @kind']),
];

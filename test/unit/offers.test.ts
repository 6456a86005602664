/** Offers of a long log: read in pieces between which others have their turn, they are what they are when read at once. */
import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { boardOf } from '../../boards/index.ts';
import { type Task, tasksOf } from '../../compiler/tasks.ts';
import type { NewRecord } from '../../db/index.ts';
import { defaultSchedule } from '../../kernels/index.ts';
import { offersFor, offersInTurns, type Toolchain } from '../../server/offers.ts';
import { opened } from './db-helpers.ts';
import { randomRecord } from './db-records.ts';
import { randomNode } from './graphs.ts';
import { Random } from './random.ts';

const board = boardOf('host')!;
const task: Task = tasksOf(randomNode('conv2d', new Random(5)), { rounding: 'double' })[0]!;
const toolchain: Toolchain = { version: 'gcc 14', flags: '-O2' };

/** As a log might have it: binaries that come again, other compilers, failures, doubts. */
function longLog(many: number, r: Random) {
  const store = opened('memory');
  for (let i = 0; i < many; i++) {
    const like: NewRecord = {
      ...randomRecord(r),
      task: task.id,
      workload: task.key,
      board: board.id,
      kind: board.kind,
    };
    const from = r.int(0, 9) === 0 ? { toolchain: 'gcc 12', flags: '-O2' } : { toolchain: 'gcc 14', flags: '-O2' };
    const binary = r.int(0, 9) === 0 ? 'one of many' : `${i}`;
    const { id } = store.addRecord({ ...like, ...from, binary, reusedFrom: null });
    if (r.int(0, 19) === 0) store.doubt(id, 'its device was not well');
  }
  return store;
}

test.each([
  ['none', 0],
  ['few', 20],
  ['many', 700],
])('of a log with %s they are the same', async (_, many) => {
  const store = longLog(many, new Random(many));
  const known = offersFor([task], board, store, toolchain).get(task.id);
  expect(known?.at(-1)?.offer.schedule).toEqual(defaultSchedule(task.workload, board.target.features));
  expect(known?.length ?? 0).toBeGreaterThan(many / 3);
  expect(await offersInTurns(task, board, store, toolchain)).toEqual(known);
  store.close();
});

test('others have their turn, and the database, after some records', async () => {
  const store = longLog(700, new Random(1));
  let [done, turns, most] = [false, 0, 0];
  const counting = {
    *bestInPieces(...asked: Parameters<typeof store.bestInPieces>) {
      for (const piece of store.bestInPieces(...asked)) {
        most = Math.max(most, piece.length);
        yield piece;
      }
    },
  };
  const reading = offersInTurns(task, board, counting, toolchain).finally(() => {
    done = true;
  });
  for (; !done; await turn()) {
    // Refused while a statement is under way.
    store.putModel({ id: 'm', name: `${turns}`, bytes: new Uint8Array(1) });
    turns++;
  }
  await reading;
  expect(most).toBeLessThanOrEqual(128);
  expect(turns).toBeGreaterThan(3);
  store.close();
});

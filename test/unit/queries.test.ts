/** Who runs a query: nobody waits for a process to start that could have been started before. */
import { expect, test } from 'vitest';
import { ok } from '../../compiler/result.ts';
import { Queries, type Runner } from '../../server/query/queries.ts';

/** A process as a test has it: it starts when told, and is what it is told to be. */
class Fake implements Runner {
  isOver = false;
  isOpen = false;
  isTired = false;
  asked = 0;

  async ask() {
    this.asked++;
    this.isOpen = true;
    return ok({ columns: [], rows: Buffer.from('[]'), truncated: false, ms: 0 });
  }
  end(): void {
    this.isOver = true;
  }
}

function queriesOf(processes = 1) {
  const started: Fake[] = [];
  const queries = new Queries('file', { processes }, () => {
    started.push(new Fake());
    return started.at(-1)!;
  });
  return { queries, started, ask: () => queries.run({ sql: 'SELECT 1' }) };
}
const asked = (started: readonly Fake[]): readonly number[] => started.map((p) => p.asked);

test('one that has done enough answers until its successor has started, and then ends', async () => {
  const { started, ask } = queriesOf();
  expect(started).toEqual([]);
  await ask();
  started[0]!.isTired = true;
  await ask();
  expect(asked(started), 'the successor is being started').toEqual([2, 0]);
  await ask();
  expect(asked(started), 'it has not started yet, and there is one of it').toEqual([3, 0]);
  expect(started[0]!.isOver).toBe(false);
  started[1]!.isOpen = true;
  await ask();
  expect(asked(started)).toEqual([3, 1]);
  expect(started.map((p) => p.isOver)).toEqual([true, false]);
  await ask();
  expect(asked(started)).toEqual([3, 2]);
});

test('one that ended has a successor before the next query; one that could not start has none until then', async () => {
  const { started, ask } = queriesOf();
  const last = ask();
  started[0]!.isOver = true;
  await last;
  expect(asked(started)).toEqual([1, 0]);
  started[1]!.isOver = true;
  expect(started).toHaveLength(2);
  await ask();
  expect(asked(started)).toEqual([1, 0, 1]);
});

test('after the end nothing is started, and nothing is left', async () => {
  const { queries, started, ask } = queriesOf(2);
  await Promise.all([ask(), ask()]);
  const last = ask();
  queries.close();
  await last;
  expect(started.every((p) => p.isOver)).toBe(true);
  expect(await ask()).toMatchObject({ ok: false, error: { code: 'QUERY_BUSY' } });
  expect(started).toHaveLength(2);
});

/** `query` and `trial` of the command line: beside a daemon, and `query` also where none runs. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { boardOf } from '../../boards/index.ts';
import { openStore, type Store } from '../../db/index.ts';
import { defaultSchedule } from '../../kernels/index.ts';
import { prepare } from '../../server/models.ts';
import { builtInQueries } from '../../server/query/saved.ts';
import { expectOk } from '../wire/host-board.ts';
import { recordWith, startBench } from './bench.ts';
import { cli } from './cli.ts';
import { smallModel } from './model.ts';

function folder(): string {
  const dir = mkdtempSync(join(tmpdir(), 'microtune-cli-log-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}
function filledStore(): Store {
  const store = expectOk(openStore({ dir: folder() }, { mode: 'write' }));
  onTestFinished(() => store.close());
  for (let i = 0; i < 3; i++) store.addRecord(recordWith({ cycles: 1000 + i, policy: '=cmd()' }));
  return store;
}

test('query without a daemon: a table, JSON, CSV that no spreadsheet computes, saved ones', async () => {
  const store = filledStore();
  const data = ['--data', dirname(store.file)];
  const sql = 'SELECT policy, count(*) AS n, max(cycles) AS most FROM trials GROUP BY policy';
  const table = await cli('query', sql, ...data);
  expect(table).toEqual({ code: 0, out: 'policy  n  most\n=cmd()  3  1002\n', err: '' });
  const json = JSON.parse((await cli('query', sql, '--json', ...data)).out) as { rows: unknown };
  expect(json.rows).toEqual([['=cmd()', 3, 1002]]);
  expect((await cli('query', sql, '--csv', ...data)).out).toBe("policy,n,most\r\n'=cmd(),3,1002\n");
  store.queries.put({ name: 'mine', title: 'Mine', sql: 'SELECT 1 AS one' });
  const listed = await cli('query', ...data);
  expect(listed.out).toContain('mine');
  expect(listed.out.split('\n').length).toBe(builtInQueries.length + 3);
  expect((await cli('query', '--saved', 'mine', ...data)).out).toBe('one\n  1\n');
  expect((await cli('query', '--views')).out).toContain('trials: every trial');
});

test('what goes wrong has its code: a wrong statement, a query that is not saved, nothing there', async () => {
  const data = ['--data', dirname(filledStore().file)];
  const wrong = await cli('query', 'DROP TABLE trials', ...data);
  expect([wrong.code, wrong.err]).toEqual([2, expect.stringMatching(/^error QUERY_REFUSED: /)]);
  const unknown = await cli('query', '--saved', 'nothing', ...data);
  expect([unknown.code, unknown.err]).toEqual([2, expect.stringMatching(/^error QUERY_NOT_FOUND: /)]);
  const nothing = await cli('query', 'SELECT 1', '--data', folder());
  expect([nothing.code, nothing.err]).toEqual([4, expect.stringMatching(/^error DB_MISSING: /)]);
  const alone = await cli('trial', 't-1', '--data', folder());
  expect([alone.code, alone.err]).toEqual([4, expect.stringMatching(/^error DAEMON_UNREACHABLE: /)]);
});

test('query and trial of a daemon: what it has, the C, the machine code', async () => {
  const bench = await startBench(filledStore());
  await bench.upload(smallModel(1), '?name=small.tflite');
  const url = ['--url', await bench.app.listen({ host: '127.0.0.1', port: 0 })];
  expect((await cli('query', 'SELECT count(*) AS n FROM trials', ...url)).out).toBe('n\n3\n');
  const board = boardOf('mps2-an386')!;
  const task = expectOk(prepare(smallModel(1), 'small.tflite')).tasks[0]!;
  const schedule = defaultSchedule(task.workload, board.target.features);
  const config = { template: 'default', version: 1, schedule } as const;
  const { id } = bench.store.addRecord(
    recordWith({ task: task.id, workload: task.key, config, schedule, binary: null }),
  );
  const whole = (await cli('trial', id, ...url)).out;
  for (const part of [id, '1,000 instructions', 'conv2d', 'small.tflite', 'arm-none-eabi-gcc', 'default: '])
    expect(whole).toContain(part);
  expect((await cli('trial', id, '--c', ...url)).out).toContain('mt_candidate');
  expect((await cli('trial', id, '--asm', ...url)).out).toMatch(/^address +instruction\n/);
  const unknown = await cli('trial', 't-1', ...url);
  expect([unknown.code, unknown.err]).toEqual([2, expect.stringMatching(/^error TRIAL_NOT_FOUND: /)]);
});

/** The journal of a job: a record that is withdrawn counts no more, and another one is the best of its task. */
import pino from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { boards } from '../../boards/index.ts';
import { defaultSchedule } from '../../kernels/index.ts';
import { Farm } from '../../server/devices.ts';
import { Feed } from '../../server/feed.ts';
import { Journal } from '../../server/journal.ts';
import { prepare } from '../../server/models.ts';
import { Run } from '../../server/progress.ts';
import { counted } from '../unit/pool-devices.ts';
import { openBenchStore, recordWith } from './bench.ts';
import { smallModel } from './model.ts';

test('what does not stand is not known to the next run, not counted, and its schedule is not shown as the best', () => {
  const store = openBenchStore();
  onTestFinished(() => store.close());
  const board = boards.find((b) => b.id === 'mps2-an386');
  const model = prepare(smallModel(1), 'small');
  const [task] = model.ok ? model.value.tasks : [];
  if (board === undefined || task === undefined) throw new Error('the bench is broken');
  const { id: file } = store.putModel({ id: 'm', name: 'small', bytes: new Uint8Array(1) });
  const job = { model: file, board: board.id, kind: board.kind, policy: 'random', seed: 0, trials: 9, timeMs: null };
  const run = new Run(store.addJob(job), new Feed(store));
  const farm = new Farm({ boards, attached: [], emulate: {}, cores: 1, cacheDir: '', log: () => undefined });
  const toolchain = { version: 'gcc', flags: '' };
  const log = pino({ level: 'silent' });
  const journal = new Journal({ store, records: store, farm, board, run, toolchain, log });
  const schedule = defaultSchedule(task.workload, []);
  const trial = (cycles: number, template: 'default' | 'literal', reusedFrom: string | null = null) =>
    journal.record({
      task,
      policy: 'random',
      config: { template, version: 1, schedule },
      schedule,
      features: new Float64Array(),
      result: counted(cycles),
      reusedFrom,
    });
  const shown = (): string | null | undefined => {
    const none = { task, trials: 0, failed: 0, default: null, best: null, exhausted: false };
    journal.progress([none], 0, 0);
    return run.progress()?.tasks[0]?.schedule;
  };
  // By another compiler: nothing to this job.
  const config = { template: 'literal', version: 1, schedule } as const;
  const of = { task: task.id, workload: task.key, board: board.id, kind: board.kind, toolchain: 'another', config };
  const foreign = store.addRecord(recordWith({ ...of, job: null, cycles: 50, binary: 'foreign' })).id;
  const slow = trial(300, 'default');
  expect(shown()).toMatch(/^default/);
  expect(run.progress()?.kind).toBe(board.kind);
  const fast = trial(100, 'literal');
  trial(100, 'literal', fast);
  expect(shown()).toMatch(/^literal/);
  expect(store.counts(run.job.id)).toEqual({ done: 2, failed: 0 });

  journal.doubt(fast, 'its device was not well');
  expect(shown()).toMatch(/^default/);
  expect(journal.known(task).map((k) => k.id)).toEqual([slow]);
  expect(store.best(task.id, board.id, board.kind, 9).map((r) => r.id)).toEqual([foreign, slow]);
  expect(store.counts(run.job.id)).toEqual({ done: 1, failed: 0 });
  expect(store.record(fast)?.doubt).toBe('its device was not well');
});

test('a job that goes on knows how long it had not become better', () => {
  const store = openBenchStore();
  onTestFinished(() => store.close());
  const board = boards.find((b) => b.id === 'mps2-an386');
  if (board === undefined) throw new Error('the bench is broken');
  const { id: file } = store.putModel({ id: 'm', name: 'small', bytes: new Uint8Array(1) });
  const plan = { model: file, board: board.id, kind: board.kind, policy: 'random', seed: 0, trials: 9, timeMs: null };
  const journalOf = (until: { percent: number; trials: number } | null) => {
    const run = new Run(store.addJob({ ...plan, until }), new Feed(store));
    const farm = new Farm({ boards, attached: [], emulate: {}, cores: 1, cacheDir: '', log: () => undefined });
    const [toolchain, log] = [{ version: 'gcc', flags: '' }, pino({ level: 'silent' })];
    return { id: run.job.id, journal: new Journal({ store, records: store, farm, board, run, toolchain, log }) };
  };
  expect(journalOf(null).journal.until()).toBeUndefined();
  const { id, journal } = journalOf({ percent: 10, trials: 50 });
  expect(journal.until()).toEqual({ percent: 10, trials: 50, since: 0 });
  const failure = { status: 'failed', cycles: null, stage: 'run', code: 'FAULT', detail: 'pc 0' } as const;
  const trial = (task: string, cycles: number | null): void => {
    store.addRecord(recordWith({ job: id, task, workload: task, ...(cycles === null ? failure : { cycles }) }));
  };
  // Two gains, one of each task; then 95 is no tenth better than 100, but 89 is.
  for (const [task, cycles] of [
    ['a', 100],
    ['b', 100],
    ['a', 95],
    ['b', null],
  ] as const)
    trial(task, cycles);
  expect(journal.until()?.since).toBe(2);
  trial('a', 89);
  expect(journal.until()?.since).toBe(0);
  store.addRecord(recordWith({ job: null, task: 'a', workload: 'a', cycles: 1 }));
  trial('a', 89);
  expect(journal.until()?.since).toBe(1);
});

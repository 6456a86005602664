/** What the command line does to jobs of a daemon that runs: what HTTP can, it can, and the commands that it shows work. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { commandHint } from '../../server/cli/daemon.ts';
import { defaultData } from '../../server/cli/options.ts';
import type { JobBody } from '../../server/schemas/index.ts';
import { startBench } from './bench.ts';
import { cli } from './cli.ts';
import { smallModel } from './model.ts';

test('a job is paused, taken up again, put before others, cloned and cancelled', async () => {
  const bench = await startBench();
  const where = ['--url', await bench.app.listen({ host: '127.0.0.1', port: 0 })];
  const { id } = await bench.submit();
  const states: [string, string][] = [];
  for (const what of [['--pause'], ['--resume'], ['--priority', 'high'], ['--cancel']]) {
    const said = await cli('jobs', id, ...what, '--json', ...where);
    const { state, priority } = JSON.parse(said.out) as JobBody;
    states.push([state, priority]);
  }
  expect(states).toEqual([
    ['paused', 'normal'],
    // It waits until the run that was paused has let go.
    [expect.stringMatching(/^(queued|running)$/), 'normal'],
    [expect.stringMatching(/^(queued|running)$/), 'high'],
    ['cancelled', 'high'],
  ]);
  const copy = await cli('jobs', 'clone', id, '--priority', 'low', '--seed', '7', '--json', ...where);
  expect(JSON.parse(copy.out)).toMatchObject({ clonedFrom: id, priority: 'low', seed: 7 });
  expect((await cli('jobs', id, ...where)).out).toMatch(/^job \S+: cancelled, .* on mps2-an386, high priority, /);
  const late = await cli('jobs', id, '--priority', 'low', ...where);
  expect([late.code, late.err]).toEqual([2, expect.stringMatching(/^error JOB_STATE: the job is cancelled/)]);
});

test('what makes no sense is refused before anybody is asked', async () => {
  const usage = async (...args: readonly string[]): Promise<unknown> => {
    const { code, err } = await cli('jobs', ...args, '--url', 'http://127.0.0.1:1');
    return [code, err];
  };
  const refused = (what: RegExp) => [2, expect.stringMatching(what)];
  expect(await usage('--pause')).toEqual(refused(/^error USAGE: .*need the id of a job/));
  expect(await usage('j-1', '--pause', '--cancel')).toEqual(refused(/^error USAGE: one of --pause, /));
  expect(await usage('j-1', '--priority', 'urgent')).toEqual(refused(/^error USAGE: .*One of low, normal, high/));
});

test('the command that is shown for a job that goes on asks the same daemon, wherever it is pasted', async () => {
  expect(commandHint({ data: defaultData() }, 'jobs', 'j-1')).toBe('microtune jobs j-1');
  expect(commandHint({ data: "/a farm's/data" }, 'jobs')).toBe(`microtune jobs --data '/a farm'\\''s/data'`);
  expect(commandHint({ data: 'here', tokenFile: 'token' }, 'jobs')).toBe(
    `microtune jobs --data ${join(process.cwd(), 'here')} --token-file ${join(process.cwd(), 'token')}`,
  );
  const bench = await startBench();
  const url = await bench.app.listen({ host: '127.0.0.1', port: 0 });
  const dir = mkdtempSync(join(tmpdir(), 'microtune-cli-jobs-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const model = join(dir, 'small.tflite');
  writeFileSync(model, smallModel(1));
  const said = await cli('tune', model, '--board', 'mps2-an386', '--board', 'pico', '--url', url, '--data', dir);
  const shown = /^see: microtune (.*)$/m.exec(said.out)?.[1] ?? said.err;
  const listed = await cli(...shown.split(' '), '--json');
  expect((JSON.parse(listed.out) as JobBody[]).map((j) => j.board).toSorted()).toEqual(['mps2-an386', 'pico']);
});

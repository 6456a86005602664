/**
 * A system that starts no process and no thread any more: whoever needs one says so with a code of its own, and takes it for no
 * property of the machine.
 */
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { getuid } from 'node:process';
import { expect, test } from 'vitest';

/** Root is not counted: somebody else, who may read what root may. */
const anybody =
  getuid?.() === 0
    ? ['setpriv', '--reuid=65533', '--inh-caps=-all,+dac_override', '--ambient-caps=-all,+dac_override']
    : [];
const at = (path: string): string => JSON.stringify(resolve(import.meta.dirname, '../..', path));

/** What a module tells by `tell()`; after its `full()` the system starts nothing more for it. */
function told(body: string): unknown {
  const source = `
    import { spawnSync } from 'node:child_process';
    const full = () => spawnSync('prlimit', ['--pid', String(process.pid), '--nproc=1:']);
    const tell = (what) => console.log(JSON.stringify(what));
    ${body}`;
  const [program = '', ...args] = [...anybody, process.execPath, '--input-type=module', '-e', source];
  const { stdout, stderr, status } = spawnSync(program, args, { encoding: 'utf8', timeout: 60_000 });
  expect([status, stderr]).toEqual([0, '']);
  return JSON.parse(stdout);
}

test('a thread that cannot be started is a failure of the machine', () => {
  const failure = told(`
    import { Worker } from 'node:worker_threads';
    import { systemFailure } from ${at('toolchain/index.ts')};
    full();
    try { new Worker('', { eval: true }); } catch (error) { tell(systemFailure('job', error)); }`);
  expect(failure).toMatchObject({ ok: false, error: { stage: 'job', code: 'TOO_MANY_PROCESSES' } });
});

test('whether compilers can be confined is not decided while nothing can be started', () => {
  const error = told(`
    import { wayApart } from ${at('toolchain/confine.ts')};
    full();
    try { tell(wayApart()); } catch (error) { tell(error.code); }`);
  expect(error).toBe('EAGAIN');
});

test.each([
  ['can be started', 'full();'],
  ['comes up', 'process.execPath = "/bin/false";'],
])('a compiler for which no process that starts compilers %s is no compiler that failed', (_, trouble) => {
  const failure = told(`
    import { confine } from ${at('toolchain/confine.ts')};
    import { compileFailure } from ${at('toolchain/endings.ts')};
    import { run } from ${at('toolchain/process.ts')};
    await confine().release();
    ${trouble}
    tell(compileFailure('kernel_7', await run(['true'])));`);
  expect(failure).toMatchObject({ ok: false, error: { stage: 'compile', code: 'TOO_MANY_PROCESSES' } });
});

test('a query for which no process can be started is answered so', () => {
  const answer = told(`
    import { QueryProcess } from ${at('server/query/query-process.ts')};
    full();
    tell(await new QueryProcess('/dev/null', 1000).ask({ sql: 'select 1', params: [], rows: 1, bytes: 100, ms: 1000 }, 1000));`);
  expect(answer).toMatchObject({ ok: false, error: { stage: 'query', code: 'TOO_MANY_PROCESSES' } });
});

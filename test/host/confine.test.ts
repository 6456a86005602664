/** What a compiler gets of the machine and of its user: nothing that could change its output, and no way out. */
import { existsSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { getPriority } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, onTestFinished, test } from 'vitest';
import { host } from '../../boards/host/index.ts';
import { wayApart } from '../../toolchain/confine.ts';
import { compileUnit, run } from '../../toolchain/index.ts';
import { workFolder } from '../wire/host-board.ts';

const folder = workFolder();
afterAll(() => folder.remove());

function variable(name: string, value: string): void {
  const before = process.env[name];
  process.env[name] = value;
  onTestFinished(() => {
    if (before === undefined) delete process.env[name];
    else process.env[name] = before;
  });
}

test('its environment holds nothing of the user, its folder for temporary files is its own and goes with it', async () => {
  for (const name of ['GCC_EXEC_PREFIX', 'CPATH', 'SECRET_TOKEN', 'LC_MESSAGES', 'LANG'])
    variable(name, 'from the user');
  const said = (await run(['env'])).stdout.trim().split('\n');
  const names = said.map((line) => line.split('=')[0]);
  // A shell in between sets PWD, and may set the other two.
  expect(names.filter((n) => !['PWD', 'SHLVL', '_'].includes(n ?? '')).toSorted()).toEqual([
    'LANG',
    'LC_ALL',
    'PATH',
    'TMPDIR',
  ]);
  expect(said).toContain('LANG=C');
  const [first, second] = [
    await run(['sh', '-c', 'touch "$TMPDIR/x"; echo "$TMPDIR"']),
    await run(['sh', '-c', 'ls -A "$TMPDIR"; echo "$TMPDIR"']),
  ];
  const [one, other] = [first.stdout.trim(), second.stdout.trim()];
  expect([first.code, second.code, one === other]).toEqual([0, 0, false]);
  expect([existsSync(one), existsSync(other)]).toEqual([false, false]);
});

test('headers of the user are not found, so that the same source is the same object anywhere', async () => {
  writeFileSync(join(folder.dir, 'intruder.h'), '#define X 1\n');
  const unit = { target: host.target, name: 'k', source: '#include <intruder.h>\nint x = X;', flags: [], headers: {} };
  variable('CPATH', folder.dir);
  variable('C_INCLUDE_PATH', folder.dir);
  const built = await compileUnit(unit, folder.dir);
  expect(built.ok ? 'built' : built.error.code).toBe('COMPILE_FAILED');
});

test('it runs behind everybody else', async () => {
  const { stdout } = await run(['nice']);
  expect(Number(stdout)).toBe(Math.min(19, getPriority() + 5));
});

test.skipIf(wayApart().prefix.length === 0)(
  'it reaches no network, not even this machine (skipped where the kernel forbids namespaces)',
  async () => {
    const calls: string[] = [];
    const server = createServer((socket) => {
      calls.push('called');
      socket.destroy();
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    onTestFinished(() => void server.close());
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const script = join(folder.dir, 'call.mjs');
    writeFileSync(
      script,
      `import { connect } from 'node:net';
connect(${port}, '127.0.0.1').on('connect', () => { console.log('out'); process.exit(); }).on('error', (e) => { console.log(e.code); process.exit(); });`,
    );
    const call = [process.execPath, '--max-old-space-size=64', script];
    const open = await run(call, { as: 'owner', limits: { memoryMiB: 64 * 1024 } });
    const closed = await run(call, { limits: { memoryMiB: 64 * 1024 } });
    expect(open.stdout.trim()).toBe('out');
    expect(['ENETUNREACH', 'ECONNREFUSED']).toContain(closed.stdout.trim());
    expect(calls).toEqual(['called']);
  },
);

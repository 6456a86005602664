/** `codegen:diff` with nothing to compare: says so, and does not look like "no difference". */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const script = join(import.meta.dirname, '../../scripts/codegen-diff.ts');

test.each([
  [[], 'usage: npm run codegen:diff REV'],
  [['--help'], 'usage: npm run codegen:diff REV'],
  [['HEAD', 'HEAD'], 'usage: npm run codegen:diff REV'],
  [['no-such-revision'], 'codegen:diff no-such-revision: git rev-parse'],
])('%j ends with 2', (args, says) => {
  const done = spawnSync(process.execPath, [script, ...args], { encoding: 'utf8' });
  expect(done.stderr).toContain(says);
  expect(done.status).toBe(2);
});

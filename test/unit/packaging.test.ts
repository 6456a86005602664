/** systemd's units beside the table of errors: what no restart mends is not tried again and again through the night. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { errors } from '../../server/errors.ts';

/** Exit codes after which systemd leaves it alone. */
function final(unit: string): readonly number[] {
  const text = readFileSync(resolve(import.meta.dirname, '../../packaging', unit), 'utf8');
  expect(text).toMatch(/^Restart=on-failure$/m);
  return (/^RestartPreventExitStatus=(.*)$/m.exec(text)?.[1] ?? '').split(' ').map(Number);
}

test('a worker that is refused says so once; errors of ours start it again', () => {
  const codes = final('microtune-worker.service');
  for (const code of ['USAGE', 'UNAUTHORIZED', 'WORKER_MISMATCH', 'WORKER_REPLACED'] as const)
    expect(codes, code).toContain(errors[code].exit);
  expect(codes).not.toContain(errors.INTERNAL.exit);
});

test('a daemon is started again when its port or its data directory may be free, not with options that are wrong', () => {
  const codes = final('microtune.service');
  expect(codes).toContain(errors.USAGE.exit);
  expect(codes).not.toContain(errors.PORT_IN_USE.exit);
  expect(codes).not.toContain(errors.INTERNAL.exit);
});

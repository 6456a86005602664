/**
 * `npm test`: types, lint, then every test; ends with one line `N passed, N failed, N skipped`. Types and lint count as a
 * test each. `--long` runs the same tests at full count and notes the outcome in test/long-summary.json, by command: the
 * rooms of test/ can be run one after another (`npm run test:long -- test/unit`). `--require-models` fails when
 * a test was skipped although the reference networks are at hand. Other arguments go to vitest (a file, -t NAME).
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { modelsDir } from '../test/models.ts';

const root = resolve(import.meta.dirname, '..');
const args = process.argv.slice(2);
const long = args.includes('--long');
const requireModels = args.includes('--require-models');
const rest = args.filter((a) => a !== '--long' && a !== '--require-models');

function tool(name: string, ...toolArgs: string[]): number {
  console.log(`\n== ${name} ${toolArgs.join(' ')}`);
  return spawnSync(join(root, 'node_modules/.bin', name), toolArgs, { cwd: root, stdio: 'inherit' }).status ?? 1;
}

interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly testResults: readonly { readonly status: string; readonly assertionResults: readonly unknown[] }[];
}

const checks = rest.length > 0 ? [] : [tool('tsc', '--noEmit'), tool('biome', 'check', '--error-on-warnings', '.')];
const dir = mkdtempSync(join(tmpdir(), 'microtune-test-'));
const file = join(dir, 'report.json');
const started = Date.now();
const status = tool(
  'vitest',
  'run',
  '--reporter=default',
  '--reporter=json',
  `--outputFile.json=${file}`,
  ...(long ? ['--mode', 'long'] : []),
  ...rest,
);
const report: Report | undefined = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined;
rmSync(dir, { recursive: true });

const brokenFiles =
  report?.testResults.filter((f) => f.status === 'failed' && f.assertionResults.length === 0).length ?? 1;
const passed = checks.filter((c) => c === 0).length + (report?.numPassedTests ?? 0);
let failed = checks.filter((c) => c !== 0).length + (report?.numFailedTests ?? 0) + brokenFiles;
if (status !== 0 && failed === 0) failed = 1;
const skipped = (report?.numPendingTests ?? 0) + (report?.numTodoTests ?? 0);
if (requireModels && skipped > 0 && existsSync(modelsDir)) {
  console.log(`${skipped} tests were skipped although the reference networks are in ${modelsDir}`);
  failed += skipped;
}
if (long) {
  const commit = spawnSync('git', ['rev-parse', 'HEAD'], { cwd: root, encoding: 'utf8' }).stdout.trim();
  const command = ['npm run test:long', ...(rest.length > 0 ? ['--', ...rest] : [])].join(' ');
  const seconds = Math.round((Date.now() - started) / 1000);
  const summaryFile = join(root, 'test/long-summary.json');
  const before: readonly { readonly command: string }[] = JSON.parse(readFileSync(summaryFile, 'utf8'));
  const runs = [...before.filter((r) => r.command !== command), { command, commit, passed, failed, skipped, seconds }];
  runs.sort((a, b) => (a.command < b.command ? -1 : 1));
  writeFileSync(summaryFile, `${JSON.stringify(runs, null, 2)}\n`);
}
console.log(`\n${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exitCode = failed === 0 ? 0 : 1;

/**
 * `npm run codegen:diff REV`: does this working tree generate the same C as REV? Prints the difference of all sample C. Exit code
 * 0: none; 1: some; 2: wrong use, or a version that cannot generate. A change that is called a refactoring must end with 0.
 */
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { checkGraph } from '../compiler/import/index.ts';
import { writeTflite } from '../compiler/import/tflite/write.ts';
import { modelsDir } from '../test/models.ts';
import { randomNetwork } from '../test/unit/graphs.ts';
import { Random } from '../test/unit/random.ts';

const root = resolve(import.meta.dirname, '..');
const sample = 'scripts/codegen-sample.ts';
/** Small networks of every kind of layer; the same files go to both versions. */
const smallNetworks = 24;

class Wrong extends Error {}

function run(command: readonly string[], cwd: string): string {
  const [program = '', ...args] = command;
  const done = spawnSync(program, args, { cwd, encoding: 'utf8', maxBuffer: 1 << 30 });
  if (done.status !== 0)
    throw new Wrong(`${command.slice(0, 4).join(' ')}: ${done.stderr.trim() || done.error?.message}`);
  return done.stdout;
}

/** The files of a version, as they were, in a folder of their own. */
function checkOut(rev: string, dir: string): void {
  const commit = run(['git', 'rev-parse', '--verify', `${rev}^{commit}`], root).trim();
  mkdirSync(dir);
  const archive = join(dir, '.archive.tar');
  run(['git', 'archive', '--output', archive, commit], root);
  run(['tar', '-xf', archive, '-C', dir], root);
  rmSync(archive);
  symlinkSync(join(root, 'node_modules'), join(dir, 'node_modules'));
  // A version from before the sample existed generates the one of today.
  if (!existsSync(join(dir, sample))) copyFileSync(join(root, sample), join(dir, sample));
}

/** The sample's models: drawn networks, the example, and the reference networks where they are at hand. */
function models(dir: string): readonly string[] {
  mkdirSync(dir);
  const small = Array.from({ length: smallNetworks }, (_, i) => randomNetwork(new Random(i + 1)))
    .filter((graph) => checkGraph(graph).ok)
    .map((graph, i) => {
      const file = join(dir, `small_${String(i).padStart(2, '0')}.tflite`);
      writeFileSync(file, writeTflite(graph));
      return file;
    });
  const golden = existsSync(modelsDir) ? readdirSync(modelsDir).filter((f) => f.endsWith('_int8.tflite')) : [];
  const whole = [
    join(root, 'examples/bearing-fault/bearing-fault.tflite'),
    ...golden.sort().map((f) => join(modelsDir, f)),
  ];
  return [...small, ...whole.filter((f) => existsSync(f))];
}

function compare(rev: string, dir: string): number {
  checkOut(rev, join(dir, 'rev'));
  const files = models(join(dir, 'models'));
  for (const [tree, out] of [[join(dir, 'rev'), 'before'] as const, [root, 'after'] as const])
    run([process.execPath, join(tree, sample), join(dir, out), ...files], tree);
  const diff = spawnSync('git', ['diff', '--no-index', 'before', 'after'], { cwd: dir, stdio: 'inherit' });
  const count = readdirSync(join(dir, 'after'), { recursive: true, encoding: 'utf8' }).filter((f) =>
    f.endsWith('.c'),
  ).length;
  console.log(
    `${files.length} models, ${count} C files: ${diff.status === 0 ? `as in ${rev}` : `other than in ${rev}`}`,
  );
  return diff.status === 0 ? 0 : 1;
}

function main(args: readonly string[]): number {
  const [rev, ...rest] = args;
  if (rev === undefined || rest.length > 0 || rev.startsWith('-')) {
    console.error('usage: npm run codegen:diff REV   (a commit, branch or tag to compare the working tree with)');
    return 2;
  }
  const dir = mkdtempSync(join(tmpdir(), 'mt-codegen-'));
  try {
    return compare(rev, dir);
  } catch (error) {
    if (!(error instanceof Wrong)) throw error;
    console.error(`codegen:diff ${rev}: ${error.message}`);
    return 2;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

process.exitCode = main(process.argv.slice(2).filter((a, i, all) => a !== '--models' && all[i - 1] !== '--models'));

/**
 * Makes a fresh clone ready: Node packages (with a Node 24 of the project's own), the Debian packages that compile and
 * emulate, and the timing model of emulated boards, compiled. Plain JavaScript without imports of ours, because it runs on
 * whatever Node the system has, before anything is installed. Says one line for each thing that it does, and nothing when all is there.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';

const root = resolve(import.meta.dirname ?? new URL('.', import.meta.url).pathname, '..');

/** Debian package -> what shows that it is there: a program in PATH, or a file that exists. `setup.js tests`: those of the tests too. */
const { product, tests } = JSON.parse(readFileSync(join(root, 'scripts/packages.json'), 'utf8'));
const debian = { ...product, ...(process.argv[2] === 'tests' && tests) };

const inPath = (program) => (process.env.PATH ?? '').split(delimiter).some((dir) => existsSync(join(dir, program)));
const present = (sign) => (sign.startsWith('/') ? existsSync(sign) : inPath(sign));

function stop(message) {
  console.error(message);
  process.exit(1);
}

function npm(...args) {
  const quiet = ['--no-audit', '--no-fund', '--loglevel=error'];
  const done = spawnSync('npm', [...args, ...quiet], { cwd: root, stdio: 'inherit' });
  if (done.status !== 0) stop(`setup: npm ${args[0]} failed; see the lines above`);
}

function nodePackages() {
  const stamp = join(root, 'node_modules/.microtune-setup');
  const want = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === want) return;
  console.log('setup: installing Node packages (npm ci)');
  // Packages bring their binaries along; npm would compile those again, with tools that a fresh system lacks. Only `node`,
  // our own Node 24, has a script that must run.
  npm('ci', '--ignore-scripts');
  npm('rebuild', 'node');
  // npm links the programs of dependencies, not a project's own: `npx microtune` in a clone needs this one.
  const link = join(root, 'node_modules/.bin/microtune');
  rmSync(link, { force: true });
  symlinkSync('../../bin/microtune.js', link);
  writeFileSync(stamp, want);
}

function debianPackages() {
  const missing = Object.keys(debian).filter((name) => !present(debian[name]));
  if (missing.length === 0) return;
  const command = `apt-get update && apt-get install -y --no-install-recommends ${missing.join(' ')}`;
  if (!inPath('apt-get')) stop(`setup: missing ${missing.join(', ')}, and no apt-get here: install their equivalents`);
  const isRoot = process.getuid?.() === 0;
  // A person at a terminal can be asked for the password; a script cannot.
  const sudo = !isRoot && inPath('sudo') && (process.stdin.isTTY || spawnSync('sudo', ['-n', 'true']).status === 0);
  if (!isRoot && !sudo) stop(`setup: missing Debian packages. Type this, then run the command again:\n  sudo sh -c '${command}'`);
  console.log(`setup: installing Debian packages: ${missing.join(' ')}`);
  const [program, ...args] = [...(sudo ? ['sudo'] : []), 'env', 'DEBIAN_FRONTEND=noninteractive', 'sh', '-c', `(${command}) >&2`];
  try {
    execFileSync(program, args, { stdio: ['inherit', 'ignore', 'pipe'], maxBuffer: 2 ** 26 });
  } catch (error) {
    const said = String(error.stderr ?? error).slice(-2000);
    stop(`setup: apt-get failed:\n${said}\nTo repeat by hand:\n  ${sudo ? 'sudo ' : ''}sh -c '${command}'`);
  }
  const still = missing.filter((name) => !present(debian[name]));
  if (still.length > 0) stop(`setup: ${still.join(', ')} installed, but ${still.map((n) => debian[n]).join(', ')} not found`);
}

/** The plugin that gives emulated boards their cycles: by the project's own Node, which runs TypeScript. */
function timingPlugin() {
  const script = join(root, 'scripts/build-timing.ts');
  const done = spawnSync(join(root, 'node_modules/.bin/node'), [script], { cwd: root, stdio: 'inherit' });
  if (done.status !== 0) stop('setup: the timing model was not built; see the line above');
}

if (Number(process.versions.node.split('.')[0]) < 18) stop(`setup: Node 18 or newer is needed, this is ${process.version}`);
debianPackages();
nodePackages();
timingPlugin();

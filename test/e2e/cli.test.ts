/** The command line from outside: what it writes, what it answers, and how it refuses. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { boards } from '../../boards/index.ts';
import { runReference } from '../../compiler/ops/run-reference.ts';
import { encode } from '../../compiler/ops/values.ts';
import { readDaemon } from '../../db/lock.ts';
import { strictFlags } from '../../server/build.ts';
import { buildModel } from '../../server/cli/artifact.ts';
import { main } from '../../server/cli/index.ts';
import { readNpy, writeNpy } from '../../server/cli/npy.ts';
import { prepare } from '../../server/models.ts';
import { valuesOf } from '../../server/run-network.ts';
import type { JobSummary } from '../../server/schemas/index.ts';
import { DamagedFile } from '../../server/shipped/file.ts';
import { run as runTool } from '../../toolchain/index.ts';
import { emulatedBoards } from '../emulated.ts';
import { smallModel } from '../server/model.ts';
import { Random } from '../unit/random.ts';
import { until } from './daemon-process.ts';

const launcher = resolve(import.meta.dirname, '../../bin/microtune.js');
const dir = mkdtempSync(join(tmpdir(), 'microtune-cli-'));
const at = (...names: string[]): string => join(dir, ...names);
const model = at('small.tflite');
/** The small model takes int8[1,6,6,8] and gives int8[1,4]. */
const inputBytes = 6 * 6 * 8;

beforeAll(() => {
  const bytes = smallModel(1);
  const random = new Random(5);
  writeFileSync(model, bytes);
  writeFileSync(
    at('input.bin'),
    Uint8Array.from({ length: inputBytes }, () => random.int(0, 255)),
  );
  writeFileSync(at('short.bin'), new Uint8Array(7));
  writeFileSync(at('truncated.tflite'), bytes.subarray(0, bytes.length >> 1));
  writeFileSync(at('a-file'), 'no directory');
  writeFileSync(at('bad.jsonl'), '{"id": 1}\n');
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}
/** A command's words; `./` begins a name in this test's folder. */
const words = (command: string): readonly string[] =>
  command
    .split(' ')
    .filter((w) => w !== '')
    .map((w) => w.replace(/^\.\//, `${dir}/`));

/** Runs a command in this process. Its data directory is one that is not there, unless it names one. */
async function cli(command: string): Promise<Ended> {
  const said = { out: '', err: '' };
  const args = words(command);
  const code = await main(/^$|--data/.test(command) ? args : [...args, '--data', at('nothing')], {
    stdin: Readable.from([]),
    stdout: { write: (text) => (said.out += text) },
    stderr: { write: (text) => (said.err += text) },
  });
  return { code, ...said };
}
async function json<T>(command: string): Promise<T> {
  const { code, out, err } = await cli(`${command} --json`);
  if (code !== 0) throw new Error(err);
  return JSON.parse(out) as T;
}

/** A command as a process of its own, started by `node`. */
function start(
  command: string,
  { cwd = dir, node = process.execPath } = {},
): { readonly child: ChildProcess; readonly ended: Promise<Ended> } {
  const child = spawn(node, [launcher, ...words(command)], { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  const said = { out: '', err: '' };
  child.stdout.on('data', (d: Buffer) => (said.out += d.toString()));
  child.stderr.on('data', (d: Buffer) => (said.err += d.toString()));
  const ended = new Promise<Ended>((done) => child.once('close', (code) => done({ code, ...said })));
  onTestFinished(() => void child.kill('SIGKILL'));
  return { child, ended };
}

/** Path below the folder -> content, of all files. */
const contents = (folder: string): ReadonlyMap<string, string> =>
  new Map(
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((f) => f.isFile())
      .map((f) => join(f.parentPath, f.name))
      .sort()
      .map((f) => [f.slice(folder.length), readFileSync(f, 'latin1')]),
  );

/** What the model says, by its operators' references. */
function reference(): Uint8Array {
  const read = prepare(readFileSync(model), 'small');
  if (!read.ok) throw new Error(read.error.detail);
  const { model: graph } = read.value;
  const inputs = valuesOf(graph, graph.inputs, readFileSync(at('input.bin')));
  return Buffer.concat(runReference(graph, inputs, { rounding: 'double' }).outputs.map(encode));
}

test('boards: those that there are', async () => {
  const listed = await json<readonly { readonly id: string; readonly emulated: boolean }[]>('boards');
  expect(listed.map((b) => b.id)).toEqual(boards.map((b) => b.id));
});

test.each(['serve', 'tune', 'compile', 'run', 'profile', 'records', 'boards', 'jobs', 'devices'])(
  '%s --help shows an example and the exit codes',
  async (command) => {
    const { code, out, err } = await cli(`${command} --help`);
    expect([code, err]).toEqual([0, '']);
    expect(out).toContain(`$ microtune ${command}`);
    expect(out).toContain('Exit codes');
    for (const option of ['--data', '--records', '--json']) expect(out).toContain(option);
  },
);

const emulated = emulatedBoards(['host', 'nucleo-l4r5zi']).map((b) => b.id);

test.each(emulated)(
  'compile for %s: equal bytes on every run and from any folder; each .c compiles alone',
  async (board) => {
    const [one, two] = [at(board, 'one'), at(board, 'two')];
    const report = await json<Record<string, unknown>>(`compile ${model} --board ${board} --out ${one}`);
    // Another process in another folder, with relative names, and a kernel of an earlier build in the way.
    mkdirSync(at(board, 'elsewhere'), { recursive: true });
    mkdirSync(join(two, 'kernels'), { recursive: true });
    mkdirSync(join(two, 'include'));
    writeFileSync(join(two, 'include/mt_kernel.h'), '');
    writeFileSync(join(two, 'kernels/small_77_conv2d.c'), 'stale');
    const again = start(`compile ../../small.tflite --board ${board} --out ../two --data none`, {
      cwd: at(board, 'elsewhere'),
    });
    expect((await again.ended).code).toBe(0);
    expect([...contents(two)]).toEqual([...contents(one)]);

    expect(report).toMatchObject({ board, out: one, verifiedInputs: 3 });
    expect(readFileSync(String(report.elf)).subarray(0, 4)).toEqual(Buffer.from('\x7fELF', 'latin1'));
    const sources = [...contents(one).keys()].filter((f) => f.endsWith('.c'));
    expect(sources.length).toBeGreaterThan(6);
    const target = boards.find((b) => b.id === board)?.target;
    // Debian's RISC-V compiler has no C library of its own, and the example prints.
    const library = target?.isa.startsWith('rv') ? ['--specs=picolibc.specs'] : [];
    const flags = [...(target?.flags ?? []), ...library, ...strictFlags, '-std=c99', '-fsyntax-only'];
    const compiler = [target?.compiler ?? 'gcc', ...flags];
    const include = [one, join(one, 'include')].flatMap((d) => ['-I', d]);
    // Syntax and warnings alone, all at once: every build of ours makes code of these files.
    const ran = await runTool([...compiler, ...include, ...sources.map((file) => join(one, file))]);
    expect([ran.code, ran.stderr]).toEqual([0, '']);
  },
);

interface RunAnswer {
  readonly board: string;
  readonly kind: string;
  readonly cycles: number;
  readonly outputs: readonly (readonly number[])[];
  readonly layers: readonly {
    readonly name: string;
    readonly op: string;
    readonly cycles: number;
    readonly macs: number;
  }[];
  readonly arenaBytes: number;
  readonly flashBytes: number;
}

test.each(emulated)(
  'run on %s: the outputs that the model says, raw and as .npy, with and without passes',
  async (board) => {
    writeFileSync(
      at('input.npy'),
      writeNpy({ dtype: 'int8', shape: [1, 6, 6, 8], data: readFileSync(at('input.bin')) }),
    );
    const raw = await json<RunAnswer>(`run ./small.tflite --board ${board} --input ./input.bin --output ./out.npy`);
    const npy = await json<RunAnswer>(
      `run ./small.tflite --board ${board} --input ./input.npy --output ./out.bin --passes none`,
    );
    const want = Buffer.from(reference());
    expect(readNpy(readFileSync(at('out.npy')))).toEqual({
      ok: true,
      value: { dtype: 'int8', shape: [1, 4], data: want },
    });
    expect(readFileSync(at('out.bin'))).toEqual(want);
    for (const ran of [raw, npy]) {
      expect(ran.outputs).toEqual([Array.from(new Int8Array(want))]);
      expect(ran.layers.map((l) => [l.op, l.macs])).toEqual([
        ['conv2d', 20736],
        ['conv2d', 20736],
        ['average_pool2d', 288],
        ['fully_connected', 32],
      ]);
      expect([ran.board, ran.kind]).toEqual([board, boards.find((b) => b.id === board)?.kind]);
      expect(ran.cycles).toBeGreaterThan(0);
      expect(ran.arenaBytes).toBeGreaterThanOrEqual(inputBytes);
      expect(ran.flashBytes).toBeGreaterThan(1000);
    }
  },
);

test('profile: the layers add up to the whole, as table and as JSON; without --input it makes one', async () => {
  const profile = await json<Omit<RunAnswer, 'outputs'> & { readonly sum: number }>(
    'profile ./small.tflite --board mps2-an386',
  );
  const sum = profile.layers.reduce((n, l) => n + l.cycles, 0);
  expect(profile.sum).toBe(sum);
  expect(Math.abs(sum - profile.cycles) / profile.cycles).toBeLessThan(0.01);
  const { out } = await cli('profile ./small.tflite --board mps2-an386');
  for (const l of profile.layers) expect(out).toMatch(new RegExp(`${l.name} .*${l.cycles.toLocaleString('en-US')} .*`));
  expect(out).toContain(`the layers add up to ${((100 * sum) / profile.cycles).toFixed(1)} % of it`);
});

/** Command -> how the line on standard error goes, and the exit code. */
const refusals: readonly (readonly [string, RegExp, number])[] = [
  ['', /^error USAGE: a command is missing/, 2],
  ['tun', /^error USAGE: unknown command 'tun'/, 2],
  ['boards --colour', /^error USAGE: unknown option '--colour'/, 2],
  ['boards ./small.tflite', /^error USAGE: too many arguments/, 2],
  ['compile ./small.tflite --out ./x', /^error USAGE: required option '--board/, 2],
  ['compile ./small.tflite --board abacus --out ./x', /^error BOARD_UNKNOWN: .*abacus.*mps2-an386/, 2],
  ['compile ./gone.tflite --board host --out ./x', /^error FILE_UNUSABLE: .*gone.tflite: there is no such file/, 2],
  ['compile . --board host --out ./x', /^error FILE_UNUSABLE: \.: it is a folder/, 2],
  ['compile ./truncated.tflite --board host --out ./x', /^error MODEL_CORRUPT: .*truncated.tflite: .*\d/, 3],
  ['compile ./small.tflite --board host --out ./a-file', /^error FILE_UNUSABLE: .*a-file/, 2],
  ['compile ./small.tflite --board host --out /proc/x', /^error FILE_UNUSABLE: /, 2],
  ['firmware build --board host --twin --out /proc/x', /^error FILE_UNUSABLE: /, 2],
  ['firmware flash --board nucleo-l4r5zi --print --data /proc/x', /^error FILE_UNUSABLE: /, 2],
  ['firmware build --board host --out ./x', /^error NO_PRODUCT: host/, 2],
  ['run ./small.tflite --board host --input /dev/zero', /^error FILE_UNUSABLE: .*\/dev\/zero/, 2],
  ['compile ./small.tflite --board host --out ./x --records ./bad.jsonl', /^error RECORD_BAD: .*bad.jsonl, line 1/, 2],
  ['compile ./small.tflite --board host --out ./x --data ./a-file', /^error DATA_DIR_BAD: .*a-file/, 4],
  ['run ./input.bin --board host --input ./input.bin', /^error MODEL_UNKNOWN_FORMAT: /, 3],
  ['run ./small.tflite --board host --input ./short.bin', /^error INPUT_MISMATCH: .*7 bytes.*288.*int8\[1,6,6,8\]/, 2],
  ['run ./small.tflite --board host --input ./gone.bin', /^error FILE_UNUSABLE: .*gone.bin/, 2],
  ['run ./small.tflite --board host --input .', /^error FILE_UNUSABLE: \.: it is a folder/, 2],
  ['tune ./small.tflite --board host --trials 0', /^error USAGE: .*--trials.* from 1 /, 2],
  ['tune ./small.tflite --board host --trials -1', /^error USAGE: .*--trials/, 2],
  ['tune ./small.tflite --board host --time soon', /^error USAGE: .*--time.*30m/, 2],
  ['tune ./small.tflite --board host --emulate host', /^error USAGE: .*--emulate.*BOARD=N/, 2],
  ['tune ./small.tflite --board host --device /dev/ttyACM0', /^error USAGE: .*--device.*BOARD=PATH/, 2],
  ['tune ./small.tflite --board abacus', /^error BOARD_UNKNOWN: .*abacus/, 2],
  ['tune ./small.tflite --board host --out ./a-file', /^error FILE_UNUSABLE: .*a-file/, 2],
  ['tune ./small.tflite --board host --data ./a-file', /^error DATA_DIR_BAD: .*a-file/, 4],
  ['tune ./small.tflite --board host --url http://127.0.0.1:9', /^error DAEMON_UNREACHABLE: http:\/\/127.0.0.1:9/, 4],
  ['tune ./small.tflite --board host --policy luck --data ./p', /^error POLICY_UNKNOWN: .*luck/, 2],
  ['serve --port 0 --data ./a-file', /^error DATA_DIR_BAD: .*a-file/, 4],
  ['serve --port 99999', /^error USAGE: .*--port.*65535/, 2],
  ['serve --device abacus=/dev/ttyACM0 --port 0 --data ./s', /^error BOARD_UNKNOWN: .*abacus/, 2],
  ['records --data ./a-file', /^error DATA_DIR_BAD: .*a-file/, 4],
  ['records --since yesterday', /^error USAGE: .*--since/, 2],
  ['jobs --url http://127.0.0.1:9', /^error DAEMON_UNREACHABLE: http:\/\/127.0.0.1:9/, 4],
  ['jobs j-0', /^error JOB_NOT_FOUND: /, 2],
  ['jobs j-0 --cancel', /^error DAEMON_UNREACHABLE: no daemon runs/, 4],
];

test.each(refusals)('"%s": one line, an exit code, nothing on standard output', async (command, line, code) => {
  const ended = await cli(command === '' ? '' : `${command} --json`);
  const lines = ended.err.trimEnd().split('\n');
  expect(lines.at(-1)).toMatch(line);
  expect(lines.filter((l) => l.startsWith('error '))).toHaveLength(1);
  expect(ended.err).not.toMatch(/^\s+at /m);
  expect([ended.code, ended.out]).toEqual([code, '']);
});

test('records of ours that are damaged are told, and --records none does without', async () => {
  const small = prepare(readFileSync(model), 'small', 'all');
  const host = boards.find((b) => b.id === 'host');
  if (!small.ok || host === undefined) throw new Error('no model or no board');
  const shipped = (): never => {
    throw new DamagedFile('host.jsonl: line 3 is damaged');
  };
  const where = { data: at('nothing'), outDir: at('without'), shipped };
  expect(await buildModel(small.value, host, where)).toMatchObject({
    error: { code: 'SHIPPED_DAMAGED', detail: 'host.jsonl: line 3 is damaged' },
  });
  expect(await buildModel(small.value, host, { ...where, records: 'none' })).toMatchObject({ ok: true });
});

test('serve: a busy port', async () => {
  const busy = createServer().listen(0, '127.0.0.1');
  await new Promise((done) => busy.once('listening', done));
  const address = busy.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const ended = await cli(`serve --port ${port} --json`);
  busy.close();
  expect([ended.code, ended.out]).toEqual([4, '']);
  expect(ended.err).toMatch(new RegExp(`^error PORT_IN_USE: .*${port}[^\\n]*\\n$`));
});

test("the launcher gives on exit codes, from the system's Node as from the project's", async () => {
  const nodes = [process.execPath, '/usr/bin/node'].filter((n) => existsSync(n));
  for (const node of nodes) {
    const refused = await start('boards --colour', { node }).ended;
    expect([refused.code, refused.out, refused.err.split('\n').length]).toEqual([2, '', 2]);
    expect((await start('boards --json', { node }).ended).out).toMatch(/^\[\n/);
  }
});

test('tune: from a model to a library; its records and jobs are told the same with and without a daemon', async () => {
  const tuned = await cli(
    'tune ./small.tflite --board host --trials 12 --seed 1 --emulate host=1 --out ./tuned --data ./data --json',
  );
  expect([tuned.code, tuned.err.includes('error')]).toEqual([0, false]);
  const job = JSON.parse(tuned.out);
  expect(job).toMatchObject({ state: 'done', board: 'host', trials: { done: 12, budget: 12 }, out: at('tuned') });
  expect(job.report.verifiedInputs).toBeGreaterThan(0);
  expect([...contents(at('tuned')).keys()]).toContain('/small.h');

  const looks = ['jobs', `jobs ${job.id}`, 'records --format csv', 'records --status ok --json --limit 5'];
  const look = (): Promise<readonly string[]> =>
    Promise.all(looks.map(async (command) => (await cli(`${command} --data ./data`)).out));
  const direct = await look();
  expect(direct[2]?.split('\n').length).toBeGreaterThan(12);
  const daemon = start('serve --port 0 --data ./data');
  await new Promise<void>((listening) => daemon.child.stdout?.once('data', () => listening()));
  expect(await look()).toEqual(direct);
  const second = await cli('serve --port 0 --data ./data');
  expect([second.code, second.out]).toEqual([4, '']);
  expect(second.err).toMatch(/^error DATA_IN_USE: .*http:/);
  // Compiling reads the database beside the daemon, and takes what was found.
  type Layers = { readonly layers: readonly { readonly record: string | null }[]; readonly elf: string };
  // The firmware that is named is the one that was built, whatever else lies in the folder.
  mkdirSync(at('best/firmware'), { recursive: true });
  writeFileSync(at('best/firmware/another.elf'), '');
  const best = await json<Layers>('compile ./small.tflite --board host --out ./best --data ./data');
  const plain = await json<Layers>('compile ./small.tflite --board host --out ./plain --data ./data --records none');
  expect(best.elf).toBe(at('best/firmware/small.elf'));
  expect(best.layers.some((l) => l.record !== null)).toBe(true);
  expect(plain.layers.every((l) => l.record === null)).toBe(true);
  daemon.child.kill('SIGTERM');
  expect((await daemon.ended).code).toBe(0);

  // What was written out is as good as the database.
  writeFileSync(at('records.jsonl'), (await cli('records --format jsonl --data ./data')).out);
  expect((await cli('records --format csv --records ./records.jsonl')).out).toBe(direct[2]);
  const fromFile = await json<Layers>('compile ./small.tflite --board host --out ./file --records ./records.jsonl');
  expect(fromFile.layers).toEqual(best.layers);
});

test('tune: Ctrl-C without a terminal cancels the job; kill -9 takes the daemon along, and the job can go on', async () => {
  const tuning = 'tune ./small.tflite --board host --trials 5000 --emulate host=1 --data ./ended';
  const underWay = async (node?: string): Promise<ReturnType<typeof start>> => {
    const running = start(tuning, node === undefined ? {} : { node });
    await new Promise<void>((seen) =>
      running.child.stdout?.on('data', (d: Buffer) => void (d.toString().includes('whole network') && seen())),
    );
    return running;
  };
  const noDaemon = (): Promise<true> =>
    until('the daemon is gone', async () => (readDaemon(at('ended')) === undefined ? true : undefined));
  const states = async (): Promise<readonly string[]> =>
    (await json<JobSummary[]>('jobs --data ./ended')).map((j) => j.state);

  const interrupted = await underWay();
  interrupted.child.kill('SIGINT');
  const { code, err } = await interrupted.ended;
  expect([code, err.split('\n').length]).toEqual([130, 2]);
  expect(err).toMatch(/^error CANCELLED: job j-/);
  await noDaemon();
  expect(await states()).toEqual(['cancelled']);

  // Also where another Node, which cannot run the sources, stands between.
  const killed = await underWay(existsSync('/usr/bin/node') ? '/usr/bin/node' : undefined);
  killed.child.kill('SIGKILL');
  await killed.ended;
  await noDaemon();
  expect(await states()).toEqual(['running', 'cancelled']);
});

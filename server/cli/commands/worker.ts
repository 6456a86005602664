/** `microtune worker`: offers the devices of this host to a farm on another one, until a signal ends it. */
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { Client } from '../../../client/client.ts';
import { failed, ok, type Result } from '../../../compiler/result.ts';
import { makeDir } from '../../../db/make-dir.ts';
import type { Act } from '../index.ts';
import type { Io, Shows } from '../io.ts';
import {
  attached,
  type CommonOptions,
  type CompilerOption,
  collect,
  common,
  compiler,
  type DeviceOptions,
  emulated,
  powerCycle,
  redis,
} from '../options.ts';
import { secretIn } from '../read-file.ts';
import { signalled } from '../signalled.ts';

interface WorkerOptions
  extends CommonOptions,
    CompilerOption,
    Pick<DeviceOptions, 'device' | 'emulate' | 'powerCycle'> {
  readonly farm: string;
  readonly name: string;
  readonly token?: string;
  readonly tokenFile?: string;
  readonly redis?: string;
}

export function addWorker(program: Command, act: Act): void {
  const command = program
    .command('worker')
    .description("offer this host's devices to a farm on another one, until Ctrl-C")
    .requiredOption('--farm <url>', 'the daemon, started with --redis')
    .option('--token <token>', 'of scope work (`microtune token add`); others on this host can read it: better a file')
    .option('--token-file <file>', 'file with the token')
    .option('--name <name>', 'what the farm calls this host', workerName, defaultName())
    .option('--redis <url>', 'where Redis is for this host (default: as the farm reaches it)', redis)
    .option('--device <board=where>', 'a board on a serial port, or at HOST:PORT; repeatable', collect(attached))
    .option('--emulate <board=n>', 'how many of a board are emulated; repeatable', emulated)
    .addOption(powerCycle());
  const example = 'microtune worker --farm https://farm.example:8710 --token-file token --emulate mps2-an386=4';
  common(compiler(command), example).action(act(worker));
}

const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
function workerName(text: string): string {
  if (!namePattern.test(text))
    throw new InvalidArgumentError('Letters, digits, dots and dashes are needed, at most 64.');
  return text;
}
/** Hosts are called what they like. */
const defaultName = (): string =>
  hostname()
    .replace(/[^A-Za-z0-9._-]/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, 64) || 'worker';

async function worker(io: Io, o: WorkerOptions): Shows {
  const token = tokenOf(o);
  if (!token.ok) return token;
  // The other commands need none of it.
  const [{ FarmLink }, { standsOf }, { work }] = await Promise.all([
    import('../../worker/farm-link.ts'),
    import('../../worker/stands.ts'),
    import('../../worker/worker.ts'),
  ]);
  const dir = join(resolve(o.data), 'workers', o.name);
  makeDir(dir);
  const stands = standsOf({
    attached: o.device ?? [],
    emulate: o.emulate ?? {},
    powerCycle: o.powerCycle ?? {},
    compiler: o.compiler,
    cacheDir: join(dir, 'cache'),
    firmwareDir: join(dir, 'firmware'),
    log: (message) => io.news(message),
  });
  if (!stands.ok) return stands;
  makeDir(join(dir, 'cache'));
  const stop = new AbortController();
  void signalled().then(() => stop.abort());
  const ended = await work({
    name: o.name,
    farm: new FarmLink(new Client(o.farm, { ...(token.value !== undefined && { token: token.value }) })),
    stands: stands.value,
    redis: o.redis,
    news: (text) => io.news(text),
    signal: stop.signal,
  });
  // An emulator or a compiler that is still at it must not hold up the end.
  setTimeout(() => process.exit(), 1000).unref();
  return ended.ok ? ok(undefined) : ended;
}

/** Failure: USAGE. */
function tokenOf({ token, tokenFile }: WorkerOptions): Result<string | undefined> {
  if (token !== undefined && tokenFile !== undefined)
    return failed('input', 'USAGE', '--token and --token-file are two ways to say the same: leave one out');
  return ok(tokenFile === undefined ? token : secretIn(tokenFile));
}

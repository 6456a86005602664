/** `microtune serve`: the daemon in the foreground, until a signal ends it. */
import { type Command, InvalidArgumentError } from 'commander';
import { failed, ok } from '../../../compiler/result.ts';
import { type Keep, parseKeep } from '../../data/retention.ts';
import { type LogLevel, logLevels } from '../../log.ts';
import type { Act } from '../index.ts';
import type { Io, Shows } from '../io.ts';
import {
  type CommonOptions,
  type CompilerOption,
  collect,
  common,
  compiler,
  type DeviceOptions,
  devices,
  oneOf,
  redis,
  webhook,
  whole,
} from '../options.ts';
import { type ReachFlags, reach, reachOf } from '../reach.ts';
import { secretIn } from '../read-file.ts';
import { signalled } from '../signalled.ts';

interface ServeOptions extends CommonOptions, CompilerOption, DeviceOptions, ReachFlags {
  readonly port: number;
  readonly jobs?: number;
  readonly keepArtifacts?: Keep;
  readonly queryTime?: number;
  readonly queryRows?: number;
  readonly redis?: string;
  readonly redisPasswordFile?: string;
  readonly webhook?: readonly string[];
  readonly webhookSecretFile?: string;
  readonly logLevel: LogLevel;
}

/** Where a daemon listens unless it is told otherwise. */
const defaultPort = 8710;

export function addServe(program: Command, act: Act): void {
  const command = program
    .command('serve')
    .description('run the daemon: models, jobs and records over HTTP; jobs that were interrupted go on')
    .option('--port <n>', '0: any that is free', whole(0, 65535), defaultPort)
    .option('--jobs <n>', 'most jobs that run at the same time (default: 4)', whole(1, 64))
    .option(
      '--keep-artifacts <90d|n>',
      'remove builds and artifacts of jobs that ended longer ago, or that n others ended after',
      keep,
    )
    .option('--query-time <seconds>', 'longest that a query of SQL may take (default: 5)', whole(1, 600))
    .option('--query-rows <n>', 'most rows that a query gives (default: 10000)', whole(1, 1_000_000))
    .option('--redis <url>', 'let other hosts offer devices (`microtune worker`), through this Redis', redis)
    .option('--redis-password-file <file>', 'its password, which would be seen in the URL')
    .option(
      '--webhook <url>',
      'address that is told of the end of every job (docs/webhooks.md); repeatable',
      collect(webhook),
    )
    .option(
      '--webhook-secret-file <file>',
      'what webhooks are signed with (default: webhook-secret in the data directory)',
    )
    .option('--log-level <level>', 'what is also told on standard error', oneOf(...logLevels), 'warn');
  common(compiler(devices(reach(command))), 'microtune serve --port 0 --data ./data').action(act(serve));
}

/** 90d, or a number of jobs. */
function keep(text: string): Keep {
  const parsed = parseKeep(text);
  if (!parsed.ok) throw new InvalidArgumentError(`${parsed.error.detail}.`);
  return parsed.value;
}

/** Throws what is wrong with the file. */
function withPassword(url: string, file: string | undefined): string {
  if (file === undefined) return url;
  return Object.assign(new URL(url), { password: secretIn(file) }).href;
}

async function serve(io: Io, o: ServeOptions): Shows {
  if (o.redis === undefined && o.redisPasswordFile !== undefined)
    return failed('input', 'USAGE', '--redis-password-file is for the Redis of --redis');
  // The other commands need none of what the daemon is made of.
  const { startDaemon } = await import('../../daemon.ts');
  const daemon = await startDaemon({
    dataDir: o.data,
    ...reachOf(o),
    port: o.port,
    devices: o.device ?? [],
    compiler: o.compiler,
    emulate: o.emulate ?? {},
    discover: o.discover === true ? 'each-job' : 'never',
    powerCycle: o.powerCycle ?? {},
    probes: o.probe ?? {},
    pool: {
      ...(o.firmware !== undefined && { firmware: o.firmware }),
      ...(o.checkEvery !== undefined && { checkEvery: o.checkEvery }),
    },
    ...(o.jobs !== undefined && { jobs: o.jobs }),
    ...(o.keepArtifacts !== undefined && { keepArtifacts: o.keepArtifacts }),
    query: {
      ...(o.queryTime !== undefined && { timeMs: 1000 * o.queryTime }),
      ...(o.queryRows !== undefined && { rows: o.queryRows }),
    },
    ...(o.redis !== undefined && { redis: withPassword(o.redis, o.redisPasswordFile) }),
    webhooks: o.webhook ?? [],
    ...(o.webhookSecretFile !== undefined && { webhookSecretFile: o.webhookSecretFile }),
    ...(o.records !== undefined && { recordsFile: o.records }),
    logLevel: o.logLevel,
  });
  if (!daemon.ok) return daemon;
  const { url, broken, stop } = daemon.value;
  // Heard before anybody can know whom to signal.
  const told = signalled();
  io.out(
    io.format === 'json' ? JSON.stringify({ url, data: o.data, pid: process.pid }) : `microtune listens on ${url}`,
  );
  const why = await Promise.race([told, broken]);
  await stop();
  // A compiler or an emulator that is still at it must not hold up the end.
  setTimeout(() => process.exit(), 1000).unref();
  return why === undefined ? ok(undefined) : { ok: false, error: why };
}

/**
 * Finds boards by asking: HELLO to each serial port, all at once, with a short patience. Must stay true: a port that somebody
 * else holds is left alone, and nothing but HELLO is ever sent to a stranger.
 */
import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { basename, join } from 'node:path';
import { SerialPort } from 'serialport';
import type { Result } from '../../compiler/result.ts';
import { attach } from './attach.ts';
import type { ClientOptions } from './client.ts';
import type { DeviceInfo } from './device.ts';

/** What answered at an address: a serial port's path, or HOST:PORT. */
export interface Found extends Pick<DeviceInfo, 'board' | 'uid' | 'buildId'> {
  readonly address: string;
}

/** A board answers within milliseconds; a stranger need not be waited for. */
const shortly: ClientOptions = { patienceMs: 250, attempts: 3 };

/** Names that Linux gives to ports that a board may hang on. */
const portNames = /^tty(ACM|USB)\d+$/;

/**
 * Paths of the serial ports of this machine, each once. Linux is asked through its folder of devices: the names in
 * serial/by-id stay the same when a board is plugged in elsewhere. (serialport's own list there needs udevadm and throws without.)
 */
export async function serialPorts(dev = '/dev'): Promise<readonly string[]> {
  if (process.platform !== 'linux') return (await SerialPort.list()).map((p) => p.path).sort();
  const byId = namesIn(join(dev, 'serial/by-id')).map((name) => join(dev, 'serial/by-id', name));
  const plain = namesIn(dev).flatMap((name) => (portNames.test(name) ? [join(dev, name)] : []));
  const seen = new Set<string>();
  return [...byId, ...plain].filter((path) => {
    const real = portBehind(path);
    if (real === undefined || seen.has(real)) return false;
    seen.add(real);
    return true;
  });
}

/** What a name of a port stands for. Undefined where nothing is there: it may vanish at any moment, also between two looks at it. */
function portBehind(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}
/** What a name of a port stands for, where that is there; else the name. */
export const realPort = (path: string): string => portBehind(path) ?? path;

function namesIn(dir: string): readonly string[] {
  try {
    return readdirSync(dir).sort();
  } catch {
    // Without any port the folder is not there.
    return [];
  }
}

/** Empty where the file is not there, is gone meanwhile, or is not for us to read. */
function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

/** Process id in the lock file that terminal programs leave for a port; undefined where there is none, or that process has ended. */
export function portOwner(path: string, lockDir = '/var/lock'): number | undefined {
  const file = join(lockDir, `LCK..${basename(realPort(path))}`);
  const pid = Number.parseInt(textOf(file).trim(), 10);
  return Number.isInteger(pid) && pid > 0 && existsSync(join('/proc', String(pid))) ? pid : undefined;
}

/** Asks one address. Failures: those of attach(); DEVICE_BUSY also for a port that another program has locked. */
export async function ask(address: string, options: ClientOptions = shortly): Promise<Result<Found>> {
  const owner = portOwner(address);
  if (owner !== undefined) {
    const detail = `${address}: process ${owner} has this port; end it first`;
    return { ok: false, error: { stage: 'load', code: 'DEVICE_BUSY', detail } };
  }
  const opened = await attach(address, options);
  if (!opened.ok) return opened;
  const { board, uid, buildId } = opened.value.info;
  await opened.value.close();
  return { ok: true, value: { address, board, uid, buildId } };
}

export interface Answer {
  readonly address: string;
  readonly found: Result<Found>;
}
/** Asks all addresses at once; the answers in the order of the addresses. */
export const askAll = (addresses: readonly string[], options: ClientOptions = shortly): Promise<readonly Answer[]> =>
  Promise.all(addresses.map(async (address) => ({ address, found: await ask(address, options) })));

/** The boards that answer. */
export const answering = (answers: readonly Answer[]): readonly Found[] =>
  answers.flatMap(({ found }) => (found.ok ? [found.value] : []));

/**
 * Which daemon a command talks to: the one at --url, the one that runs on the data directory, or, for `tune`, one that is
 * started for it. Must stay true: a daemon that was started here ends with this process, however that ends, unless it was
 * told to stay.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import tls from 'node:tls';
import { Client } from '../../client/client.ts';
import { failed, ok, type Result } from '../../compiler/result.ts';
import { readDaemon } from '../../db/lock.ts';
import { artifactDir } from '../artifact.ts';
import { errorOf } from '../errors.ts';
import { shellLine } from '../shell-words.ts';
import { limits } from './limits.js';
import { defaultData } from './options.ts';
import { secretIn } from './read-file.ts';

/** The launcher's word for "go on without me" (bin/microtune.js). */
const stayMessage = 'stay';
const launcher = resolve(import.meta.dirname, '../../bin/microtune.js');

export interface Daemon {
  /** Where it is now: a daemon that was restarted may have another port. */
  client(): Client;
  /** Lets it work on after this process; close() does nothing then. */
  stay(): Promise<void>;
  /** Ends it, if it was started here. */
  close(): Promise<void>;
}

/** A daemon: the one at a URL, else the one of a data directory. */
export interface Where {
  readonly url?: string;
  readonly data: string;
  /** File that holds a token. */
  readonly tokenFile?: string;
}

/**
 * A client of the daemon that is there; undefined where none is. The owner of its data directory needs no token, and no word
 * that its certificate is good.
 */
export function runningDaemon(o: Where): Client | undefined {
  const daemon = o.url === undefined ? readDaemon(o.data) : { url: o.url };
  if (daemon === undefined) return undefined;
  if ('certificate' in daemon && daemon.certificate !== undefined) trust(daemon.certificate);
  const token = o.tokenFile === undefined ? ('token' in daemon ? daemon.token : undefined) : secretIn(o.tokenFile);
  return new Client(daemon.url, { ...(token !== undefined && { token }) });
}
/** The daemon, for what nothing but a daemon can do; `why` says so. Failure: DAEMON_UNREACHABLE. */
export function neededDaemon(o: Where, why: string): Result<Client> {
  const client = runningDaemon(o);
  return client === undefined
    ? failed('request', 'DAEMON_UNREACHABLE', `no daemon runs on ${o.data}, ${why}`)
    : ok(client);
}
/** Has this process take certificates of these authorities, beside those that it knows. */
const trust = (pem: string): void => tls.setDefaultCACertificates([...tls.getCACertificates('default'), pem]);

/** A command that asks the same daemon as this one, to be pasted. */
export function commandHint({ url, data, tokenFile }: Where, ...words: readonly string[]): string {
  const where = url !== undefined ? ['--url', url] : data === defaultData() ? [] : ['--data', resolve(data)];
  const token = tokenFile === undefined ? [] : ['--token-file', resolve(tokenFile)];
  return shellLine(['microtune', ...words, ...where, ...token]);
}

/** Asks the daemon, or reads the database where none runs; also where it went away while it was asked. */
export async function askOrRead<T>(
  o: Where,
  ask: (client: Client) => Promise<Result<T>>,
  read: () => Promise<Result<T>>,
): Promise<Result<T>> {
  const client = runningDaemon(o);
  const answer = client === undefined ? undefined : await ask(client);
  const lost = answer?.ok === false && answer.error.code === 'DAEMON_UNREACHABLE' && runningDaemon(o) === undefined;
  return answer === undefined || lost ? read() : answer;
}

/** The daemon of a data directory or URL, whoever started it. */
export function knownDaemon(first: Client, o: Where): Daemon {
  return { client: () => runningDaemon(o) ?? first, stay: async () => undefined, close: async () => undefined };
}

/** Starts one. Failures: whatever `serve` says, e.g. DATA_DIR_READONLY. */
export async function startOwnDaemon(data: string, serveOptions: readonly string[]): Promise<Result<Daemon>> {
  const quiet = ['--data', data, '--json', '--log-level', 'silent'];
  const args = [...limits, launcher, 'serve', '--port', '0', ...quiet, ...serveOptions];
  // A process group of its own: Ctrl-C is for us to answer. The channel tells it when we are gone.
  const child = spawn(process.execPath, args, { detached: true, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
  const url = await addressOf(child);
  if (!url.ok) return url;
  const client = new Client(url.value);
  for (const stream of [child, child.stdout, child.stderr, child.channel]) unref(stream);
  let stays = false;
  return ok({
    client: () => runningDaemon({ data }) ?? client,
    stay: async () => {
      stays = true;
      await new Promise((sent) => child.send(stayMessage, sent));
      child.disconnect();
    },
    close: async () => (stays ? undefined : end(child)),
  });
}

/** The first line on its standard output holds the URL; an error line on the other one says why there is none. */
function addressOf(child: ChildProcess): Promise<Result<string>> {
  const { stdout, stderr } = child;
  if (stdout === null || stderr === null) throw new Error('the daemon was started without pipes');
  let said = '';
  stderr.on('data', (d: Buffer) => {
    said += d.toString();
  });
  return new Promise((found) => {
    createInterface({ input: stdout }).once('line', (line) => found(ok((JSON.parse(line) as { url: string }).url)));
    child.once('close', (code) => found(failureFrom(said, code)));
  });
}

function failureFrom(said: string, code: number | null): Result<never> {
  const [, name, detail] = /^error ([A-Z_]+): (.*)$/m.exec(said) ?? [];
  if (name !== undefined && detail !== undefined)
    return failed('daemon', name, detail.replace(`. ${errorOf(name).advice}`, ''));
  const why = said.trim().slice(-300) || `exit code ${code ?? 'none'}`;
  return failed('daemon', 'DAEMON_UNREACHABLE', `the daemon did not start: ${why}`);
}

/** Lets this process end although the other one runs. */
function unref(handle: unknown): void {
  if (typeof handle === 'object' && handle !== null && 'unref' in handle && typeof handle.unref === 'function')
    handle.unref();
}

function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((done) => {
    child.ref();
    child.once('exit', () => done());
    child.kill('SIGTERM');
  });
}

/** Where a daemon keeps the artifact of a job. */
export const artifactIn = (data: string, job: string): string => artifactDir(resolve(data), job);

/**
 * One daemon a data directory. Must stay true: the lock is one of the operating system, so it ends with its process however
 * that ends; the file that says who holds it is believed only while it is held.
 */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import type { Result } from '../compiler/result.ts';
import { failing, failureOf } from './errors.ts';
import { makeDir } from './make-dir.ts';

/** Who serves a data directory. */
export interface Daemon {
  readonly pid: number;
  readonly url: string;
  /** Opens it, where it asks for a token: for whoever may read the directory's secrets. */
  readonly token?: string;
  /** PEM, where it speaks TLS: by this its owner knows it. */
  readonly certificate?: string;
}
export interface Lock {
  /** Tells others where the daemon listens and with which certificate, and its owner with which token. */
  announce(url: string, more?: Pick<Daemon, 'token' | 'certificate'>): void;
  release(): void;
}

/** SQLite's own lock on an empty database; it is never read or written, so nothing else may open it with other means. */
const lockFile = (dir: string): string => join(dir, 'daemon.lock');
const whoFile = (dir: string): string => join(dir, 'daemon.json');
const tokenFile = (dir: string): string => join(dir, 'daemon.token');
/** A look by readDaemon() holds the file for an instant: that is waited for, a daemon is not. Milliseconds. */
const patience = 500;

/** Takes a data directory, made if need be. Codes: DATA_IN_USE, DATA_DIR_READONLY, DATA_DIR_BAD, DISK_FULL, DB_IO; stage 'data'. */
export function lockDataDir(dir: string): Result<Lock> {
  let held: Database.Database | undefined;
  try {
    makeDir(dir);
    held = new Database(lockFile(dir), { timeout: patience });
    held.exec('BEGIN EXCLUSIVE');
    for (const file of [whoFile(dir), tokenFile(dir)]) rmSync(file, { force: true });
    return { ok: true, value: lockOn(dir, held) };
  } catch (error) {
    held?.close();
    const failure = failureOf(error, 'data', lockFile(dir));
    if (failure === undefined) throw error;
    return failure.code === 'DB_BUSY' ? inUse(dir) : { ok: false, error: failure };
  }
}

function lockOn(dir: string, held: Database.Database): Lock {
  const release = (): void => {
    process.off('exit', release);
    if (!held.open) return;
    for (const file of [whoFile(dir), tokenFile(dir)]) rmSync(file, { force: true });
    held.close();
  };
  // A handle that nobody refers to is collected, and its lock with it: the process itself refers to this one.
  process.on('exit', release);
  return {
    announce(url, { token, certificate } = {}) {
      const who: Daemon = { pid: process.pid, url, ...(certificate !== undefined && { certificate }) };
      if (token !== undefined) writeFileSync(tokenFile(dir), token, { mode: 0o600, flag: 'wx' });
      // Renamed into place: a reader sees the whole of it or none.
      writeFileSync(`${whoFile(dir)}.new`, `${JSON.stringify(who)}\n`);
      renameSync(`${whoFile(dir)}.new`, whoFile(dir));
    },
    release,
  };
}

function inUse(dir: string): Result<Lock> {
  const who = whoHolds(dir);
  const by =
    who === undefined ? 'another daemon, which is just starting' : `the daemon with pid ${who.pid} at ${who.url}`;
  return failing(
    'data',
    'DATA_IN_USE',
    `${dir} is in use by ${by}: use that one, stop it, or choose another with --data DIR`,
  );
}

/** The daemon that serves a directory now; undefined when there is none, or none that listens yet. */
export function readDaemon(dir: string): Daemon | undefined {
  return isHeld(dir) === 'held' ? whoHolds(dir) : undefined;
}

function isHeld(dir: string): 'held' | 'free' {
  let look: Database.Database | undefined;
  try {
    look = new Database(lockFile(dir), { readonly: true, fileMustExist: true, timeout: 0 });
    look.prepare('SELECT 1 FROM sqlite_schema').get();
    return 'free';
  } catch (error) {
    // No file, no directory, no right to read it: then nobody whom we could talk to holds it.
    return failureOf(error, 'data', dir)?.code === 'DB_BUSY' ? 'held' : 'free';
  } finally {
    look?.close();
  }
}

function whoHolds(dir: string): Daemon | undefined {
  try {
    const who: unknown = JSON.parse(readFileSync(whoFile(dir), 'utf8'));
    if (typeof who !== 'object' || who === null || !('pid' in who) || !('url' in who)) return undefined;
    if (typeof who.pid !== 'number' || typeof who.url !== 'string') return undefined;
    const certificate = 'certificate' in who && typeof who.certificate === 'string' ? who.certificate : undefined;
    return { pid: who.pid, url: who.url, ...tokenIn(dir), ...(certificate !== undefined && { certificate }) };
  } catch {
    return undefined;
  }
}

function tokenIn(dir: string): Pick<Daemon, 'token'> {
  try {
    return { token: readFileSync(tokenFile(dir), 'utf8') };
  } catch {
    // It asks for none, or is somebody else's.
    return {};
  }
}

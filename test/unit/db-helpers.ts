/** What the tests of the database share: rooms on disk, a clock, and a user without rights. */
import { chmodSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type OpenOptions, openStore, type Place, type Store } from '../../db/index.ts';
import type { Random } from './random.ts';

/** A directory that goes with the test. */
export function room(): string {
  const dir = mkdtempSync(join(tmpdir(), 'microtune-db-'));
  chmodSync(dir, 0o755);
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** A clock that mostly goes forward and sometimes back, as real ones do. */
export function clock(r: Random): () => Date {
  let ms = Date.UTC(2026, 0, 1);
  return () => {
    ms += r.int(-2, 20);
    return new Date(ms);
  };
}

export function opened(place: Place, options: OpenOptions = { mode: 'write' }): Store {
  const store = openStore(place, options);
  if (!store.ok) throw new Error(store.error.detail);
  return store.value;
}

/** Runs work as a user who may not write to `dir`: as root, that takes another user. */
export function withoutWriting<T>(dir: string, work: () => T): T {
  const files = readdirSync(dir).map((f) => join(dir, f));
  const root = process.geteuid?.() === 0;
  for (const f of files) chmodSync(f, 0o444);
  chmodSync(dir, 0o555);
  if (root) process.seteuid?.(65534);
  try {
    return work();
  } finally {
    if (root) process.seteuid?.(0);
    chmodSync(dir, 0o755);
    for (const f of files) chmodSync(f, 0o644);
  }
}

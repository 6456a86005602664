/**
 * Whether a database takes what is written to it, and still is the file that was opened: a file that was deleted takes everything,
 * and loses it when the process ends.
 */
import { statSync } from 'node:fs';
import type Database from 'better-sqlite3';
import { failing, StoreError } from './errors.ts';

/** What one trial may need, bytes. */
const room = 65_536;

/** Tries out what writing needs, and leaves nothing. Throws StoreError for another file, else SQLite's errors. */
export function proberOf(db: Database.Database): () => void {
  const identity = (): number | undefined => statSync(db.name, { throwIfNoEntry: false })?.ino;
  const opened = db.memory ? undefined : identity();
  const touch = db.prepare('UPDATE farm SET id = id');
  return () => {
    if (!db.memory && identity() !== opened) {
      const why = `${db.name} was deleted or replaced while it was open: what is written now is lost`;
      throw new StoreError(failing('data', 'DATA_DIR_BAD', why).error);
    }
    withoutWaiting(db, () => {
      allocate(db);
      touch.run();
    });
  };
}

/** Pages that are taken and given back: a limit on the file's size shows here, a full disk when something is committed. */
function allocate(db: Database.Database): void {
  db.exec('BEGIN IMMEDIATE');
  try {
    db.exec(`CREATE TABLE probe (x); INSERT INTO probe VALUES (zeroblob(${room}))`);
  } finally {
    if (db.inTransaction) db.exec('ROLLBACK');
  }
}

/** Whoever asks has time to come back; the event loop has not. */
function withoutWaiting(db: Database.Database, work: () => void): void {
  const patience = Number(db.pragma('busy_timeout', { simple: true }));
  db.pragma('busy_timeout = 0');
  try {
    work();
  } finally {
    db.pragma(`busy_timeout = ${patience}`);
  }
}

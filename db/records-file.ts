/** A file of records that a user names: a database of ours, or an export of one. It is only read. */
import type { Result } from '../compiler/result.ts';
import { failing, failureOf, StoreError } from './errors.ts';
import { importRecords, linesOf } from './import.ts';
import { openStore } from './open.ts';
import type { Store } from './types.ts';

/**
 * Opens FILE for reading: a database when its name ends in .db, else JSON Lines (read into memory). Codes: those of
 * openStore, FILE_UNUSABLE, RECORD_BAD.
 */
export function openRecordsFile(file: string): Result<Store> {
  return file.endsWith('.db') ? openStore({ file }, { mode: 'read' }) : fromLines(file);
}

function fromLines(file: string): Result<Store> {
  const memory = openStore('memory', { mode: 'write' });
  if (!memory.ok) return memory;
  const read = imported(memory.value, file);
  if (read.ok) return memory;
  memory.value.close();
  return read;
}

function imported(store: Store, file: string): Result<unknown> {
  try {
    const read = importRecords(store, linesOf(file));
    return read.ok ? read : failing('record', read.error.code, `${file}, ${read.error.detail}`);
  } catch (error) {
    if (error instanceof StoreError) return { ok: false, error: error.failure };
    const failure = failureOf(error, 'data', file);
    if (failure === undefined) throw error;
    const why = error instanceof Error ? error.message : String(error);
    return failing('data', 'FILE_UNUSABLE', `cannot read records from ${file}: ${why}`);
  }
}

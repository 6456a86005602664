/**
 * The database: the Store's contract is types.ts, why it is so is docs/decisions/0007-database.md. Records from files are import.ts and
 * records-file.ts: not everybody who asks a database needs what checks them.
 */
export { BadCursor, BadFilter, StoreError } from './errors.ts';
export { allRecords, csvHeader, exportRecords, recordsToCsv, recordsToJsonLines } from './export.ts';
export { type Daemon, type Lock, lockDataDir, readDaemon } from './lock.ts';
export type { BestRow, Curve, FailureKey, Layer, Log, Place as TaskPlace, TaskFilter, TaskRow } from './log-types.ts';
export { databaseName, type OpenOptions, openStore, type Place } from './open.ts';
export { type Scope, scopes, type TokenRow } from './tokens.ts';
export type {
  Comparable,
  Environment,
  JobChange,
  JobEvent,
  JobFilter,
  JobRow,
  JobState,
  Merged,
  ModelRow,
  NewJob,
  NewRecord,
  Page,
  Priority,
  RankedOf,
  RecordFilter,
  RecordSort,
  Store,
  TuningRecord,
} from './types.ts';

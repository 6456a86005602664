/**
 * Records as text: JSON Lines (the form that is imported again, without loss) and CSV (for spreadsheets,
 * which do not run what stands in it). Must stay true:
 * equal records give equal bytes, and import of an export (import.ts) changes nothing that is there.
 */
import { recordKeys } from './record-keys.ts';
import type { RecordFilter, Store, TuningRecord } from './types.ts';

/** Records are read so many at a time. */
const pageSize = 500;

/** All records of a filter, oldest first; those appended meanwhile are included. Throws BadFilter. */
export function* allRecords(store: Store, filter: RecordFilter): Generator<TuningRecord> {
  for (let cursor: string | undefined; ; ) {
    const page = store.records(filter, pageSize, cursor);
    yield* page.items;
    if (page.next === null) return;
    cursor = page.next;
  }
}

/** One record as a line of JSON, line end included. */
const recordToJsonLine = (record: TuningRecord): string =>
  `${JSON.stringify(Object.fromEntries(recordKeys.map((k) => [k, record[k]])))}\n`;

export const recordsToJsonLines = (records: Iterable<TuningRecord>): string =>
  Array.from(records, recordToJsonLine).join('');

/** The records of a filter as lines of JSON, for a file that importRecords() takes. */
export function* exportRecords(store: Store, filter: RecordFilter): Generator<string> {
  for (const record of allRecords(store, filter)) yield recordToJsonLine(record);
}

/**
 * The columns of CSV: id, at, job, task, workload, board, kind, device, toolchain, flags, firmware, policy, template, config,
 * schedule, status, stage, code, detail, cycles, repeats, sizes, binary, reusedFrom, times, bytes, doubt. As RFC 4180 has it: lines
 * end in CR LF, quotes are doubled. config, schedule, repeats, sizes, times and bytes are JSON; null is an empty cell, an
 * empty text is "". A text that a spreadsheet would take for a formula has an apostrophe before it: CSV goes out only, lines of JSON
 * come in again.
 */
export const csvHeader = `${recordKeys.join(',')}\r\n`;

const recordToCsvLine = (record: TuningRecord): string => `${recordKeys.map((k) => csvCell(record[k])).join(',')}\r\n`;

export const recordsToCsv = (records: Iterable<TuningRecord>): string =>
  csvHeader + Array.from(records, recordToCsvLine).join('');

/** A cell as above: of a record, or of any table of plain values. */
export function csvCell(value: TuningRecord[keyof TuningRecord]): string {
  if (value === null) return '';
  const plain = typeof value === 'object' ? JSON.stringify(value) : String(value);
  const text = typeof value === 'string' && /^[=+\-@\t\r]/.test(value) ? `'${plain}` : plain;
  return text === '' || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

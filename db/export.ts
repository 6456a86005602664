/**
 * Records as text: JSON Lines (the form that is imported again, without loss) and CSV (for spreadsheets,
 * which do not run what stands in it). Must stay true:
 * equal records give equal bytes, and import of an export changes nothing that is there.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { StringDecoder } from 'node:string_decoder';
import type { Result } from '../compiler/result.ts';
import { failing } from './errors.ts';
import { checkRecord, recordKeys } from './record-schema.ts';
import type { Merged, RecordFilter, Store, TuningRecord } from './types.ts';

/** Records are read so many at a time. */
const pageSize = 500;
/** A line longer than this is no record of ours, characters. */
const longestLine = 2 ** 24;

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

class BadLine extends Error {}

/**
 * Takes over records from lines of JSON; all of them or, when a line is wrong, none. Records known by id are left as they
 * are. Codes: RECORD_BAD with the line's number; stage 'record'. Throws StoreError.
 */
export function importRecords(store: Store, lines: Iterable<string>): Result<Merged> {
  try {
    return { ok: true, value: store.mergeRecords(parsedLines(lines)) };
  } catch (error) {
    if (error instanceof BadLine) return failing('record', 'RECORD_BAD', error.message);
    throw error;
  }
}

/** Records that are checked or written before others get their turn: a few tens of milliseconds. */
const atOnce = 250;

/**
 * As importRecords(), but the process goes on meanwhile: lines are checked, then written piece by piece. A wrong line leaves nothing
 * behind; what ends the writing half-way (a full disk) leaves some, which are then known when it is tried again.
 */
export async function importInTurns(store: Store, lines: Iterable<string>): Promise<Result<Merged>> {
  const records: TuningRecord[] = [];
  try {
    for (const record of parsedLines(lines)) if (records.push(record) % atOnce === 0) await turn();
  } catch (error) {
    if (error instanceof BadLine) return failing('record', 'RECORD_BAD', error.message);
    throw error;
  }
  const sum = { added: 0, duplicates: 0, conflicts: 0 };
  for (let i = 0; i < records.length; i += atOnce) {
    const merged = store.mergeRecords(records.slice(i, i + atOnce));
    for (const fate of ['added', 'duplicates', 'conflicts'] as const) sum[fate] += merged[fate];
    await turn();
  }
  return { ok: true, value: sum };
}
const turn = (): Promise<void> => new Promise((others) => setImmediate(others));

function* parsedLines(lines: Iterable<string>): Generator<TuningRecord> {
  let number = 0;
  for (const line of lines) {
    number++;
    if (line.trim() === '') continue;
    const checked = checkRecord(parsedJson(line, number));
    if ('wrong' in checked) throw new BadLine(`line ${number}: ${checked.wrong}`);
    yield checked.record;
  }
}

function parsedJson(line: string, number: number): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw new BadLine(`line ${number} is not JSON`);
  }
}

/** The lines of a text file, read piece by piece: an export may be larger than memory. Throws what the file system throws. */
export function* linesOf(path: string): Generator<string> {
  const fd = openSync(path, 'r');
  try {
    const decoder = new StringDecoder('utf8');
    const piece = Buffer.alloc(2 ** 16);
    let rest = '';
    for (let bytes = readSync(fd, piece); bytes > 0; bytes = readSync(fd, piece)) {
      const lines = (rest + decoder.write(piece.subarray(0, bytes))).split('\n');
      rest = lines.pop() ?? '';
      yield* lines;
      if (rest.length > longestLine) throw new BadLine(`a line of ${path} has over ${longestLine} characters`);
    }
    rest += decoder.end();
    if (rest !== '') yield rest;
  } finally {
    closeSync(fd);
  }
}

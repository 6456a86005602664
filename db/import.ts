/**
 * Records from lines of JSON, as export.ts writes them; apart from it, for what checks them takes long to load. Must stay true: a line
 * that is no record is told of by its number, and nothing of its file is taken over.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { StringDecoder } from 'node:string_decoder';
import { setImmediate as turn } from 'node:timers/promises';
import type { Result } from '../compiler/result.ts';
import { failing } from './errors.ts';
import { checkRecord } from './record-schema.ts';
import type { Merged, Store, TuningRecord } from './types.ts';

/** A line longer than this is no record of ours, characters. */
const longestLine = 2 ** 24;

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

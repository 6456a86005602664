/** A file of records, one JSON object a line, as `records --format jsonl` writes them. What selection reads is checked. */
import { readFileSync } from 'node:fs';
import { failed, ok, type Result } from '../../compiler/result.ts';
import type { TuningRecord } from '../../db/types.ts';

type Checks = Readonly<Record<string, (v: unknown) => boolean>>;

const text = (v: unknown): boolean => typeof v === 'string';
const list = (v: unknown): boolean => Array.isArray(v);
const whole = (v: unknown): boolean => v === null || (typeof v === 'number' && v >= 0);
const object = (v: unknown): v is Readonly<Record<string, unknown>> => typeof v === 'object' && v !== null;
const holds = (v: unknown, checks: Checks): boolean =>
  object(v) && Object.entries(checks).every(([key, check]) => check(v[key]));

/** The fields that choosing a schedule depends on; steps are checked when they are replayed. */
const fields: Checks = {
  id: text,
  task: text,
  board: text,
  kind: text,
  toolchain: text,
  flags: text,
  status: text,
  template: text,
  cycles: whole,
  sizes: (v) => v === null || object(v),
  schedule: (v) => holds(v, { algorithm: text, steps: list }),
  config: (v) => holds(v, { template: text }) && (holds(v, { knobs: object }) || holds(v, { schedule: object })),
};

/** All records of a file. Failure: RECORDS_INVALID with the line and the field; a missing file throws. */
export function readRecords(file: string): Result<readonly TuningRecord[]> {
  const records: TuningRecord[] = [];
  for (const [i, line] of readFileSync(file, 'utf8').split('\n').entries()) {
    if (line.trim() === '') continue;
    const read = readLine(line);
    if (!read.ok) return failed('input', 'RECORDS_INVALID', `${file}, line ${i + 1}: ${read.error.detail}`);
    records.push(read.value);
  }
  return ok(records);
}

function readLine(line: string): Result<TuningRecord> {
  const parsed = parse(line);
  if (!object(parsed)) return failed('input', 'RECORDS_INVALID', 'it is no JSON object');
  const wrong = Object.entries(fields).find(([key, check]) => !check(parsed[key]));
  if (wrong !== undefined)
    return failed('input', 'RECORDS_INVALID', `field "${wrong[0]}" is missing or not as it must be`);
  return ok(parsed as unknown as TuningRecord);
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

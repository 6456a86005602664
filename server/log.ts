/**
 * The daemon's log: everything from `info` on in DATA/log, as JSON lines with job, trial and request ids; on standard error what
 * the user asked for. Must stay true: a line is one line, whatever a client or a model says (JSON sees to that), and the files
 * stay within bounds.
 */
import { closeSync, fstatSync, openSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import pino, { type Logger } from 'pino';
import { failureIn } from './failure-in.ts';

export const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

export interface LogBounds {
  /** Of a file, after which the next one is begun. */
  readonly bytes: number;
  /** Files beside the one that is written: log.1 is the youngest. */
  readonly old: number;
}
const usualBounds: LogBounds = { bytes: 16 * 2 ** 20, old: 4 };

export function openLog(dataDir: string, level: LogLevel, bounds: LogBounds = usualBounds): Logger {
  const file = boundedFile(join(dataDir, 'log'), bounds);
  const streams: pino.StreamEntry[] = [{ level: level === 'debug' ? 'debug' : 'info', stream: file }];
  if (level !== 'silent') streams.push({ level, stream: pino.destination({ dest: 2, sync: true }) });
  return pino(
    { level: level === 'debug' ? 'debug' : 'info', serializers: { err: errorInLog } },
    pino.multistream(streams),
  );
}

/** What the machine did is told by code and detail; only an error of ours with the place where it happened. */
function errorInLog(error: unknown): object {
  const failure = failureIn(error);
  return failure.code === 'INTERNAL' && error instanceof Error ? pino.stdSerializers.err(error) : failure;
}

/** A file that is set aside when it is full; the oldest one goes. A full disk must not end the daemon for the sake of its log. */
function boundedFile(path: string, bounds: LogBounds): pino.DestinationStream {
  let file = openSync(path, 'a');
  let bytes = fstatSync(file).size;
  const next = (): void => {
    setAside(path, bounds.old);
    const full = file;
    // Where this fails, the old one is written on: a number that is closed may soon be another file's.
    file = openSync(path, 'a');
    closeSync(full);
    bytes = 0;
  };
  return {
    write(line: string) {
      try {
        if (bytes > 0 && bytes + Buffer.byteLength(line) > bounds.bytes) next();
        bytes += writeSync(file, line);
      } catch {
        // There is nobody to tell: this is where it would be told.
      }
    },
  };
}

/** log.3 -> log.4, log.2 -> log.3, log.1 -> log.2, log -> log.1. What cannot be moved stays, and is written on. */
function setAside(path: string, old: number): void {
  for (let n = old; n > 0; n--) {
    try {
      renameSync(n === 1 ? path : `${path}.${n - 1}`, `${path}.${n}`);
    } catch {
      // There is none of that number yet, or the folder cannot be written: a log is no reason to stop.
    }
  }
}

/** The daemon's log: everything from `info` on in DATA/log, as JSON lines with job and trial ids; on standard error what the user asked for. */
import { join } from 'node:path';
import pino, { type Logger } from 'pino';

export const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

export function openLog(dataDir: string, level: LogLevel): Logger {
  const file = pino.destination({ dest: join(dataDir, 'log'), sync: true });
  const streams: pino.StreamEntry[] = [{ level: level === 'debug' ? 'debug' : 'info', stream: file }];
  if (level !== 'silent') streams.push({ level, stream: pino.destination({ dest: 2, sync: true }) });
  return pino({ level: level === 'debug' ? 'debug' : 'info' }, pino.multistream(streams));
}

/** Files that a user named: whatever is wrong with one is told with its path. */
import { closeSync, openSync, readSync } from 'node:fs';

/** More than any model or input that is taken; a device that never ends must not fill the memory. */
const mostBytes = 2 ** 28;
const chunkBytes = 2 ** 20;

/** The bytes of a file or pipe. What it throws has the path, which Node leaves out where the file is a folder. */
export function readFile(file: string): Buffer {
  try {
    return readAll(file);
  } catch (error) {
    throw Object.assign(error as Error, { path: file });
  }
}

/** A token or password that stands alone in a file; what it throws is as readFile's. */
export const secretIn = (file: string): string => readFile(file).toString('utf8').trim();

function readAll(file: string): Buffer {
  const fd = openSync(file, 'r');
  try {
    const parts: Buffer[] = [];
    for (let total = 0; ; ) {
      const part = Buffer.allocUnsafe(chunkBytes);
      const got = readSync(fd, part);
      if (got === 0) return Buffer.concat(parts);
      total += got;
      if (total > mostBytes) throw Object.assign(new Error(`more than ${mostBytes} bytes`), { code: 'EFBIG' });
      parts.push(part.subarray(0, got));
    }
  } finally {
    closeSync(fd);
  }
}

/** Files that a user named: whatever is wrong with one is told with its path. */
import { readFileSync } from 'node:fs';

/** The bytes of a file. What it throws has the path, which Node leaves out where the file is a folder. */
export function readFile(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw Object.assign(error as Error, { path: file });
  }
}

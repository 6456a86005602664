/** Folders at places that a user names: whatever the place, the answer comes. */
import { mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

/** Node's recursive mkdir never ends where the system says "no such directory" for a parent that is there, as /proc does. */
export function makeDir(dir: string): void {
  if (statSync(dir, { throwIfNoEntry: false })?.isDirectory() === true) return;
  if (dirname(dir) !== dir) makeDir(dirname(dir));
  try {
    mkdirSync(dir);
  } catch (error) {
    // Another process may have been faster.
    if (statSync(dir, { throwIfNoEntry: false })?.isDirectory() !== true) throw error;
  }
}

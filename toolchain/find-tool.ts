/** Where programs are. */
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Where a program lies in PATH. */
export function findTool(name: string): string | undefined {
  const dirs = (process.env.PATH ?? '').split(delimiter);
  return name.includes('/')
    ? existsSync(name)
      ? name
      : undefined
    : dirs.map((d) => join(d, name)).find((f) => existsSync(f));
}

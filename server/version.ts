/** The version of this program, from package.json. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

export const version: string = (
  JSON.parse(readFileSync(resolve(import.meta.dirname, '../package.json'), 'utf8')) as { readonly version: string }
).version;

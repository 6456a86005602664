/** Writes docs/errors.md from the one table of error codes. */
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { errorsPage } from '../server/errors-page.ts';

writeFileSync(resolve(import.meta.dirname, '../docs/errors.md'), errorsPage());

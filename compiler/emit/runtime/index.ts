/** The C that ships with every product: one small header, read once from the file beside this one. */
import { readFileSync } from 'node:fs';

/** File name under which generated kernels include it. */
export const runtimeHeaderName = 'mt_kernel.h';
/** Its text, exactly as it lies in the repository. */
export const runtimeHeader: string = readFileSync(new URL(runtimeHeaderName, import.meta.url), 'utf8');

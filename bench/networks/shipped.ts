/** How a session's results become records that ship: what they were measured on, one of them, and the file. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Task } from '../../compiler/tasks.ts';
import type { Schedule } from '../../kernels/index.ts';
import {
  type MeasuredOn,
  printShipped,
  type ShippedFile,
  type ShippedRecord,
  shippedDir,
} from '../../server/shipped/file.ts';
import type { Config, MeasureResult } from '../../tuner/types.ts';
import type { Session } from '../session.ts';

export const measuredOn = ({ board, kind, toolchain, module }: Session): MeasuredOn => ({
  board,
  kind,
  toolchain,
  flags: module.target.flags.join(' '),
});

/** `names`: whose layer the task is. */
export const recordOf = (
  names: readonly string[],
  { id, workload }: Task,
  { config, schedule }: { readonly config: Config; readonly schedule: Schedule },
  { cycles, sizes }: MeasureResult & { readonly status: 'ok' },
): ShippedRecord => ({ for: names, task: id, workload, cycles, sizes, config, schedule });

export function writeShipped(file: ShippedFile): void {
  mkdirSync(shippedDir, { recursive: true });
  writeFileSync(join(shippedDir, `${file.on.board}.jsonl`), printShipped(file));
}

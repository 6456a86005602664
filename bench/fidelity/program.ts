/**
 * Runs a program under a twin's model. The program is linked for the twin's machine as the board's README says, brackets what
 * is counted with the BEGIN and END markers of boards/common/timing/mailbox.h, and ends by semihosting (SYS_EXIT).
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { TwinData } from '../../boards/board.ts';
import { machineOf } from '../../boards/common/mps2/machines.ts';
import { timingOf } from '../../boards/common/twin.ts';
import { type Counters, runImage } from '../../test/timing/image.ts';

/** Counts between the markers, and what the program said by semihosting. */
export async function countProgram(board: string, elf: string): Promise<Counters & { readonly said: string }> {
  const file = resolve(import.meta.dirname, '../../boards', board, 'board.json');
  const data = JSON.parse(readFileSync(file, 'utf8')) as TwinData;
  const timing = timingOf(data);
  if (timing === undefined) throw new Error(`${board} has no timing model`);
  const machine = machineOf(data.twin.machine);
  const shared = { ...machine.shared, mailbox: machine.mailbox };
  const ran = await runImage({ machine: machine.name, timing, shared, elf, seconds: 600 });
  return { ...ran.counters(), said: ran.said };
}

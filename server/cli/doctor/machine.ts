/** What this machine must have before any board can work: compilers, emulators, rights on the serial ports. */
import { accessSync, constants } from 'node:fs';
import type { BoardModule } from '../../../boards/index.ts';
import { portOwner } from '../../../firmware-rpc/host/discover.ts';
import { findTool, run, toolchainVersion, toolHint } from '../../../toolchain/index.ts';
import { type Finding, failedWith, failing, fine, type Verdict, warning } from './finding.ts';

/** The compiler of each board, each once. */
export async function lookAtCompilers(boards: readonly BoardModule[]): Promise<readonly Finding[]> {
  const targets = new Map(boards.map((b) => [b.target.compiler, b.target]));
  return Promise.all(
    [...targets].map(async ([subject, target]): Promise<Finding> => {
      const version = await toolchainVersion(target);
      const verdict = version.ok ? fine(version.value) : failedWith(version.error);
      return { subject, check: 'compiler', ...verdict };
    }),
  );
}

const emulators = ['qemu-system-arm', 'qemu-system-riscv32'] as const;
/** Emulators of our boards. Where boards were asked for, those that need one which is missing tell of it: 'found' leaves it out. */
export async function lookAtEmulators(which: 'all' | 'found'): Promise<readonly Finding[]> {
  const looked = emulators.filter((name) => which === 'all' || findTool(name) !== undefined);
  return Promise.all(
    looked.map(async (subject): Promise<Finding> => {
      if (findTool(subject) === undefined)
        return {
          subject,
          check: 'emulator',
          ...warning(toolHint(subject), 'Its boards cannot be emulated without it.'),
        };
      const { code, stdout, stderr } = await run([subject, '--version']);
      const [first = ''] = stdout.split('\n');
      const verdict =
        code === 0 ? fine(first) : failing(`does not start: ${stderr.trim().slice(-200)}`, 'Install it again.');
      return { subject, check: 'emulator', ...verdict };
    }),
  );
}

/** Whether this user may open the ports, and whether another program has them. */
export const lookAtPorts = (ports: readonly string[]): readonly Finding[] =>
  ports.map((subject) => ({ subject, check: 'port', ...portVerdict(subject) }));

function portVerdict(path: string): Verdict {
  const owner = portOwner(path);
  if (owner !== undefined) return warning(`process ${owner} has it`, 'End that program before you use this port.');
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
    return fine('may be read and written');
  } catch {
    return failing(
      'may not be read and written by this user',
      'Add yourself to the group that owns it (sudo usermod -aG dialout $USER) and log in again.',
    );
  }
}

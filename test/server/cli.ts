/** The command line in this process: what it said on either screen, and the exit code. */
import { Readable } from 'node:stream';
import { main } from '../../server/cli/index.ts';

export interface Said {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export async function cli(...args: readonly string[]): Promise<Said> {
  const said = { out: '', err: '' };
  const code = await main(args, {
    stdin: Readable.from([]),
    stdout: { write: (text) => (said.out += text) },
    stderr: { write: (text) => (said.err += text) },
  });
  return { code, ...said };
}

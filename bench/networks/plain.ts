/** The reference networks with default schedules: plain loops as the board's compiler makes them, nothing known, nothing tuned. */
import type { NetworkName } from '../../test/models.ts';
import { replayNetwork } from './replay.ts';

export interface Plain {
  readonly network: string;
  readonly cycles: number;
}

/** A network that does not fit has no row. */
export async function replayPlain(
  networks: readonly NetworkName[],
  board: string,
  say: (line: string) => void,
): Promise<readonly Plain[]> {
  const rows: Plain[] = [];
  for (const network of networks) {
    say(`${network} on ${board} with default schedules`);
    const done = await replayNetwork(network, { board, shipped: () => undefined });
    if (done.ok) rows.push({ network, cycles: done.value.cycles });
    else if (done.error.code !== 'MODEL_TOO_BIG') throw new Error(`${done.error.code}: ${done.error.detail}`);
  }
  return rows;
}

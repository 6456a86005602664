/** The reference networks with no more RAM for everything than TFLite Micro's arena takes, which does without its own stack and code. */
import { boardOf } from '../../boards/index.ts';
import type { NetworkName } from '../../test/models.ts';
import { arenaBudget } from './published.ts';
import { type NetworkResult, replayNetwork } from './replay.ts';

export interface Tight {
  readonly network: string;
  readonly ramBudget: number;
  /** What it came to, or why it cannot be. */
  readonly result:
    | { readonly cycles: number; readonly ramBytes: number; readonly flashBytes: number; readonly exact: boolean }
    | { readonly refused: string };
}

export async function replayTight(
  networks: readonly NetworkName[],
  board: string,
  say: (line: string) => void,
): Promise<readonly Tight[]> {
  const rows: Tight[] = [];
  for (const network of networks) {
    const ramBudget = arenaBudget(network, boardOf(board)?.cpu ?? '');
    if (ramBudget === undefined) continue;
    say(`${network} on ${board} within ${ramBudget} bytes of RAM`);
    const done = await replayNetwork(network, { board, budgets: { ramBytes: ramBudget } });
    if (!done.ok && done.error.code !== 'MODEL_TOO_BIG') throw new Error(`${done.error.code}: ${done.error.detail}`);
    rows.push({ network, ramBudget, result: done.ok ? essence(done.value) : { refused: done.error.detail } });
  }
  return rows;
}

const essence = ({ cycles, ramBytes, flashBytes, exact }: NetworkResult) => ({ cycles, ramBytes, flashBytes, exact });

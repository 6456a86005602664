/**
 * What went wrong in a call, for people: the fault in words, the line of the candidate's C, and the registers. The line is told
 * only where it is known (toolchain/locate.ts).
 */
import { hex } from '../../firmware-rpc/host/bytes.ts';
import type { CallEnding, CallResult } from '../../firmware-rpc/host/device.ts';
import type { CandidateLink, Unit } from '../../toolchain/index.ts';
import { placesInSource, type SourcePlace } from '../../toolchain/locate.ts';
import { faultWords } from './fault-words.ts';

type Failed = Extract<CallResult, { readonly ok: false }>;

const quoted = (place: SourcePlace, source: string): string =>
  `${place.function} line ${place.line}: \`${source.split('\n')[place.line - 1]?.trim() ?? ''}\``;

/** Where it was, or who had called what is not the candidate's (a call to nowhere). A CPU that lost its stack tells neither. */
function where({ pc, lr }: CallEnding, [here, caller]: readonly (SourcePlace | undefined)[], source: string): string {
  if (here !== undefined) return `in ${quoted(here, source)}`;
  if (caller !== undefined) return `called from ${quoted(caller, source)}`;
  return pc === 0 && lr === 0 ? 'where, the CPU cannot tell' : 'outside of its C code';
}

function whatHappened(code: Failed['code'], isa: string, ending: CallEnding): string {
  const address = ending.address === 0 ? '' : ` at ${hex(ending.address)}`;
  switch (code) {
    case 'FAULT':
      return `${faultWords(isa, ending)}${address}`;
    case 'DEADLINE':
      return 'stopped at its deadline';
    case 'DAMAGED':
      return `wrote over the firmware, which has restarted${ending.cause === 0 ? '' : `; ${faultWords(isa, ending)}`}`;
    case 'LINK':
      return 'lost';
  }
}

/** The detail of a failure. `unit` is what the candidate was compiled from, `link` how it was linked. */
export async function blame(run: Failed, unit: Unit, link: CandidateLink, cacheDir: string): Promise<string> {
  const { ending } = run;
  if (ending === undefined) return run.detail;
  const { pc, lr, cause } = ending;
  const registers = `(pc ${hex(pc)} lr ${hex(lr)} cause ${hex(cause)})`;
  // lr is the address behind a call, with a bit for Thumb.
  const addresses = [pc, lr > 2 ? (lr & ~1) - 2 : 0].map((a) => a >>> 0);
  const places = await placesInSource(unit, link, addresses, cacheDir);
  return `${whatHappened(run.code, unit.target.isa, ending)}, ${where(ending, places, unit.source)} ${registers}`;
}

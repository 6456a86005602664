/** The devices of a worker, by its options: attached and emulated as a farm has them, without a farm around them. */
import { type BoardModule, boards, type Compiler, compiledBy } from '../../boards/index.ts';
import { failed, ok, type Result } from '../../compiler/result.ts';
import type { FarmOptions } from '../devices.ts';
import { forgetful, Ledger } from '../farm/ledger.ts';
import type { Place } from '../farm/place.ts';
import { Roster } from '../farm/roster.ts';
import { flasherOf } from '../firmware.ts';
import { boardsFor } from '../product.ts';
import { Stand } from './stand.ts';

export interface StandsOptions extends Pick<FarmOptions, 'attached' | 'emulate' | 'cacheDir' | 'log'> {
  readonly powerCycle: Readonly<Record<string, string>>;
  readonly compiler: Compiler;
  /** Where firmware for real boards is built. */
  readonly firmwareDir: string;
}

/** Failures: BOARD_UNKNOWN, KINDS_MIXED, USAGE where there would be none. */
export function standsOf(o: StandsOptions): Result<readonly Stand[]> {
  const named = [...o.attached.map((d) => d.board), ...Object.keys(o.emulate), ...Object.keys(o.powerCycle)];
  const unknown = named.find((id) => !boards.some((b) => b.id === id));
  if (unknown !== undefined) return failed('start', 'BOARD_UNKNOWN', `no board is called "${unknown}"`);
  const wanted = boards.filter((b) => named.includes(b.id));
  const mine = boardsFor(wanted, { devices: o.attached, emulate: o.emulate });
  if (!mine.ok) return mine;
  const places = placesOf(
    o,
    mine.value.map((board) => compiledBy(board, o.compiler)),
  );
  if (places.length === 0)
    return failed('start', 'USAGE', 'a worker offers devices: name some with --device BOARD=PATH or --emulate BOARD=N');
  return ok(places.map((p) => new Stand(nameOf(p), p.board, p.source, o.cacheDir)));
}

/** Nothing is emulated that was not asked for. */
function placesOf(o: StandsOptions, mine: readonly BoardModule[]): readonly Place[] {
  const ledger = new Ledger({ store: forgetful, now: Date.now, log: o.log });
  const flasher = (board: BoardModule) => flasherOf(board, o.firmwareDir);
  return new Roster({ ...o, boards: mine, cores: 0, flasherOf: flasher }, ledger).all();
}

/** Behind the worker's name and a slash: bench2/dev/ttyACM0. */
const nameOf = ({ name }: Place): string => name.replace(/^\/+/, '');

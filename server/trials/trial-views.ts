/**
 * One trial whole: what its record says, and what can be made again from it: the C, what the compiler says, the machine code.
 * Must stay true: showing a trial changes nothing; whoever asks a second time waits for the first answer.
 */
import { causes } from '../../boards/index.ts';
import { failed, ok, type Result } from '../../compiler/result.ts';
import type { TuningRecord } from '../../db/types.ts';
import { commandOf, compilerOutput, toolchainVersion } from '../../toolchain/index.ts';
import { unitOf } from '../../tuner/measure/builder.ts';
import { wordsOf } from '../offers.ts';
import type { RecordBody, ReplayBody, TrialBody } from '../schemas/index.ts';
import { Answers } from './answers.ts';
import { cyclesOf, type Listed, type Listing, listingOf } from './listing.ts';
import { type Remade, remake } from './remake.ts';
import { type ReplayOptions, replay } from './replay.ts';

/** What is made again of a trial; `missing` says why something is not there. */
type Made = Pick<TrialBody, 'source' | 'compiler' | 'disassembly' | 'sameBinary' | 'missing'>;

/** Trials whose making is kept: each compiles, and may start an emulator. */
const kept = 64;
/** What failed for a reason that may pass, as a network that is not here yet, is tried anew. */
const lasts = ({ missing, sameBinary }: Made): boolean => missing === null && sameBinary !== false;

export class TrialViews {
  private readonly o: ReplayOptions;
  private readonly made = new Answers<Made>(kept, lasts);

  constructor(options: ReplayOptions) {
    this.o = options;
  }

  /** Failure: TRIAL_NOT_FOUND. What cannot be made again is null, and `missing` says why. */
  async show(id: string): Promise<Result<TrialBody>> {
    const record = this.record(id);
    if (!record.ok) return record;
    const known = this.known(record.value);
    return ok({ ...known, ...(await this.made.get(id, () => this.make(record.value))) });
  }

  /** Measures it again. Failures: TRIAL_NOT_FOUND, TRIAL_UNMAKEABLE, NO_DEVICE and others of opening devices. */
  async replay(id: string): Promise<Result<ReplayBody>> {
    const old = this.record(id);
    if (!old.ok) return old;
    const done = await replay(this.o, old.value);
    if (!done.ok) return done;
    const { record, sameBinary } = done.value;
    const same =
      record.status === old.value.status && record.cycles === old.value.cycles && record.code === old.value.code;
    return ok({ record: record as RecordBody, was: old.value.cycles, now: record.cycles, same, sameBinary });
  }

  private record(id: string): Result<TuningRecord> {
    const record = this.o.store.record(id);
    return record === undefined ? failed('request', 'TRIAL_NOT_FOUND', `no trial has the id "${id}"`) : ok(record);
  }

  private known(record: TuningRecord): Omit<TrialBody, keyof Made> {
    const task = this.o.store.log.task(record.task);
    const layers = (task?.networks ?? []).flatMap(({ id, name }) =>
      this.o.store.log.layerNames(record.task, id).map((layer) => ({ model: id, modelName: name, name: layer })),
    );
    const { device, firmware, times } = record;
    return {
      record: record as RecordBody,
      task: { id: record.task, op: task?.op ?? null, shape: task?.shape ?? null, layers },
      words: wordsOf(record.config),
      device: device === null ? null : { id: device, firmware },
      stages: Object.entries(times).map(([stage, ms]) => ({ stage, ms })),
    };
  }

  private async make(record: TuningRecord): Promise<Made> {
    const nothing = { source: null, compiler: null, disassembly: null, sameBinary: null };
    const remade = await remake(this.o, record);
    if (!remade.ok) return { ...nothing, missing: remade.error.detail };
    const { board, candidate, built, same } = remade.value;
    const unit = unitOf(candidate.kernel, board.target);
    const compiler = await compilerOf(remade.value);
    const shown = { source: unit.source, compiler: compiler.ok ? compiler.value : null, sameBinary: same };
    const listing = built.ok ? await listingOf(remade.value, built.value, this.o.cacheDir) : built;
    if (!listing.ok) return { ...shown, disassembly: null, missing: listing.error.detail };
    return { ...shown, disassembly: disassemblyOf(listing.value), missing: compiler.ok ? null : compiler.error.detail };
  }
}

async function compilerOf({ board, candidate }: Remade): Promise<Result<NonNullable<TrialBody['compiler']>>> {
  const unit = unitOf(candidate.kernel, board.target);
  const version = await toolchainVersion(board.target);
  if (!version.ok) return version;
  const output = await compilerOutput(unit);
  if (!output.ok) return output;
  const command = commandOf(unit).join(' ');
  return ok({ version: version.value, command, flags: [...unit.flags], output: output.value });
}

const disassemblyOf = ({ lines, cycles }: Listing): TrialBody['disassembly'] => ({
  lines: lines.map(lineOf),
  cycles,
});
const lineOf = ({ address, text, symbol, tally }: Listed): NonNullable<TrialBody['disassembly']>['lines'][number] => ({
  address,
  text,
  symbol,
  count: tally?.executed ?? null,
  cycles: tally === null ? null : cyclesOf(tally),
  causes: tally === null ? null : Object.fromEntries(causes.map((cause) => [cause, tally.causes[cause]])),
});

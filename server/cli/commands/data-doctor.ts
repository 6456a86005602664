/** `microtune doctor`: looks at the data directory and says what to do; with --repair, makes summaries of trials again. */
import type { Command } from 'commander';
import { ok, type Result } from '../../../compiler/result.ts';
import { type Store, StoreError } from '../../../db/index.ts';
import { lookAtData } from '../doctor/data.ts';
import { failedWith, fine, told } from '../doctor/finding.ts';
import type { Act } from '../index.ts';
import type { Io, Shows } from '../io.ts';
import { type CommonOptions, common } from '../options.ts';
import { changeAlone, readingStore } from '../store.ts';

interface DataDoctorOptions extends CommonOptions {
  readonly repair?: true;
}

export function addDataDoctor(program: Command, act: Act): void {
  const command = program
    .command('doctor')
    .description('look at the data directory: is the database sound, do summaries agree, what is left over')
    .option('--repair', 'make summaries of trials again, from the trials; no daemon may run meanwhile');
  common(command, 'microtune doctor --data ./data').action(act(doctor));
}

async function doctor(io: Io, o: DataDoctorOptions): Shows {
  const repaired = o.repair === true ? changeAlone(o.data, remakeSummaries) : ok(undefined);
  if (!repaired.ok) return repaired;
  const opened = readingStore(o.data);
  if (!opened.ok) return told(io, [{ subject: o.data, check: 'database', ...failedWith(opened.error) }]);
  const { value: store } = opened;
  if (store === undefined) return told(io, [{ subject: o.data, check: 'database', ...fine('none yet') }]);
  try {
    return told(io, await lookAtData(store, o.data, new Date()));
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    return told(io, [{ subject: o.data, check: 'database', ...failedWith(error.failure) }]);
  } finally {
    store.close();
  }
}

function remakeSummaries(store: Store): Result<void> {
  store.remakeSummaries();
  return ok(undefined);
}

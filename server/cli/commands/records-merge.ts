/**
 * `microtune records merge OTHER`: takes over the records of another farm. Must stay true: a record comes once, however often and from
 * wherever it is merged; where a daemon runs on the data directory, it is the one that writes.
 */
import { statSync } from 'node:fs';
import type { Command } from 'commander';
import type { Client } from '../../../client/client.ts';
import { failed, ok, type Result } from '../../../compiler/result.ts';
import { allRecords, recordsToJsonLines } from '../../../db/export.ts';
import { databaseName, type Merged, openStore, type Store } from '../../../db/index.ts';
import { openRecordsFile } from '../../../db/records-file.ts';
import type { TuningRecord } from '../../../db/types.ts';
import { runningDaemon } from '../daemon.ts';
import type { Act } from '../index.ts';
import type { Io, Shows } from '../io.ts';
import { type CommonOptions, common, type RemoteOptions, remote } from '../options.ts';
import { changeAlone } from '../store.ts';
import { counted } from '../table.ts';

/** Records of one request or transaction. */
const atOnce = 2000;

export function addMerge(records: Command, act: Act): void {
  const command = records
    .command('merge')
    .description('take over the records of another farm; those that are known are left as they are')
    .argument('<other>', 'a data directory, a database (.db), or lines of JSON');
  common(remote(command), 'microtune records merge ../other-farm').action(act(merge));
}

async function merge(_io: Io, other: string, o: CommonOptions & RemoteOptions): Shows {
  const from = openOther(other);
  if (!from.ok) return from;
  try {
    const client = runningDaemon(o);
    const merged = client === undefined ? mergeHere(from.value, o.data) : await mergeThere(from.value, client);
    return merged.ok ? ok({ json: merged.value, text: textOf(merged.value) }) : merged;
  } finally {
    from.value.close();
  }
}

function openOther(other: string): Result<Store> {
  if (statSync(other, { throwIfNoEntry: false })?.isDirectory() !== true) return openRecordsFile(other);
  const opened = openStore({ dir: other }, { mode: 'read' });
  return !opened.ok && opened.error.code === 'DB_MISSING'
    ? failed('input', 'FILE_UNUSABLE', `${other} is no data directory: there is no ${databaseName} in it`)
    : opened;
}

const textOf = ({ added, duplicates, conflicts }: Merged): string =>
  `${counted(added, 'record')} taken over, ${duplicates} known before${
    conflicts === 0 ? '' : `, ${conflicts} left out: their ids are known with another content`
  }`;

const mergeHere = (from: Store, data: string): Result<Merged> =>
  changeAlone(data, (store) => ok(sumOf([...pieces(from)].map((records) => store.mergeRecords(records)))));

async function mergeThere(from: Store, client: Client): Promise<Result<Merged>> {
  const merged: Merged[] = [];
  for (const records of pieces(from)) {
    const answer = await client.importRecords(recordsToJsonLines(records));
    if (!answer.ok) return answer;
    merged.push(answer.value);
  }
  return ok(sumOf(merged));
}

function* pieces(from: Store): Generator<readonly TuningRecord[]> {
  let piece: TuningRecord[] = [];
  for (const record of allRecords(from, {})) {
    if (piece.push(record) < atOnce) continue;
    yield piece;
    piece = [];
  }
  yield piece;
}

const sumOf = (all: readonly Merged[]): Merged =>
  all.reduce(
    (sum, m) => ({
      added: sum.added + m.added,
      duplicates: sum.duplicates + m.duplicates,
      conflicts: sum.conflicts + m.conflicts,
    }),
    { added: 0, duplicates: 0, conflicts: 0 },
  );

/** `microtune backup`: a copy of the database, whole, whether a daemon is writing to it or not. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { failed, ok, type Result } from '../../../compiler/result.ts';
import { backupName } from '../../data/sizes.ts';
import type { BackupBody } from '../../schemas/index.ts';
import { askOrRead } from '../daemon.ts';
import type { Act } from '../index.ts';
import type { Io, Shows } from '../io.ts';
import { type CommonOptions, common, type RemoteOptions, remote } from '../options.ts';
import { readingStore } from '../store.ts';
import { count } from '../table.ts';

export function addBackup(program: Command, act: Act): void {
  const command = program
    .command('backup')
    .description('copy the database into the backups of the data directory, also while it is in use');
  common(remote(command), 'microtune backup').action(act(backup));
}

async function backup(_io: Io, o: CommonOptions & RemoteOptions): Shows {
  const made = await askOrRead<BackupBody>(
    o,
    (client) => client.backup(),
    () => backupHere(o.data),
  );
  if (!made.ok) return made;
  const { file, bytes, ms } = made.value;
  return ok({ json: made.value, text: `${file}: ${count(bytes)} bytes in ${count(ms)} ms` });
}

async function backupHere(data: string): Promise<Result<BackupBody>> {
  const store = readingStore(data);
  if (!store.ok) return store;
  if (store.value === undefined) return failed('data', 'DB_MISSING', `there is no database in ${data}`);
  const began = performance.now();
  const file = backupName(new Date());
  const copied = await store.value.backup(resolve(data, file));
  store.value.close();
  return copied.ok ? ok({ file, bytes: copied.value, ms: Math.round(performance.now() - began) }) : copied;
}

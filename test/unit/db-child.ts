/**
 * A process that the tests of the database kill. `node db-child.ts record DIR` appends records for ever and prints each id
 * once it is durable; `lock DIR URL` takes the directory, announces itself and prints "held".
 */
import { writeSync } from 'node:fs';
import { lockDataDir, openStore } from '../../db/index.ts';
import { randomRecord } from './db-records.ts';
import { Random } from './random.ts';

const [what, dir = '', url = ''] = process.argv.slice(2);
// Written by the system call itself: what is printed was printed before the kill.
const say = (line: string): void => void writeSync(1, `${line}\n`);

function record(): void {
  const store = openStore({ dir }, { mode: 'write' });
  if (!store.ok) throw new Error(store.error.detail);
  for (const r = new Random(8); ; ) say(store.value.addRecord(randomRecord(r)).id);
}

function lock(): void {
  const held = lockDataDir(dir);
  if (!held.ok) throw new Error(held.error.detail);
  held.value.announce(url);
  // A lock lasts as long as its process, even if nobody keeps what was returned.
  setImmediate(() => {
    globalThis.gc?.();
    say('held');
  });
  process.stdin.resume();
}

if (what === 'record') record();
else lock();

/**
 * A board that cannot keep calls out of the server's memory: the server finds what a call has written over, says DAMAGED and
 * restarts; what is no damage is told as on any board; and the next call on the same device is right, each time.
 */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { BuiltFirmware } from '../../boards/index.ts';
import { connect } from '../../firmware-rpc/host/client.ts';
import type { CallResult, Device } from '../../firmware-rpc/host/device.ts';
import { openSocket } from '../../firmware-rpc/host/socket.ts';
import { readElf } from '../../toolchain/index.ts';
import { everyFault, faulty } from './faulty.ts';
import { firmwareIn, type ListeningBoard, listening, loadCandidate, unguardedHost, workFolder } from './host-board.ts';
import { serverVariable } from './misbehaviour.ts';

const folder = workFolder();
let firmware: BuiltFirmware;
let board: ListeningBoard;
beforeAll(async () => {
  firmware = await firmwareIn(folder.dir, unguardedHost);
  board = await listening(firmware);
});
afterAll(async () => {
  await board.kill();
  folder.remove();
});

const adds = '#include <stdint.h>\nuint32_t mt_entry(uint32_t a, uint32_t b) { return a + b; }';
const pokes = `#include <stdint.h>
uint32_t mt_entry(uint32_t at, uint32_t then) {
  *(volatile uint8_t *)(uintptr_t)at ^= 1u;
  if (then == 1u) __builtin_trap();
  while (then == 2u) __asm__ volatile("");
  return 0;
}`;
const recurses = `#include <stdint.h>
static __attribute__((noinline)) uint32_t deeper(uint32_t n) {
  volatile uint32_t here[16];
  here[n & 15u] = n;
  return n == 0u ? 0u : deeper(n - 1u) + here[n & 15u];
}
uint32_t mt_entry(uint32_t n) { return deeper(n); }`;

const symbol = (name: string): number => {
  const at = readElf(readFileSync(firmware.elf)).symbol(name);
  if (at === undefined) throw new Error(`the firmware has no ${name}`);
  return at;
};

/** Runs candidates on one device; after each the sum of two numbers is right, loaded anew as nothing is taken for resident. */
async function onDevice(work: (run: (source: string, ...args: number[]) => Promise<CallResult>) => Promise<void>) {
  const device = await connect(await openSocket('127.0.0.1', board.port));
  expect(device.info).toMatchObject({ board: 'host-unguarded', guarded: false });
  try {
    await work(async (source, ...args) => {
      const result = await call(device, source, args);
      expect(await call(device, adds, [40, 2])).toMatchObject({ ok: true, returned: 42 });
      return result;
    });
  } finally {
    await device.close();
  }
}
async function call(device: Device, source: string, args: readonly number[]): Promise<CallResult> {
  const entry = await loadCandidate(device, unguardedHost, source, 0, folder.dir);
  // What ends by itself gets a long deadline, for a PC may be busy.
  const deadlineMs = source === pokes && args[1] === 2 ? 100 : 5000;
  return device.call({ entry, args, warmups: 0, repeats: 1, deadlineMs });
}
const damaged = { ok: false, code: 'DAMAGED' } as const;

test('a call that leaves the server alone is answered as on any board', () =>
  onDevice(async (run) => {
    expect(await run(pokes, 0x21000000)).toMatchObject({ ok: true });
    expect(await run(pokes, 0x21000000, 1)).toMatchObject({ ok: false, code: 'FAULT' });
    expect(await run(pokes, 0x21000000, 2)).toMatchObject({ ok: false, code: 'DEADLINE' });
    expect(await run(pokes, 0)).toMatchObject({ ok: false, code: 'FAULT', ending: { address: 0 } });
    expect(await run(recurses, 20)).toMatchObject({ ok: true, returned: 210 });
  }));

test('one changed byte in the variables, the description, what the board names, or the code is DAMAGED, however the call ends', () =>
  onDevice(async (run) => {
    const server = serverVariable(firmware.elf);
    const places = {
      board: server,
      nonce: server + 8,
      request: server + 0x20,
      response: server + 0x20 + 600,
      description: symbol('info') + 12,
      named: symbol('fixed') + 8,
      'code of the server': symbol('main'),
    };
    for (const [name, at] of Object.entries(places))
      for (const then of [0, 1, 2]) expect(await run(pokes, at, then), name).toMatchObject(damaged);
    for (const then of [1, 2]) {
      const ended = await run(pokes, server + 0x20, then);
      expect(ended.ok ? 0 : ended.ending?.pc).toBeGreaterThanOrEqual(0x20000000);
    }
  }));

test('a stack that was overrun is DAMAGED', () =>
  onDevice(async (run) => expect(await run(recurses, 300)).toMatchObject(damaged)));

test('where the server does not survive to say so, the restart under the call is told as DAMAGED', () =>
  onDevice(async (run) => {
    const kills = `#include <stdint.h>
      uint32_t mt_entry(uint32_t at) { for (uint32_t i = 0; i < 64u; i++) ((volatile uint8_t *)(uintptr_t)at)[i] = 0xf1u; return 0; }`;
    expect(await run(kills, symbol('mt_crc32'))).toMatchObject(damaged);
  }));

test('over a faulty line damage is told as damage, never as another ending', async () => {
  let injected = 0;
  for (let seed = 1; seed <= 4; seed++) {
    const line = faulty(await openSocket('127.0.0.1', board.port), everyFault(0.03), seed);
    const device = await connect(line, { patienceMs: 60, attempts: 25 });
    for (let n = 0; n < 5; n++)
      expect(await call(device, pokes, [serverVariable(firmware.elf), n % 2])).toMatchObject(damaged);
    injected += line.injected();
    await device.close();
  }
  expect(injected).toBeGreaterThan(20);
});

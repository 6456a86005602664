/** What board.json says of boards on QEMU's MPS machines: memories and parts fit together, guards can tell them apart, nothing is stated twice. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import type { Part, TwinData } from '../../boards/board.ts';
import { guardable, layoutOf, memoryOf, partOf, type Span, seenElsewhere } from '../../boards/common/layout.ts';
import { machineOf } from '../../boards/common/mps2/machines.ts';
import { emulated } from '../../boards/common/twin.ts';
import { boardOf } from '../../boards/index.ts';
import { roomsOf } from '../../tuner/measure/rooms.ts';

const folder = resolve(import.meta.dirname, '../../boards');
const twins = readdirSync(folder, { withFileTypes: true })
  .filter((d) => d.isDirectory() && d.name !== 'common')
  .flatMap((d): TwinData[] => {
    const data = JSON.parse(readFileSync(join(folder, d.name, 'board.json'), 'utf8')) as TwinData;
    return 'twin' in data && /^mps/.test(data.twin.machine) ? [data] : [];
  });
const end = (s: Span): number => s.base + s.bytes;
const overlap = (a: Span, b: Span): boolean => a.base < end(b) && b.base < end(a);
const partsOf = ({ twin }: TwinData): readonly Part[] =>
  [twin.server, twin.load, twin.data, twin.ramCode, twin.ramData].filter((p) => p !== undefined);

test('each is listed, with the kind that its counts are of', () => {
  expect(twins.length).toBeGreaterThan(7);
  for (const { id, twin } of twins)
    expect(boardOf(id)?.kind, id).toBe(twin.timing === undefined ? 'instructions' : 'model');
});

for (const data of twins) {
  const { id, twin } = data;
  const machine = machineOf(twin.machine);
  test(`${id}: parts lie in memories of their own, away from what the machine keeps for itself`, () => {
    expect(Object.keys(twin.at).sort()).toEqual(data.memory.map((m) => m.name).sort());
    const spans = partsOf(data).map((p) => partOf(data, twin, p));
    for (const [i, a] of spans.entries()) {
      for (const b of spans.slice(i + 1)) expect(overlap(a, b), `${a.base} ${b.base}`).toBe(false);
      expect(overlap(a, { base: machine.staging.base, bytes: end(machine.shared) - machine.staging.base })).toBe(false);
      expect(a.base % 32).toBe(0);
    }
    const memories = [...data.memory.map((m) => memoryOf(data, twin, m.name)), ...seenElsewhere(data, twin)];
    for (const [i, a] of memories.entries()) {
      for (const b of memories.slice(i + 1)) expect(overlap(a, b), `${a.base} ${b.base}`).toBe(false);
      const there = [...machine.memory, machine.shared].some((m) => a.base >= m.base && end(a) <= end(m));
      expect(there, `${twin.machine} has no memory for ${a.bytes} bytes at 0x${a.base.toString(16)}`).toBe(true);
    }
  });

  test(`${id}: a guard covers each part exactly`, () => {
    const server = partOf(data, twin, twin.server);
    expect(Math.log2(server.bytes) % 1).toBe(0);
    expect(server.base % server.bytes).toBe(0);
    expect(Math.log2(twin.stackKiB) % 1).toBe(0);
    expect(twin.stackKiB * 1024).toBeLessThan(server.bytes);
    if (data.target.isa.startsWith('armv8')) return;
    // Beyond a plain board's data there is only more of the same memory.
    const rounded = twin.timing === undefined ? [twin.load, twin.data] : [twin.load];
    for (const part of partsOf(data))
      if (!rounded.includes(part)) expect(guardable(partOf(data, twin, part)), part.in).toBe(true);
  });

  test(`${id}: all RAM but the server's is a network's, and neighbours on the product are neighbours on the machine`, () => {
    const board = emulated(data);
    const ram = data.memory.filter((m) => m.role === 'ram').reduce((n, m) => n + m.bytes, 0);
    // Where RAM lies at address 0 its first KiB is a null pointer's.
    const lost = Object.values(twin.at).some((at, i) => Number(at) === 0 && data.memory[i]?.role === 'ram') ? 1024 : 0;
    if (twin.timing !== undefined) expect(board.ramBytes).toBe(ram - lost - twin.server.kiB * 1024);
    expect(board.loadBytes).toBe(twin.load.kiB * 1024);
    const layout = layoutOf(board, twin, machine.staging);
    expect(layout.MT_DATA_BYTES).toBeGreaterThanOrEqual(twin.data.kiB * 1024);
    const sorted = [...data.memory].sort((a, b) => a.base - b.base);
    for (const [i, m] of sorted.entries()) {
      const next = sorted[i + 1];
      if (next === undefined || m.base + m.bytes !== next.base) continue;
      expect(Number(twin.at[m.name]) + m.bytes).toBe(Number(twin.at[next.name]));
    }
  });

  test(`${id}: what a trial loads lies in one bank of its memory, and most of that bank is for it`, () => {
    const { bankBytes, loadBytes } = emulated(data);
    const load = partOf(data, twin, twin.load);
    const none = { base: 0, bytes: 0 };
    const { code, constants } = roomsOf({ load, ramCode: none, ramData: none }, bankBytes);
    const memory = memoryOf(data, twin, twin.load.in);
    const banks = twin.timing?.regions.find((r) => r.name === twin.load.in)?.banks ?? 1;
    const bankOf = (address: number): number => Math.floor(((address - memory.base) * banks) / memory.bytes);
    expect(bankOf(code.base)).toBe(bankOf(constants.base + constants.bytes - 1));
    expect(constants.base).toBe(code.base + code.bytes);
    expect(code.bytes + constants.bytes).toBeGreaterThanOrEqual(Math.min(loadBytes, (0.8 * memory.bytes) / banks));
  });

  test(`${id}: the timing model knows each memory once`, () => {
    const { timing } = twin;
    if (timing === undefined) return;
    expect(timing.regions.map((r) => r.name).sort()).toEqual(data.memory.map((m) => m.name).sort());
    const caches = timing.caches.map((c) => c.name);
    for (const r of timing.regions)
      for (const used of [r.instructions, r.data]) if (used !== undefined) expect(caches).toContain(used);
  });
}

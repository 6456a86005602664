/**
 * What board.json says of memories at a board's own addresses, of real parts and of machines that are emulated as they are: parts
 * lie apart in memory that there is, and the guard covers each exactly, as mpu-v7m.c relies on. (twins.test.ts has the twins.)
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import type { Board, Part } from '../../boards/board.ts';
import { atOwnAddresses, guardable, partOf, type Shares, type Span } from '../../boards/common/layout.ts';

type Stated = Pick<Board, 'id' | 'memory' | 'target'> & { readonly [key in 'twin' | 'silicon' | 'shares']?: Shares };

const folder = resolve(import.meta.dirname, '../../boards');
const stated = readdirSync(folder, { withFileTypes: true })
  .filter((d) => d.isDirectory() && d.name !== 'common')
  .map((d) => JSON.parse(readFileSync(join(folder, d.name, 'board.json'), 'utf8')) as Stated)
  .flatMap((data) => {
    const own = data.silicon ?? data.shares;
    // What a product does not state is as on its twin.
    return own === undefined ? [] : [{ data, shares: { ...data.twin, ...own, at: atOwnAddresses(data) } }];
  });
const end = (s: Span): number => s.base + s.bytes;
const overlap = (a: Span, b: Span): boolean => a.base < end(b) && b.base < end(a);

test('there are some', () => expect(stated.length).toBeGreaterThan(7));

for (const { data, shares } of stated)
  test(`${data.id}: parts lie apart, and a guard covers each exactly`, () => {
    const { server, load, data: inputs } = shares;
    const spans = [server, load, inputs].map((part: Part) => partOf(data, shares, part));
    const exact = (s: Span): boolean => data.target.isa.startsWith('armv8') || guardable(s);
    for (const [i, a] of spans.entries()) {
      for (const b of spans.slice(i + 1)) expect(overlap(a, b), `${a.base} ${b.base}`).toBe(false);
      expect(data.memory.some((m) => m.role === 'ram' && a.base >= m.base && end(a) <= m.base + m.bytes)).toBe(true);
      expect(a.base % 32).toBe(0);
      expect(exact(a), `0x${a.base.toString(16)}`).toBe(true);
    }
    // The stack of calls is the end of the server's part.
    const stack = { ...server, fromKiB: server.fromKiB + server.kiB - shares.stackKiB, kiB: shares.stackKiB };
    expect(shares.stackKiB).toBeLessThan(server.kiB);
    expect(exact(partOf(data, shares, stack)), 'the stack of calls').toBe(true);
  });

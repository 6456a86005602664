/** One table, three places: protocol.ts, the generated C header, SPEC.md. */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { encodeFrame } from '../../firmware-rpc/host/frame.ts';
import {
  commands,
  flags,
  maxBody,
  maxRepeats,
  protocolHeader,
  protocolVersion,
  statuses,
} from '../../firmware-rpc/protocol.ts';

const root = resolve(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const spec = read('firmware-rpc/SPEC.md');

/** Rows `| \`NAME\` | number |` of a section of SPEC.md. */
function numbersIn(heading: string): Record<string, number> {
  const section = spec.split(/^## /m).find((s) => s.startsWith(heading)) ?? '';
  return Object.fromEntries([...section.matchAll(/^\| `(\w+)` \| (\d+) \|/gm)].map((m) => [m[1], Number(m[2])]));
}

test('the C header is what protocol.ts generates (npm run generate:protocol)', () => {
  expect(read('firmware-rpc/include/microtune_protocol.h')).toBe(protocolHeader());
});

test('SPEC.md names every command and status with its number, and no other', () => {
  expect(numbersIn('3. Commands')).toEqual(commands);
  expect(numbersIn('4. Statuses')).toEqual(statuses);
});

test('SPEC.md states the version, limits and flags', () => {
  const text = spec.replace(/\s+/g, ' ');
  expect(text).toContain(`Protocol version ${protocolVersion}.`);
  expect(text).toContain(`A body has at most ${maxBody} bytes.`);
  expect(text).toContain(`\`repeats\` (at most ${maxRepeats})`);
  for (const [name, bit] of Object.entries(flags)) expect(text).toContain(`bit ${Math.log2(bit)} \`${name}\``);
  const longest = encodeFrame(new Uint8Array(3 + maxBody).fill(1)).length;
  expect(text).toContain(`${longest} bytes.`);
});

test("commands fit beside their answer bit, and a call's counts fit a body", () => {
  for (const n of Object.values(commands)) expect(n & 0x80).toBe(0);
  expect(new Set(Object.values(commands)).size).toBe(Object.keys(commands).length);
  expect(8 + 8 * maxRepeats).toBeLessThanOrEqual(maxBody);
});

/** What block kernels say of their stack, held against their text: no frame size comes from a compiler for them. */
import { expect, test } from 'vitest';
import { recipes } from '../../compiler/instructions/index.ts';

/** Bytes that a list of registers takes: r4-r11, lr, s16-s31, d8. */
function listBytes(list: string): number {
  const bytes = (name: string): number => (name.startsWith('d') ? 8 : 4);
  return list.split(',').reduce((sum, part) => {
    const [, from = '', first = '', last] = /^\s*([a-z]+)(\d*)(?:-[a-z]+(\d+))?\s*$/.exec(part) ?? [];
    if (from === '') throw new Error(`no register list: ${list}`);
    return sum + bytes(from) * (last === undefined ? 1 : Number(last) - Number(first) + 1);
  }, 0);
}

/** Bytes by which a line moves the stack pointer down; up is negative. */
function moved(line: string): number {
  const list = /\{(.*)\}/.exec(line)?.[1] ?? '';
  if (/^(?:v?push|v?stmdb\s+sp!)/.test(line)) return listBytes(list);
  if (/^(?:v?pop|v?ldmia\s+sp!)/.test(line)) return -listBytes(list);
  const [, op, bytes] = /^(sub|add)(?:\.[nw])?\s+sp,\s*(?:sp,\s*)?#(\d+)$/.exec(line) ?? [];
  if (op !== undefined) return op === 'sub' ? Number(bytes) : -Number(bytes);
  const written = /\[sp, #(-?\d+)\]!/.exec(line)?.[1];
  return written === undefined ? 0 : -Number(written);
}

test('a list of registers takes its bytes', () => {
  expect(['r4-r11, lr', 'r4', 's16-s31', 'd8-d15', 'r0-r3, r5'].map(listBytes)).toEqual([36, 4, 64, 64, 20]);
  expect(['push {r4, lr}', 'add sp, #12', 'sub sp, sp, #8', 'str r0, [sp, #-4]!'].map(moved)).toEqual([8, -12, 8, 4]);
});

test('no block kernel uses more stack than it says', () => {
  let checked = 0;
  for (const recipe of Object.values(recipes))
    for (const params of recipe.examples) {
      const { symbol, stackBytes, function: text } = recipe.make(params);
      let [depth, most] = [0, 0];
      for (const line of (text?.lines ?? []).flatMap((l) => l.split(/\\n|\n|;/)).map((l) => l.trim())) {
        depth += moved(line);
        most = Math.max(most, depth);
      }
      if (most > 0) checked++;
      expect(most, symbol).toBeLessThanOrEqual(stackBytes);
    }
  expect(checked).toBeGreaterThan(10);
});

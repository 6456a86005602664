/**
 * Candidates that misbehave, through the real tune loop on boards of every family: each is one record with its
 * stage and reason, the device goes on, and a good candidate measured afterwards is right.
 */
import { expect, test } from 'vitest';
import { boardOf } from '../../boards/index.ts';
import { tensorBytes } from '../../compiler/graph/graph.ts';
import type { Device } from '../../firmware-rpc/host/device.ts';
import { emulatedBoards } from '../emulated.ts';
import { type Sabotage, sabotaged } from '../saboteur.ts';
import { randomNode } from '../unit/graphs.ts';
import { Random } from '../unit/random.ts';

const graph = randomNode('conv2d', new Random(5));
const output = graph.tensors[graph.outputs[0] ?? -1];
if (output === undefined) throw new Error('the test graph has no output');

interface Evil extends Sabotage {
  /** Stage, code and what the detail says. */
  readonly want: readonly [string, string, RegExp];
}
const out = '((volatile unsigned char *)a1)';
const evils: Readonly<Record<string, Evil>> = {
  'wrong answer': { statement: `${out}[3] ^= 1;`, want: ['verify', 'WRONG_OUTPUT', /differs first at byte 3/] },
  'write behind its output': {
    statement: `${out}[${tensorBytes(output)}] += 1;`,
    want: ['verify', 'WRONG_OUTPUT', /bytes behind it were written/],
  },
  'bad address': { statement: '*(volatile int *)0x70000000u = 1;', want: ['run', 'FAULT', /pc 0x/] },
  'undefined instruction': { statement: '__builtin_trap();', want: ['run', 'FAULT', /pc 0x/] },
  'endless loop': { statement: 'for (;;) __asm__ volatile("");', want: ['run', 'DEADLINE', /pc 0x/] },
  'stack overrun': {
    file: 'static int deep(volatile int n) { volatile int here[64]; here[0] = n; return n == 0 ? 0 : deep(n - 1) + here[0]; }',
    statement: 'deep(1000000);',
    want: ['run', 'FAULT', /pc 0x/],
  },
  'too much code': {
    file: 'static const volatile unsigned char filler[300000] = {1};',
    statement: `${out}[0] ^= filler[${out}[0]];`,
    want: ['link', 'CODE_TOO_LARGE', /room for/],
  },
  'missing function': {
    file: 'extern void nowhere(void);',
    statement: 'nowhere();',
    want: ['link', 'LINK_FAILED', /nowhere/],
  },
  'no C': { statement: 'this is not C;', want: ['compile', 'COMPILE_FAILED', /error/] },
};

/** All records of a search that meets these candidates. */
function run(boardId: string, list: readonly Evil[], changed?: (device: Device) => Device) {
  const board = boardOf(boardId);
  if (board === undefined) throw new Error(`no board ${boardId}`);
  return sabotaged(graph, board, list, changed);
}

/** All of them in a long run; failures.test.ts has the faults of each family. */
const tested = emulatedBoards(['host', 'mps2-an386']);

for (const boardId of tested.map((b) => b.id)) {
  test(`${boardId}: every misbehaving candidate is one failed record with its reason`, async () => {
    const records = await run(boardId, Object.values(evils));
    const failures = records.filter((r) => r.result.status === 'failed').map((r) => r.result);
    const told = failures.map((f) => (f.status === 'failed' ? [f.stage, f.code] : []));
    expect(told.sort()).toEqual(
      Object.values(evils)
        .map(({ want: [stage, code] }) => [stage, code])
        .sort(),
    );
    for (const { want } of Object.values(evils)) {
      const details = failures.flatMap((f) => (f.status === 'failed' && f.code === want[1] ? [f.detail] : []));
      expect(
        details.some((d) => want[2].test(d)),
        `${want[1]}: ${details.join(' | ')}`,
      ).toBe(true);
    }
    // The default, and a good one around each bad one.
    expect(records).toHaveLength(2 * Object.keys(evils).length + 2);
  });
}

test('a device that vanishes in the middle of a trial costs at most that trial; it is opened again', async () => {
  let calls = 0;
  const records = await run('host', [evils['wrong answer'] as Evil], (device) =>
    Object.create(device, {
      call: {
        value: async (request: Parameters<Device['call']>[0]) => {
          if (++calls === 2) await device.close();
          return device.call(request);
        },
      },
    }),
  );
  // Three binaries, of which one is run again; a health check at each opening and behind the wrong answer, and one at the end of all
  // unless that was it: builds end in any order.
  expect([4 + 3, 4 + 4]).toContain(calls);
  expect(records.flatMap((r) => (r.result.status === 'failed' ? [r.result.code] : []))).toEqual(['WRONG_OUTPUT']);
  expect(records.filter((r) => r.result.status === 'ok')).toHaveLength(3);
});

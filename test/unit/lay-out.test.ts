/** Inputs and outputs in other layouts: the same values at other places, and nothing else. */
import { expect, test } from 'vitest';
import { interpret, type Program, planePitch, replay, type Step } from '../../compiler/program/index.ts';
import { laidOut, layoutKey } from '../../compiler/program/tensor-layout.ts';
import { type Case, depthwise, mean, pointwise } from './naive.ts';

type Layout = Omit<Step & { readonly primitive: 'layOut' }, 'primitive' | 'buf'>;
const layOut = (buf: string, layout: Layout): Step => ({ primitive: 'layOut', buf, ...layout });

function done(p: Program, ...steps: readonly Step[]): Program {
  const made = replay(p, steps);
  if (!made.ok) throw new Error(made.reason);
  return made.program;
}
const refusal = (p: Program, ...steps: readonly Step[]): string => {
  const made = replay(p, steps);
  return made.ok ? '' : made.reason;
};
const bytes = (values: ArrayLike<number>): Uint8Array => new Uint8Array(Int8Array.from(Array.from(values)).buffer);

/** The program's answer on inputs that are laid out for it, against the naive answer laid out. */
function expectSame({ program, inputs }: Case, ...steps: readonly Step[]): void {
  const p = done(program, ...steps);
  const x = p.buffers.find((b) => b.name === 'x');
  const y = p.buffers.find((b) => b.name === 'y');
  if (x === undefined || y === undefined) throw new Error('x and y');
  const laid = laidOut(x, bytes(inputs.x ?? []));
  const given = x.dtype === 'i16' ? new Int16Array(laid.buffer) : new Int8Array(laid.buffer);
  const got = interpret(p, { ...inputs, x: given }).y ?? new Int8Array();
  const want = laidOut(y, bytes(interpret(program, inputs).y ?? []));
  expect(new Uint8Array(got.buffer)).toEqual(want);
}
/** The zero point of the naive depthwise layer's input, read where windows leave it. */
function outsideOf({ program }: Case): number {
  const found = /"outside":(-?\d+)/.exec(JSON.stringify(program.body));
  return Number(found?.[1]);
}

test('a depthwise layer takes planes and leaves int16, at either stride', () => {
  for (const stride of [1, 2] as const)
    for (const [H, W] of [
      [5, 4],
      [1, 1],
      [6, 7],
    ] as const) {
      const naive = depthwise(H, W, 4, stride, 3);
      const planes = { as: 'planes', left: 1, outside: outsideOf(naive) } as const;
      expectSame(naive, layOut('x', planes));
      expectSame(naive, layOut('x', planes), layOut('y', { as: 'wide' }));
      expectSame(naive, layOut('y', { as: 'planes', left: 0, outside: 9 }));
      expectSame(naive, layOut('y', { as: 'planes', left: 2, outside: -128 }));
    }
});

test('a matrix product takes int16', () => {
  expectSame(pointwise(7, 8, 4, 5), layOut('x', { as: 'wide' }), layOut('y', { as: 'wide' }));
});

test('rows of planes are whole words with room for a column of border on both sides', () => {
  for (let width = 1; width < 50; width++) {
    expect(planePitch(width) % 4).toBe(0);
    expect(planePitch(width)).toBeGreaterThanOrEqual(width + 3);
    expect(planePitch(width)).toBeLessThan(width + 7);
  }
});

test('what a layout cannot hold is refused', () => {
  const naive = depthwise(5, 4, 4, 1, 3);
  const outside = outsideOf(naive);
  const { program } = naive;
  const planes = (left: number, value: number): Step => layOut('x', { as: 'planes', left, outside: value });
  expect(refusal(program, planes(0, outside))).toContain('beyond its border');
  expect(refusal(program, planes(1, outside === 5 ? 6 : 5))).toContain('outside');
  expect(refusal(program, planes(5, outside))).toContain('more than');
  expect(refusal(program, layOut('w', { as: 'wide' }))).toContain('no input or output');
  expect(refusal(program, layOut('x', { as: 'wide' }), layOut('x', { as: 'wide' }))).toContain('no input or output');
  expect(refusal(pointwise(7, 8, 4, 5).program, layOut('x', { as: 'planes' }))).toContain('no rows');
  // Its result passes through what is no requantise: nobody says that it is a byte.
  const folded = done(program, { primitive: 'requantizeTop', acc: 'acc', mul: 'm', add: 'a' });
  expect(refusal(folded, layOut('y', { as: 'wide' }))).toContain('more than bytes');
  expect(refusal(mean(6, 8, 3).program, layOut('x', { as: 'planes' }))).not.toBe('');
});

test('two sides mean one layout exactly where their keys are equal', () => {
  const one = depthwise(5, 4, 4, 1, 3);
  const outside = outsideOf(one);
  const key = (p: Program, name: string): string => {
    const b = p.buffers.find((x) => x.name === name);
    return b === undefined ? '' : layoutKey(b);
  };
  const takes = done(one.program, layOut('x', { as: 'planes', left: 1, outside }));
  const leaves = done(one.program, layOut('y', { as: 'planes', left: 1, outside }));
  const other = done(one.program, layOut('y', { as: 'planes', left: 0, outside }));
  expect(key(takes, 'x')).toBe(key(leaves, 'y'));
  expect(key(other, 'y')).not.toBe(key(leaves, 'y'));
  expect(key(one.program, 'x')).toBe(key(pointwise(7, 8, 4, 5).program, 'y'));
});

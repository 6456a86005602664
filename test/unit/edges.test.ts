/**
 * Instructions that read beyond an image know where it ends. A schedule that names other numbers than the nest has may move the
 * window instead, so that the meaning stays: refused, unless nothing is read beyond it.
 */
import { expect, test } from 'vitest';
import { add, buffer, iter, loadOr, loop, mul, num, program, store } from '../../compiler/program/build.ts';
import { type Buffer, type Expr, type Program, replay } from '../../compiler/program/index.ts';

const [H, W, C] = [5, 6, 8];
const at = (name: string, offset: number): Expr => add(iter(name), num(offset));

/** A frame of one pixel around the image, four channels from the fourth on of all. */
function framed(dst: Pick<Buffer, 'dtype' | 'shape'>, order: readonly number[], channels: number): Program {
  const names = ['a', 'b', 'c'];
  const value = loadOr(-7, 'x', at('a', -1), at('b', -1), at('c', C - channels));
  const copy = store(
    'y',
    order.map((d) => iter(names[d] ?? '')),
    dst.dtype === 'u8' ? add(value, num(128)) : value,
  );
  return program(
    'framed',
    [buffer('x', 'i8', [H, W, C], 'in'), buffer('y', dst.dtype, dst.shape, 'out')],
    loop('a', H + 2, loop('b', 8, loop('c', channels, copy))),
  );
}
const copies = {
  planes: { to: 'dst', from: 'src', program: framed({ dtype: 'i8', shape: [H + 2, 4, 8] }, [0, 2, 1], 4) },
  gather_plane: { to: 'dst', from: 'src', program: framed({ dtype: 'i32', shape: [H + 2, 8, 1] }, [0, 1, 2], 1) },
  widen_rows: { to: 'dst', from: 'src', program: framed({ dtype: 'i16', shape: [H + 2, 8, C] }, [0, 1, 2], C) },
  winograd_frame: { to: 'y', from: 'x', program: framed({ dtype: 'u8', shape: [H + 2, 8, C] }, [0, 1, 2], C) },
} as const;
const put = (instr: keyof typeof copies, params: Readonly<Record<string, number>>) => {
  const { to, from, program: p } = copies[instr];
  return replay(p, [{ primitive: 'replace', loop: 'a', instr, params, operands: { [from]: 'x', [to]: 'y' } }]);
};

test.each(Object.keys(copies) as (keyof typeof copies)[])('%s', (instr) => {
  expect(put(instr, {})).toMatchObject({ ok: true });
  // What a window moved by a column would be. Rows of some instructions may begin anywhere.
  const moved = put(instr, { left: 0 });
  expect(moved).toMatchObject({ ok: false });
  const up = put(instr, { top: 0 });
  expect([instr, up.ok]).toEqual([instr, instr === 'widen_rows' || instr === 'winograd_frame']);
});

test('channels of a plane are inside, or the plane is refused', () => {
  const beyond = (channels: Expr): Program =>
    program(
      'beyond',
      [buffer('x', 'i8', [H, W, C], 'in'), buffer('y', 'i8', [2, H, 4, 8], 'out')],
      loop(
        'g',
        2,
        loop(
          'a',
          H,
          loop(
            'b',
            8,
            loop(
              'c',
              4,
              store('y', [iter('g'), iter('a'), iter('c'), iter('b')], loadOr(0, 'x', iter('a'), iter('b'), channels)),
            ),
          ),
        ),
      ),
    );
  const step = { primitive: 'replace', loop: 'a', instr: 'planes', operands: { src: 'x', dst: 'y' } } as const;
  const group = (first: number): Expr => add(add(mul(num(4), iter('g')), num(first)), iter('c'));
  expect(replay(beyond(group(0)), [step])).toMatchObject({ ok: true });
  expect(replay(beyond(group(4)), [step])).toMatchObject({
    ok: false,
    reason: expect.stringContaining('reads beyond it'),
  });
});

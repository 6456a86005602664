/** Depthwise layers of shapes that chance seldom draws: each template takes what it says it takes, and computes the same. */
import { expect, test } from 'vitest';
import { operatorOf } from '../../compiler/ops/index.ts';
import { bind, interpret, type Program, replay } from '../../compiler/program/index.ts';
import type { Workload } from '../../compiler/workload.ts';
import { templatesFor } from '../../kernels/index.ts';
import { inputsOf, random } from './print-c-nests.ts';

interface Layer {
  readonly image: readonly [number, number, number];
  readonly kernel: readonly [number, number];
  readonly out: readonly [number, number];
  readonly stride?: readonly [number, number];
  readonly dilation?: readonly [number, number];
  readonly pad?: readonly [number, number, number, number];
  readonly multiplier?: number;
}

function layerOf({
  image,
  kernel,
  out,
  stride = [1, 1],
  dilation = [1, 1],
  pad = [0, 0, 0, 0],
  multiplier = 1,
}: Layer): {
  readonly workload: Workload;
  readonly program: Program;
} {
  const channels = image[2] * multiplier;
  const ends = { xZero: -3, yZero: -128, min: -128, max: 127, rounding: 'double' } as const;
  const workload: Workload = {
    op: 'depthwise_conv2d',
    attrs: { ...ends, kernel, stride, dilation, pad, multiplier },
    inputs: [{ dtype: 'int8', shape: [1, ...image] }],
    outputs: [{ dtype: 'int8', shape: [1, ...out, channels] }],
  };
  const r = random(7);
  const values = (n: number, lo: number, hi: number): Int32Array =>
    Int32Array.from({ length: n }, () => Math.floor(lo + r() * (hi - lo + 1)));
  const constants = {
    w: values(kernel[0] * kernel[1] * channels, -128, 127),
    bias: values(channels, -2000, 2000),
    mult: values(channels, 2 ** 30, 2 ** 31 - 1),
    shift: values(channels, -9, -8),
  };
  const naive = operatorOf(workload.op).programs(workload).direct as Program;
  return { workload, program: bind(naive, constants) };
}

const layers: Readonly<Record<string, Layer>> = {
  'one column, dilated both ways': {
    image: [1, 3, 5],
    kernel: [4, 1],
    out: [1, 1],
    stride: [3, 3],
    dilation: [2, 3],
    pad: [3, 3, 0, 0],
  },
  'rows beyond the reach of an immediate offset': {
    image: [4, 4, 1032],
    kernel: [3, 3],
    out: [4, 4],
    pad: [1, 1, 1, 1],
  },
  'one pixel': { image: [1, 1, 8], kernel: [3, 3], out: [1, 1], pad: [1, 1, 1, 1] },
  'one channel for six': { image: [7, 6, 1], kernel: [3, 3], out: [7, 6], pad: [1, 1, 1, 1], multiplier: 6 },
  'two for each, strides of two': {
    image: [9, 6, 4],
    kernel: [3, 3],
    out: [5, 3],
    stride: [2, 2],
    pad: [1, 1, 0, 1],
    multiplier: 2,
  },
};

for (const features of [[], ['dsp', 'fpu']]) {
  test.each(Object.entries(layers))(`%s, features ${features.join(' ') || 'none'}`, (_, layer) => {
    const { workload, program } = layerOf(layer);
    const inputs = inputsOf(program, 5);
    const want = interpret(program, inputs).y;
    const found = templatesFor(workload, features);
    if (features.length > 0) expect(found.map((f) => f.template.name)).toContain('depthwise');
    for (const { template, knobs } of found) {
      const setting = Object.fromEntries(knobs.map((k) => [k.name, k.values[0] ?? 0]));
      const done = replay(program, template.schedule(workload, setting).steps);
      expect(done.ok ? 'legal' : `${template.name}: ${done.reason}`).toBe('legal');
      if (done.ok) expect([template.name, interpret(done.program, inputs).y]).toEqual([template.name, want]);
    }
  });
}

/**
 * Every instruction against its own meaning: a program that only calls it is interpreted, compiled with its plain C for the
 * PC, and with its assembly for the emulated Cortex-M4, Thumb-1 also as code of a Cortex-M0+. All give the same bytes.
 */
import { expect, test } from 'vitest';
import { instruction, recipes } from '../../compiler/instructions/index.ts';
import type { Instruction } from '../../compiler/instructions/instruction.ts';
import type { Buffer, Program } from '../../compiler/program/index.ts';
import { verifyProgram } from '../../compiler/program/verify.ts';
import { rename } from '../../compiler/program/walk.ts';
import { samples } from '../samples.ts';
import { callOf, valuesFor } from './instruction-calls.ts';
import { expectCases, meant } from './kernels-cases.ts';
import { kernelRun, runOnBoard, runOnHost, runOnSmallCore } from './kernels-machine.ts';
import { random } from './print-c-nests.ts';

const examples = recipes.flatMap(({ name, examples: list }) => list.map((params) => ({ name, params })));

/** The same with each output where an input of its type and shape lies, one input after another. */
function inPlace(p: Program, { meaning, inPlace: may }: Instruction): readonly Program[] {
  const like = (y: Buffer): readonly Buffer[] =>
    meaning.buffers.filter((b) => b.space === 'in' && b.dtype === y.dtype && `${b.shape}` === `${y.shape}`);
  const pairs = meaning.buffers
    .filter((b) => b.space === 'out' && may === true)
    .flatMap((y) => like(y).map((x) => [y.name, x.name] as const));
  return pairs.map(([y, x]) => {
    const [from, to] = [`t_${y}`, `t_${x}`];
    const kept = p.body.filter((s) => s.kind !== 'alloc' || s.buffer.name !== from);
    const over = rename(
      kept,
      (b) => (b === from ? to : b),
      (i) => i,
    );
    return verifyProgram({ ...p, body: over });
  });
}

test('every instruction has examples', () => {
  for (const r of recipes) expect([r.name, r.examples.length]).not.toEqual([r.name, 0]);
});

const features = (i: number): readonly string[] => {
  const { name = '', params = {} } = examples[i] ?? {};
  return instruction(name, params).features;
};

test('assembly and plain C compute what the meaning says', () => {
  const draws = Array.from({ length: samples(1, 4) }, () => examples).flat();
  const runs = draws.map(({ name, params }, i) => {
    const r = random(i + 1);
    const p = callOf(name, params, r);
    return kernelRun(p, `k${i}`, valuesFor(p, instruction(name, params).operands, r));
  });
  for (const { name, params } of examples) {
    const r = random(runs.length);
    const made = instruction(name, params);
    for (const p of inPlace(callOf(name, params, r), made))
      runs.push(kernelRun(p, `k${runs.length}`, valuesFor(p, made.operands, r)));
  }
  const cases = runs.map((run) => ({ label: run.kernel.source, run, want: meant(run.program, run.inputs) }));
  const thumb = cases.filter((_, i) => i < draws.length && features(i % examples.length).includes('thumb'));
  expectCases(cases, [runOnHost, runOnBoard]);
  expectCases(thumb, [runOnSmallCore]);
});

test('what needs a CPU feature has plain C beside it', () => {
  for (const { name, params } of examples) {
    const i: Instruction = instruction(name, params);
    const plain = `${i.portable}${i.function?.plain ?? ''}`;
    expect([name, plain.includes('__asm__')]).toEqual([name, false]);
    expect([name, plain !== '']).toEqual([name, i.features.length > 0 || i.prelude !== '' || i.function !== undefined]);
  }
});

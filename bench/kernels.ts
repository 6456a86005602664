/**
 * How fast are the templates? Instructions a layer on the emulated Cortex-M4 (QEMU counts; no cycles), default schedule
 * against the best setting found by sweeping one knob after another.
 * `node bench/kernels.ts MODEL.tflite [TASK] [--quick] [--refused]`; TASK counts from 0.
 */
import { readFileSync } from 'node:fs';
import { importModel } from '../compiler/import/index.ts';
import { operatorOf } from '../compiler/ops/index.ts';
import { bind, interpret, type Memo, type Program, replay } from '../compiler/program/index.ts';
import { type Task, tasksOf } from '../compiler/tasks.ts';
import { defaultSchedule, type Knobs, type Schedule, templatesFor } from '../kernels/index.ts';
import { type KernelRun, kernelRun, runOnBoard } from '../test/host/kernels-machine.ts';
import { inputsOf } from '../test/host/print-c-nests.ts';

const features = ['dsp', 'fpu'];

interface Candidate {
  readonly name: string;
  readonly knobs: Knobs;
  readonly schedule: Schedule;
}
interface Measured extends Candidate {
  readonly instructions: number;
}

/** Replays, runs and verifies candidates; those refused or wrong come out as Infinity, wrong ones with a line. */
function measure(naive: Program, candidates: readonly Candidate[], memo: Memo): readonly Measured[] {
  const inputs = inputsOf(naive, 7);
  const want = bytes(naive, inputs);
  const ready = candidates.map((c) => ({ c, r: replay(naive, c.schedule.steps, memo) }));
  const runs: KernelRun[] = [];
  const places = ready.map(({ r }) => (r.ok ? runs.push(kernelRun(r.program, `k${runs.length}`, inputs)) - 1 : -1));
  const results = runs.length > 0 ? runOnBoard(runs) : [];
  return ready.map(({ c, r }, i) => {
    const result = results[places[i] ?? -1];
    if (!r.ok && process.argv.includes('--refused'))
      console.log(`    ${JSON.stringify(c.knobs)} refused: ${r.reason.split('\n')[0]}`);
    if (result === undefined) return { ...c, instructions: Infinity };
    const good = result.contained && Buffer.from(result.bytes).equals(Buffer.from(want));
    if (!good) console.log(`    ${c.name} ${JSON.stringify(c.knobs)} IS WRONG`);
    return { ...c, instructions: good ? result.instructions : Infinity };
  });
}
function bytes(p: Program, inputs: KernelRun['inputs']): Uint8Array {
  const out = interpret(p, inputs);
  return Uint8Array.from(
    p.buffers.filter((b) => b.space === 'out').flatMap((b) => [...new Uint8Array((out[b.name] as Int8Array).buffer)]),
  );
}

/** One knob after another, `rounds` times round: cheap, and good enough to show what a template can do. */
function descend(task: Task, naive: Program, rounds: number): Measured | undefined {
  let best: Measured | undefined;
  const memo: Memo = new Map();
  for (const { template, knobs } of templatesFor(task.workload, features)) {
    const at = (setting: Knobs): Candidate => ({
      name: template.name,
      knobs: setting,
      schedule: template.schedule(task.workload, setting),
    });
    let here: Measured | undefined;
    let setting: Knobs = Object.fromEntries(knobs.map((k) => [k.name, k.values[0] ?? 0]));
    for (let round = 0; round < rounds; round++) {
      for (const k of knobs.filter((x) => x.name !== 'code' && x.name !== 'constants')) {
        const all = measure(
          naive,
          k.values.map((v) => at({ ...setting, [k.name]: v })),
          memo,
        );
        for (const m of all) if (here === undefined || m.instructions < here.instructions) here = m;
        setting = here?.knobs ?? setting;
      }
    }
    if (here !== undefined && (best === undefined || here.instructions < best.instructions)) best = here;
  }
  return best !== undefined && best.instructions < Infinity ? best : undefined;
}

function main(): void {
  const [file, only] = process.argv.slice(2).filter((a) => !a.startsWith('--'));
  if (file === undefined) throw new Error('usage: node bench/kernels.ts MODEL.tflite [TASK] [--quick] [--refused]');
  const rounds = process.argv.includes('--quick') ? 1 : 2;
  const graph = importModel(readFileSync(file), file);
  if (!graph.ok) throw new Error(graph.error.detail);
  let [plain, tuned, macs] = [0, 0, 0];
  for (const [i, task] of tasksOf(graph.value, { rounding: 'double' }).entries()) {
    if (only !== undefined && Number(only) !== i) continue;
    const programs = operatorOf(task.workload.op).programs(task.workload);
    const naive = bind(programs.direct as Program, task.occurrences[0]?.constants ?? {});
    const [first] = measure(
      naive,
      [{ name: 'default', knobs: {}, schedule: defaultSchedule(task.workload, features) }],
      new Map(),
    );
    const base = first?.instructions ?? Infinity;
    const best = descend(task, naive, rounds);
    const n = task.occurrences.length;
    plain += base * n;
    tuned += Math.min(base, best?.instructions ?? Infinity) * n;
    macs += task.macs * n;
    const shapes = `${task.workload.inputs.map((t) => t.shape.join('x')).join(' ')} -> ${task.workload.outputs[0]?.shape.join('x')}`;
    console.log(
      `${i} ${task.workload.op} ${shapes} x${n}  default ${base} (${(base / task.macs).toFixed(2)}/MAC)  best ${best?.instructions} (${((best?.instructions ?? 0) / task.macs).toFixed(2)}/MAC)  ${best?.name} ${JSON.stringify(best?.knobs)}`,
    );
  }
  console.log(`total ${macs} MACs  default ${plain}  best ${tuned}`);
}

main();

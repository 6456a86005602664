/**
 * One layer under the magnifying glass: what chosen settings of the templates cost on a board, verified like any trial, with the
 * cycles a MAC, sizes, and on a twin the causes; what is refused is told with its reason.
 * `node bench/layer.ts MODEL.tflite [TASK [TEMPLATE]] [--board B] [--set knob=value …] [--sweep knob …] [--random N]`
 * lists the tasks where TASK (a number) is left out, tries each template's default setting where TEMPLATE is.
 */
import { parseArgs } from 'node:util';
import { mapCauses, type TwinCounters } from '../boards/index.ts';
import type { Task } from '../compiler/tasks.ts';
import type { Device } from '../firmware-rpc/host/device.ts';
import { describeSchedule, type Knobs, type KnobValue, templatesFor } from '../kernels/index.ts';
import { seeded } from '../tuner/random.ts';
import type { Config, MeasureResult } from '../tuner/types.ts';
import { layerOf, openSession, type Session } from './session.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    board: { type: 'string', default: 'nucleo-l4r5zi' },
    set: { type: 'string', multiple: true, default: [] },
    sweep: { type: 'string', multiple: true, default: [] },
    random: { type: 'string', default: '0' },
  },
});
const [file, number, only] = positionals;
if (file === undefined) throw new Error('usage: node bench/layer.ts MODEL.tflite [TASK [TEMPLATE]] [--board B] …');

const typed = (text: string): KnobValue => (/^-?\d+$/.test(text) ? Number(text) : text);
const fixed: Knobs = Object.fromEntries(
  values.set.map((s) => [s.slice(0, s.indexOf('=')), typed(s.slice(s.indexOf('=') + 1))]),
);

/** The settings asked for: each template's default with --set put in, times every value of the knobs to sweep, or drawn. */
function configs(task: Task, features: readonly string[]): readonly Config[] {
  const random = seeded(1);
  return templatesFor(task.workload, features)
    .filter(({ template }) => only === undefined || template.name === only)
    .flatMap(({ template, knobs }) => {
      const turns = new Set([...knobs.map((k) => k.name), ...Object.keys(template.layouts?.(task.workload) ?? {})]);
      const known = Object.fromEntries(Object.entries(fixed).filter(([name]) => turns.has(name)));
      const base: Knobs = { ...Object.fromEntries(knobs.map((k) => [k.name, k.values[0] ?? 0])), ...known };
      const swept = values.sweep.reduce<readonly Knobs[]>(
        (all, name) =>
          all.flatMap((s) => (knobs.find((k) => k.name === name)?.values ?? []).map((v) => ({ ...s, [name]: v }))),
        [base],
      );
      const drawn = Array.from(
        { length: Number(values.random) },
        (): Knobs => ({ ...Object.fromEntries(knobs.map((k) => [k.name, random.pick(k.values)])), ...known }),
      );
      return [...swept, ...drawn].map((setting) => ({
        template: template.name,
        version: template.version,
        knobs: setting,
      }));
    });
}

const describe = (c: Config): string =>
  describeSchedule('knobs' in c ? { template: c.template, knobs: c.knobs } : { schedule: c.schedule });

function line(task: Task, config: Config, result: MeasureResult): string {
  if (result.status === 'failed')
    return `  FAILED ${result.stage} ${result.code}: ${result.detail}  ${describe(config)}`;
  const { codeBytes, constBytes, scratchBytes, stackBytes } = result.sizes;
  const perMac = task.macs > 0 ? ` ${(result.cycles / task.macs).toFixed(3)}/MAC` : '';
  return `${String(result.cycles).padStart(10)}${perMac}  code ${codeBytes} const ${constBytes} scratch ${scratchBytes} stack ${stackBytes}  ${describe(config)}`;
}

async function look(session: Session, task: Task, counted: () => Promise<TwinCounters | undefined>): Promise<void> {
  const { space, propose, measure } = session.workbench(task);
  // The default first, so that the device is open when its counters are read.
  for (const config of [space.fallback, ...configs(task, session.module.target.features)]) {
    const made = propose(config);
    if (!made.ok) {
      console.log(`  refused  ${JSON.stringify('knobs' in config ? config.knobs : {})}: ${made.detail}`);
      continue;
    }
    const before = await counted();
    const result = await measure(made.candidate);
    const after = await counted();
    console.log(line(task, config, result));
    if (before !== undefined && after !== undefined)
      console.log(`            ${JSON.stringify(mapCauses((cause) => after.causes[cause] - before.causes[cause]))}`);
  }
}

let device: Device | undefined;
const session = await openSession(file, values.board, 1, async (board, firmware) => {
  if (board.open === undefined) throw new Error(`${board.id} is not an emulated board`);
  const opened = await board.open({ firmware, bulk: 'shared' });
  if (opened.ok) device = opened.value;
  return opened;
});
const counted = async (): Promise<TwinCounters | undefined> => device && session.module.counters?.(device);
try {
  for (const [i, task] of session.tasks.entries()) {
    if (number !== undefined && Number(number) !== i) continue;
    console.log(`${i} ${layerOf(task)} x${task.occurrences.length}, ${task.macs} MACs`);
    if (number !== undefined) await look(session, task, counted);
  }
} finally {
  await session.close();
}

/**
 * How many trials fit a serial line? Tunes kws on one emulated Cortex-M4 whose only way in is its UART, slowed down to 115200
 * baud both ways. Counts distinct binaries that were loaded, run and verified, and says what their bytes were. Writes
 * bench/results/loading.json. `npm run bench:loading [-- --model FILE --trials N --seed S --baud N]`.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { BuiltFirmware } from '../boards/index.ts';
import { mps2An386 } from '../boards/mps2-an386/index.ts';
import { connect } from '../firmware-rpc/host/client.ts';
import { openSerial } from '../firmware-rpc/host/serial.ts';
import { modelsDir } from '../test/models.ts';
import { plugIn } from '../test/plugged-in.ts';
import type { TrialRecord } from '../tuner/tune.ts';
import { openSession, resultsDir } from './session.ts';
import { type Throttled, throttled } from './throttled.ts';

const { values } = parseArgs({
  options: {
    model: { type: 'string', default: join(modelsDir, 'kws_int8.tflite') },
    models: { type: 'string' },
    trials: { type: 'string', default: '300' },
    seed: { type: 'string', default: '1' },
    baud: { type: 'string', default: '115200' },
  },
});

/** An emulator with its UART as a serial port, which is a real one to us. It ends with this process. */
function emulator(firmware: BuiltFirmware): Promise<string> {
  const { child, path } = plugIn(firmware.elf);
  process.once('exit', () => child.kill('SIGKILL'));
  child.unref();
  return path;
}

const lines: Throttled[] = [];
const session = await openSession(values.model, mps2An386.id, 1, async (_, firmware) => {
  const line = throttled(await openSerial(await emulator(firmware)), Number(values.baud));
  lines.push(line);
  return { ok: true, value: await connect(line, { slowdown: 60 }) };
});

interface Heard {
  readonly at: number;
  readonly trial: TrialRecord;
}
const heard: Heard[] = [];
const began = performance.now();
await session.run({
  policy: 'guided',
  seed: Number(values.seed),
  trials: Number(values.trials),
  progress: () => undefined,
  record: (trial) => heard.push({ at: performance.now(), trial }),
});
const ended = performance.now();
await session.close();

const verified = new Map(
  heard.flatMap(({ trial: { result } }) => (result.status === 'ok' ? [[result.binary, result] as const] : [])),
);
const of = (part: 'code' | 'constants' | 'rest'): number =>
  [...verified.values()].reduce((n, r) => n + r.bytes[part], 0);
const all = lines.map((l) => l.carried());
const total = (of: 'sent' | 'received' | 'requests'): number => all.reduce((n, c) => n + c[of], 0);
const payload = of('code') + of('constants') + of('rest');
const each = (n: number): number => Math.round(n / verified.size);
const stages: Record<string, number> = {};
for (const { trial } of heard)
  for (const [stage, ms] of Object.entries(trial.result.times)) stages[stage] = (stages[stage] ?? 0) + ms;
const seconds = (ended - began) / 1000;
const result = {
  model: session.model,
  board: session.board,
  kind: session.kind,
  toolchain: session.toolchain,
  baud: Number(values.baud),
  trials: heard.length,
  failed: heard.filter((h) => h.trial.result.status === 'failed').length,
  distinctVerifiedBinaries: verified.size,
  seconds: Number(seconds.toFixed(1)),
  verifiedPerSecond: Number((verified.size / seconds).toFixed(2)),
  bytesPerTrial: {
    code: each(of('code')),
    constants: each(of('constants')),
    rest: each(of('rest')),
    protocol: each(total('sent') + total('received') - payload),
  },
  requestsPerTrial: Number((total('requests') / heard.length).toFixed(1)),
  // Requests and answers take turns on the line: so much of a trial no computer can make shorter.
  lineMsPerTrial: Number(
    (((total('sent') + total('received')) * 10_000) / Number(values.baud) / heard.length).toFixed(1),
  ),
  stageMsPerTrial: Object.fromEntries(
    Object.entries(stages).map(([stage, ms]) => [stage, Number((ms / heard.length).toFixed(1))]),
  ),
  lineBusy: Number(((total('sent') * 10) / Number(values.baud) / seconds).toFixed(2)),
};
mkdirSync(resultsDir, { recursive: true });
writeFileSync(join(resultsDir, 'loading.json'), `${JSON.stringify(result, null, 2)}\n`);
console.log(JSON.stringify(result, null, 2));
process.exit(0);

/**
 * What the doctor does with one open device: firmware, memory, link, counter, guard, health, in this order, so that a finding
 * is not the consequence of one below it. Whatever the device does, the answer is a list of findings.
 */
import type { BoardModule } from '../../../boards/index.ts';
import type { Result } from '../../../compiler/result.ts';
import { type Device, LinkError } from '../../../firmware-rpc/host/device.ts';
import { encodeFrame } from '../../../firmware-rpc/host/frame.ts';
import { fillBytes } from '../../../tuner/measure/bench.ts';
import { HealthKernel, healthLength } from '../../../tuner/measure/health.ts';
import { KnownKernel } from '../../../tuner/measure/known-kernel.ts';
import { errorOf } from '../../errors.ts';
import { count, unit } from '../table.ts';
import { type Finding, failedWith, failing, fine, type Verdict, warning } from './finding.ts';

export interface Patient {
  readonly name: string;
  readonly board: BoardModule;
  /** Build id of the firmware that the board would be given today; undefined where that is not known. */
  readonly today: string | undefined;
  readonly cacheDir: string;
}

type Look = (device: Device, p: Patient) => Promise<Verdict>;

const checks: readonly { readonly check: string; readonly look: Look }[] = [
  { check: 'firmware', look: firmware },
  { check: 'memory', look: memory },
  { check: 'link', look: link },
  { check: 'counter', look: counter },
  { check: 'guard', look: guard },
  { check: 'model', look: model },
  { check: 'health', look: health },
];

const broken = 'Check cable and power, then reset the board.';

/** Opens a device, looks at everything, closes it. */
export async function lookAtDevice(open: () => Promise<Result<Device>>, p: Patient): Promise<readonly Finding[]> {
  const of = (check: string, verdict: Verdict): Finding => ({ subject: p.name, check, ...verdict });
  const opened = await open();
  if (!opened.ok) {
    const { code, detail } = opened.error;
    return [of('open', failing(`${code}: ${detail}`, errorOf(code).advice))];
  }
  const device = opened.value;
  const { board, uid } = device.info;
  const findings = [of('open', fine(`${board}, uid ${uid}`))];
  try {
    if (board !== p.board.id) return [of('open', failing(`it is a ${board}`, errorOf('WRONG_BOARD').advice))];
    for (const { check, look } of checks) findings.push(of(check, await guardedLook(look, device, p)));
  } finally {
    await device.close();
  }
  return findings;
}

async function guardedLook(look: Look, device: Device, p: Patient): Promise<Verdict> {
  try {
    return await look(device, p);
  } catch (error) {
    if (!(error instanceof LinkError)) throw error;
    return failing(error.message, broken);
  }
}

async function firmware({ info }: Device, { board, today }: Patient): Promise<Verdict> {
  if (info.cpuHz !== board.clockHz)
    return warning(
      `it says that it runs at ${count(info.cpuHz)} Hz; the board at ${count(board.clockHz)} Hz`,
      'Flash the firmware of this board anew.',
    );
  return today === undefined || today === info.buildId
    ? fine(`build ${info.buildId}${today === undefined ? '' : ', the one of today'}`)
    : warning(
        `build ${info.buildId}; today's is ${today}`,
        'Flash it anew, so that its records go together with others.',
      );
}

const edgeBytes = 64;
/** Both ends of every region at once: what is written to one must not appear in another. */
async function memory(device: Device): Promise<Verdict> {
  const { load, data, ramCode, ramData } = device.info;
  const regions = Object.entries({ load, data, ramCode, ramData }).filter(([, r]) => r.bytes > 0);
  const edges = regions.flatMap(([name, { base, bytes }]) => {
    const n = Math.min(edgeBytes, bytes);
    return [base, base + bytes - n].map((at) => ({ name, at, n }));
  });
  for (const [i, { at, n }] of edges.entries()) await device.fill(at, n, i + 1, 0);
  for (const [i, { name, at, n }] of edges.entries()) {
    // The two ends of a small region overlap: the later one is what is there.
    const later = edges.some((e, k) => k > i && e.at < at + n && at < e.at + e.n);
    const got = await device.fetch(at, n);
    if (!later && Buffer.compare(got, fillBytes(n, i + 1)) !== 0)
      return failing(
        `${name} at 0x${at.toString(16)} does not hold what is written`,
        'Check the link map of the firmware.',
      );
  }
  return fine(regions.map(([name, { bytes }]) => `${name} ${count(bytes / 1024)} KiB`).join(', '));
}

const pings = 50;
/** Longer than this the line, not the board, decides how long a trial takes, ms. */
const slowMs = 20;
/** A request is sent again when its answer is late; so its bytes tell how often. */
async function link(device: Device): Promise<Verdict> {
  const times: number[] = [];
  const before = device.traffic.sent;
  for (let i = 0; i < pings; i++) {
    const since = performance.now();
    await device.crc(device.info.data.base, 4);
    times.push(performance.now() - since);
  }
  const requestBytes = encodeFrame(new Uint8Array(2 + 8)).length;
  const again = Math.round((device.traffic.sent - before) / requestBytes) - pings;
  const median = times.sort((a, b) => a - b)[pings >> 1] ?? 0;
  const says = `round trip ${median.toFixed(1)} ms, ${again} of ${pings} requests sent again`;
  if (again > pings / 10) return failing(says, 'Check the cable, its length, the common ground and the baud rate.');
  if (again > 0) return warning(says, 'The link loses bytes: check the cable.');
  return median > slowMs
    ? warning(says, 'Lower the latency timer of the USB adapter (/sys/class/tty/*/device/latency_timer) to 1.')
    : fine(says);
}

/** Equal pieces of work more must be equal counts more. */
async function counter(device: Device, { board, cacheDir }: Patient): Promise<Verdict> {
  const kernel = new HealthKernel(board, cacheDir);
  const counts: number[] = [];
  for (const pieces of [1, 2, 3]) {
    const counted = await kernel.run(device, pieces * healthLength);
    if (!counted.ok) return failedWith(counted.error);
    counts.push(counted.value);
  }
  const [one = 0, two = 0, three = 0] = counts;
  const says = `${counts.map(count).join(', ')} ${unit(board.kind)} for 1, 2, 3 pieces`;
  const even = Math.abs(three - 2 * two + one) <= 0.05 * (two - one);
  // The clock of a PC tells no more than that.
  if (board.kind === 'host' ? three > one : even) return fine(says);
  return failing(
    says,
    'The counter does not count: look at board_cycles() of the board, and at what interrupts a call.',
  );
}

const poke = `#include <stdint.h>
uint32_t mt_entry(uint32_t at) { *(volatile uint32_t *)(uintptr_t)at = 0xffffffffu; return 0u; }
`;
/** A call that writes where it must not. */
async function guard(device: Device, { board, cacheDir }: Patient): Promise<Verdict> {
  const { guarded, load } = device.info;
  if (!guarded) return fine('none on this board; the firmware looks behind each call whether it was written over');
  const entry = await new KnownKernel(board, 'poke', poke, cacheDir).load(device);
  if (!entry.ok) return failedWith(entry.error);
  const args = [load.base + load.bytes - 4];
  const called = await device.call({ entry: entry.value, args, warmups: 0, repeats: 1, deadlineMs: 1000 });
  if (!called.ok && called.code === 'FAULT') return fine('a stray write faults, and the device goes on');
  const ended = called.ok ? 'did nothing' : `ended with ${called.code}: ${called.detail}`;
  return failing(
    `a stray write ${ended}`,
    'The memory protection of the board is not set up: candidates can spoil each other.',
  );
}

/** On a twin: whether the model knew all that ran. */
async function model(device: Device, { board }: Patient): Promise<Verdict> {
  if (board.counters === undefined) return fine(`counts are ${unit(board.kind)}`);
  const { cycles, unknown, unmapped } = await board.counters(device);
  const says = `${count(cycles)} cycles modelled`;
  return unknown + unmapped === 0
    ? fine(says)
    : warning(
        `${says}; ${count(unknown)} instructions and ${count(unmapped)} accesses that the model does not know`,
        'Please report it: counts may be too low.',
      );
}

async function health(device: Device, { board, cacheDir }: Patient): Promise<Verdict> {
  const kernel = new HealthKernel(board, cacheDir);
  const counts: number[] = [];
  for (let i = 0; i < 2; i++) {
    const counted = await kernel.run(device);
    if (!counted.ok) return failedWith(counted.error);
    counts.push(counted.value);
  }
  const says = `the known kernel is right: ${counts.map(count).join(' and ')} ${unit(board.kind)}`;
  return board.deterministic && counts[0] !== counts[1]
    ? failing(`${says}, which must be equal`, errorOf('HEALTH_DRIFT').advice)
    : fine(says);
}

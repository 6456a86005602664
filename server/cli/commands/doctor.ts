/** `microtune boards doctor`: looks at tools, ports and devices, and says what to do. Nothing is changed on any of them. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { type BoardModule, type BuiltFirmware, boardOf, boards } from '../../../boards/index.ts';
import { failed, type Result } from '../../../compiler/result.ts';
import { attach } from '../../../firmware-rpc/host/attach.ts';
import { answering, askAll, serialPorts } from '../../../firmware-rpc/host/discover.ts';
import type { AttachedDevice } from '../../attached.ts';
import { attachedForm } from '../../product.ts';
import type { DeviceBody } from '../../schemas/index.ts';
import { runningDaemon } from '../daemon.ts';
import { lookAtDevice, type Patient } from '../doctor/device.ts';
import { type Finding, failing, fine, told, warning } from '../doctor/finding.ts';
import { lookAtCompilers, lookAtEmulators, lookAtPorts } from '../doctor/machine.ts';
import type { Act } from '../index.ts';
import type { Io, Shows } from '../io.ts';
import { attached, type CommonOptions, collect, common } from '../options.ts';
import { counted } from '../table.ts';

interface DoctorOptions extends CommonOptions {
  readonly board?: readonly string[];
  readonly device?: readonly AttachedDevice[];
  readonly all?: true;
  readonly url?: string;
}

export function addDoctor(boardsCommand: Command, act: Act): void {
  const command = boardsCommand
    .command('doctor')
    .description('look at compilers, emulators, serial ports and devices, and say what to do about each')
    .option('--board <board>', 'start an emulated one and look at it; repeatable', collect(known))
    .option('--all', 'all emulated boards')
    .option('--device <board=where>', 'an attached board: a serial port, or HOST:PORT; repeatable', collect(attached))
    .option('--url <url>', 'a running daemon (default: the one of the data directory)');
  common(command, 'microtune boards doctor --board mps2-an386').action(act(doctor));
}

const known = (text: string): string => text;

async function doctor(io: Io, o: DoctorOptions): Shows {
  const named = [...(o.board ?? []), ...(o.device ?? []).map((d) => d.board)];
  const unknown = named.find((id) => boardOf(id) === undefined);
  if (unknown !== undefined) return failed('input', 'BOARD_UNKNOWN', `no board is called "${unknown}"`);
  const findings: Finding[] = [];
  for await (const found of look(o)) {
    if (found.length === 0) continue;
    findings.push(...found);
    // Emulators take a second each.
    if (io.screen.isTTY === true) io.news(`looked at ${[...new Set(found.map((f) => f.subject))].join(', ')}`);
  }
  return told(io, findings);
}

/** Piece by piece, the machine first: a device cannot be better than the tools. */
async function* look(o: DoctorOptions): AsyncGenerator<readonly Finding[]> {
  const emulate = boards.filter((b) => b.open !== undefined && (o.all === true || o.board?.includes(b.id) === true));
  const real = (o.board ?? []).filter((id) => boardOf(id)?.open === undefined);
  yield await lookAtCompilers(named(o).length > 0 ? named(o) : boards);
  yield await lookAtEmulators(named(o).length > 0 ? 'found' : 'all');
  const ports = await serialPorts();
  yield lookAtPorts(ports);
  yield await lookAtDaemon(o);
  yield real.map((subject) => ({
    subject,
    check: 'open',
    ...warning('it is not emulated', `Give --device ${subject}=PATH.`),
  }));
  const cacheDir = mkdtempSync(join(tmpdir(), 'microtune-doctor-'));
  try {
    for (const device of [...(o.device ?? []), ...(await found(ports, o))])
      yield await lookAtAttached(device, cacheDir);
    for (const board of emulate) yield await lookAtEmulated(board, cacheDir);
  } finally {
    rmSync(cacheDir, { recursive: true, force: true });
  }
}

/** Boards that the user asks for by name. */
function named(o: DoctorOptions): readonly BoardModule[] {
  const ids = new Set([...(o.board ?? []), ...(o.device ?? []).map((d) => d.board)]);
  return o.all === true ? boards : boards.filter((b) => ids.has(b.id));
}

/** Boards that answer on a port which was not named. */
async function found(ports: readonly string[], o: DoctorOptions): Promise<readonly AttachedDevice[]> {
  const rest = ports.filter((p) => o.device?.some((d) => d.address === p) !== true);
  return answering(await askAll(rest)).filter(({ board }) => boardOf(board) !== undefined);
}

async function lookAtAttached({ board: id, address }: AttachedDevice, cacheDir: string): Promise<readonly Finding[]> {
  const named = boardOf(id);
  if (named === undefined) throw new Error(`${id} was a board before`);
  const board = attachedForm(named);
  const firmware = await firmwareIn(cacheDir, board);
  const today = firmware.ok ? firmware.value.buildId : undefined;
  return lookAtDevice(() => attach(address), { name: address, board, today, cacheDir });
}

async function lookAtEmulated(board: BoardModule, cacheDir: string): Promise<readonly Finding[]> {
  const firmware = await firmwareIn(cacheDir, board);
  if (!firmware.ok) {
    const { code, detail } = firmware.error;
    return [{ subject: board.id, check: 'build', ...failing(`${code}: ${detail}`, 'The compiler is named above.') }];
  }
  const patient: Patient = { name: board.id, board, today: firmware.value.buildId, cacheDir };
  const open: BoardModule['open'] = board.open;
  if (open === undefined) throw new Error(`${board.id} is not emulated`);
  return lookAtDevice(() => open({ firmware: firmware.value, bulk: 'shared' }), patient);
}

const firmwareIn = (dir: string, board: BoardModule): Promise<Result<BuiltFirmware>> =>
  board.build({ dir: join(dir, board.id), name: 'server', objects: [] });

/** What a daemon that runs says of its devices: their ports are not ours to open. */
async function lookAtDaemon(o: DoctorOptions): Promise<readonly Finding[]> {
  const client = runningDaemon(o);
  if (client === undefined) return [];
  const devices = await client.devices();
  if (!devices.ok)
    return [{ subject: client.url, check: 'daemon', ...warning(devices.error.detail, 'See whether it still runs.') }];
  return devices.value.items.map((d) => ({ subject: d.name, check: 'daemon', ...stateOf(d) }));
}
function stateOf(d: DeviceBody) {
  const says = `${d.state}, ${counted(d.trials, 'trial')}, ${counted(d.failures, 'failure')}`;
  if (d.quarantine?.by === 'user')
    return warning(`${says}: ${d.quarantine.reason}`, 'It waits for `microtune devices release`.');
  if (d.state === 'quarantined')
    return failing(`${says}: ${d.code}: ${d.reason}`, 'It is looked at again from time to time.');
  if (d.state === 'unplugged') return warning(`${says}: ${d.address} is not there`, 'Plug it in; it is found again.');
  if (d.warning !== null) return warning(`${says}: ${d.warning}`, 'See docs/errors.md, FIRMWARE_OUTDATED.');
  return d.suspects > 0 ? warning(`${says}; ${d.suspects} results withdrawn: ${d.reason}`, 'See the log.') : fine(says);
}

/**
 * Starts QEMU as a board: its UART connects to a socket of ours, and its staging memory is shared through a file, so that bulk
 * data need not cross the UART.
 * Must stay true: neither the emulator nor its folder outlives us, however we end. A shell between us waits for the end of a
 * pipe from this process, kills the emulator then, and removes the folder.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Result } from '../../compiler/result.ts';
import { type Bulk, connect } from '../../firmware-rpc/host/client.ts';
import { type Device, LinkError } from '../../firmware-rpc/host/device.ts';
import { openProbe } from '../../firmware-rpc/host/gdb-remote.ts';
import { listenAt } from '../../firmware-rpc/host/socket.ts';
import type { Transport } from '../../firmware-rpc/host/transport.ts';
import { findTool, toolHint } from '../../toolchain/index.ts';
import type { Timing } from '../board.ts';
import { buildPlugin, type FiledMemory, timingConfig } from './timing/build.ts';

export interface QemuOptions {
  readonly program: string;
  readonly machine: string;
  /** What this machine is started with besides. */
  readonly args?: readonly string[];
  readonly elf: string;
  /** Where the CPU begins: at the vectors, or at the ELF's entry where the machine's first vectors lie outside the image. */
  readonly begins?: 'vectors' | 'entry';
  /** RAM of the machine that is shared through a file, bytes; where in it bulk data is staged, and how much of that is at most ours. */
  readonly shared?: { readonly bytes: number; readonly stagingOffset: number; readonly stagingBytes?: number };
  /** Cycles by the timing plugin: what it models, and where in the shared RAM, which begins at `ramBase`, its mailbox is. */
  readonly timing?: {
    readonly model: Timing;
    readonly ramBase: number;
    readonly mailbox: number;
    /** Memory whose instructions are tallied, in files that are not there yet. */
    readonly profiled?: readonly FiledMemory[];
  };
  /** For a machine whose memory cannot be shared: bulk data goes through the emulator's GDB server instead. */
  readonly probe?: 'gdb';
  /** Bulk data through shared memory or the probe, or everything over the UART. */
  readonly bulk: 'shared' | 'uart';
}

/** $1: the folder to remove at the end; the rest: the emulator's command. */
const guard = `
dir=$1; shift; exec 3<&0
"$@" </dev/null 3<&- & q=$!
(read -r _ <&3; kill -9 $q) >/dev/null 2>&1 & w=$!
exec 3<&-; wait $q 2>/dev/null; code=$?
{ kill $w; wait $w; rm -rf -- "$dir"; } >/dev/null 2>&1
exit $code`;

/** How long the emulator may take to connect its UART, ms. */
const startMs = 30_000;
/** An emulated second may take this many real ones on a busy machine before a call is given up as lost. */
const slowdown = 60;

/** A running emulator: what it said, and how it ended. */
interface Emulator {
  readonly child: ChildProcess;
  readonly ended: Promise<string>;
  readonly log: () => string;
}

function launch(command: readonly string[], dir: string): Emulator {
  // In a session of its own: Ctrl-C in our terminal is for us to handle.
  const child = spawn('/bin/sh', ['-c', guard, 'sh', dir, ...command], {
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
  });
  let log = '';
  const collect = (d: Buffer): void => {
    log = (log + d.toString()).slice(-4096);
  };
  child.stdout.on('data', collect);
  child.stderr.on('data', collect);
  child.stdin.on('error', () => undefined);
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(`the emulator could not be started: ${error.message}`));
    child.once('close', (code, signal) => {
      child.stdin.destroy();
      resolve(`the emulator ended (${signal ?? `code ${code}`}) ${log.trim().slice(-300)}`.trim());
    });
  });
  return { child, ended, log: () => log };
}

/** The emulated UART, once the emulator has connected it. */
function uartOf(peer: Promise<Transport>, e: Emulator): Promise<Transport> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`the emulator did not start within ${startMs} ms`)), startMs);
    const refuse = (reason: unknown): void => {
      clearTimeout(timer);
      reject(reason instanceof Error ? reason : new Error(String(reason)));
    };
    void e.ended.then(refuse);
    peer.then((transport) => {
      clearTimeout(timer);
      resolve(transport);
    }, refuse);
  });
}

/** The UART, gone when the emulator is. */
function withEnd(uart: Transport, e: Emulator): Transport {
  return {
    ...uart,
    onClose(listener) {
      let told = false;
      const once = (reason: string): void => {
        if (!told) listener(reason);
        told = true;
      };
      // The emulator's last words say more than the socket's.
      uart.onClose(() => void e.ended.then(once));
      void e.ended.then(once);
    },
  };
}

/** Starts an emulator and opens a session. Failures: EMULATOR_MISSING, DEVICE_UNREACHABLE, those of buildPlugin. */
export async function startQemu(o: QemuOptions): Promise<Result<Device>> {
  if (findTool(o.program) === undefined)
    return { ok: false, error: { stage: 'load', code: 'EMULATOR_MISSING', detail: toolHint(o.program) } };
  const plugin = o.timing === undefined ? undefined : await buildPlugin(o.program);
  if (plugin?.ok === false) return plugin;
  try {
    return { ok: true, value: await start(o, plugin?.value) };
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    return { ok: false, error: { stage: 'load', code: 'DEVICE_UNREACHABLE', detail } };
  }
}

/** Throws for whatever is in the way, a full disk included; nothing is left running, and no folder, then. */
async function start(o: QemuOptions, plugin: string | undefined): Promise<Device> {
  const dir = mkdtempSync(join(tmpdir(), 'microtune-qemu-'));
  try {
    return await startIn(dir, o, plugin);
  } catch (error) {
    rmSync(dir, { recursive: true, force: true });
    throw error;
  }
}

async function startIn(dir: string, o: QemuOptions, plugin: string | undefined): Promise<Device> {
  const memory =
    o.shared !== undefined && (o.bulk === 'shared' || plugin !== undefined) ? sharedMemory(dir, o.shared) : undefined;
  try {
    const timing = plugin === undefined || memory === undefined ? [] : timingArgs(o, plugin, dir, memory.file);
    return await startWith(memory, timing, dir, o);
  } catch (error) {
    memory?.close();
    throw error;
  }
}

async function startWith(
  memory: SharedMemory | undefined,
  timing: readonly string[],
  dir: string,
  o: QemuOptions,
): Promise<Device> {
  const listener = await listenAt(at(dir, 'uart'), `the UART of ${o.machine}`);
  const emulator = launch([...commandOf(memory, o), ...timing, ...roadsOf(dir, o)], dir);
  const stop = async (): Promise<void> => {
    listener.close();
    emulator.child.stdin?.end();
    await emulator.ended;
    memory?.close();
  };
  try {
    const transport = withEnd(await uartOf(listener.peer, emulator), emulator);
    const bulk = memory === undefined || o.bulk === 'uart' ? {} : { bulk: memory.bulk };
    const probe = hasProbe(o) ? { probe: await openProbe(at(dir, 'gdb')) } : {};
    return await connect(transport, { ...bulk, ...probe, slowdown, onClose: stop });
  } catch (error) {
    await stop();
    throw error;
  }
}

/** What lies in the emulator's folder beside the shared memory: the sockets of its UART and its GDB server. */
const at = (dir: string, socket: 'uart' | 'gdb'): string => join(dir, socket);
const hasProbe = (o: QemuOptions): boolean => o.probe === 'gdb' && o.bulk === 'shared';

/**
 * How an emulator executes. One instruction is one nanosecond of virtual time, so that timers, and with them deadlines, count
 * instructions. 32 MiB of translated code are kept at most, and a plugin keeps about as much beside it: left alone it would be
 * 1 GiB, as each trial is code that was not seen before.
 */
const execution = ['-icount', 'shift=0', '-accel', 'tcg,tb-size=32'];

/** The emulator, its machine and what that starts with. */
function commandOf(memory: SharedMemory | undefined, o: QemuOptions): readonly string[] {
  const machine = memory === undefined ? o.machine : `${o.machine},memory-backend=ram`;
  const image = o.begins === 'entry' ? ['-device', `loader,file=${o.elf},cpu-num=0`] : ['-kernel', o.elf];
  return [o.program, '-M', machine, ...(memory?.args ?? []), ...execution, ...(o.args ?? []), ...image];
}

/** Its ways to the world. The GDB server comes before the UART: when that is connected, the server listens. */
function roadsOf(dir: string, o: QemuOptions): readonly string[] {
  const gdb = ['-chardev', `socket,id=gdb,path=${at(dir, 'gdb')},server=on,wait=off`, '-gdb', 'chardev:gdb'];
  const uart = ['-chardev', `socket,id=uart,path=${at(dir, 'uart')}`, '-serial', 'chardev:uart'];
  return ['-display', 'none', '-monitor', 'none', ...(hasProbe(o) ? gdb : []), ...uart];
}

/** Writes what the plugin reads at its start. Without options that differ from run to run but this folder's name. */
function timingArgs(o: QemuOptions, plugin: string, dir: string, ram: string): readonly string[] {
  if (o.timing === undefined || o.shared === undefined) return [];
  const config = join(dir, 'timing');
  const { model, ramBase, mailbox, profiled } = o.timing;
  writeFileSync(config, timingConfig(model, { base: ramBase, bytes: o.shared.bytes, path: ram, mailbox }, profiled));
  return ['-plugin', `${plugin},config=${config}`];
}

interface SharedMemory {
  /** Path of the file that the emulator maps. */
  readonly file: string;
  readonly args: readonly string[];
  readonly bulk: Bulk;
  close(): void;
}
function sharedMemory(dir: string, shared: NonNullable<QemuOptions['shared']>): SharedMemory {
  const file = join(dir, 'ram');
  const fd = openSync(file, 'w+', 0o600);
  let open = true;
  const close = (): void => {
    if (open) closeSync(fd);
    open = false;
  };
  try {
    ftruncateSync(fd, shared.bytes);
  } catch (error) {
    close();
    throw error;
  }
  return {
    file,
    args: ['-object', `memory-backend-file,id=ram,size=${shared.bytes},mem-path=${file},share=on`],
    bulk: {
      ...(shared.stagingBytes !== undefined && { bytes: shared.stagingBytes }),
      write: async (offset, bytes) => {
        if (!open) throw new LinkError('the emulator was closed');
        writeSync(fd, bytes, 0, bytes.length, shared.stagingOffset + offset);
      },
    },
    close,
  };
}

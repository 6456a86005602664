/**
 * Starts QEMU as a board: its UART as a pseudo-terminal (opened with serialport) or a socket, and its staging memory shared
 * through a file, so that bulk data need not cross the UART.
 * The emulator never outlives us: a shell waits for the end of a pipe from this process and kills it then, however we end.
 */
import { spawn } from 'node:child_process';
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Result } from '../../compiler/result.ts';
import { type Bulk, connect } from '../../firmware-rpc/host/client.ts';
import type { Device } from '../../firmware-rpc/host/device.ts';
import { openSerial } from '../../firmware-rpc/host/serial.ts';
import { findTool, toolHint } from '../../toolchain/index.ts';

export interface QemuOptions {
  readonly program: string;
  readonly machine: string;
  readonly args: readonly string[];
  readonly elf: string;
  /** RAM of the machine that is shared through a file, bytes, and where the staging area begins in it. */
  readonly shared?: { readonly bytes: number; readonly stagingOffset: number };
  /** Bulk data through shared memory, or everything over the UART. */
  readonly bulk: 'shared' | 'uart';
}

/** Kills the emulator when the pipe on its standard input ends. */
const guard = 'exec 3<&0; "$@" </dev/null & q=$!; (cat <&3 >/dev/null; kill -9 $q) >/dev/null 2>&1 & wait $q';

export async function startQemu(o: QemuOptions): Promise<Result<Device>> {
  if (findTool(o.program) === undefined)
    return { ok: false, error: { stage: 'load', code: 'EMULATOR_MISSING', detail: toolHint(o.program) } };
  const dir = mkdtempSync(join(tmpdir(), 'microtune-qemu-'));
  const useShared = o.shared !== undefined && o.bulk === 'shared';
  const file = join(dir, 'ram');
  const fd = useShared ? openSync(file, 'w+', 0o600) : undefined;
  if (fd !== undefined) ftruncateSync(fd, o.shared?.bytes ?? 0);
  const backend = useShared
    ? ['-object', `memory-backend-file,id=ram,size=${o.shared?.bytes},mem-path=${file},share=on`]
    : [];
  const machine = useShared ? `${o.machine},memory-backend=ram` : o.machine;
  const args = [
    '-M',
    machine,
    ...backend,
    ...o.args,
    '-display',
    'none',
    '-monitor',
    'none',
    '-serial',
    'pty',
    '-kernel',
    o.elf,
  ];
  const child = spawn('/bin/sh', ['-c', guard, 'sh', o.program, ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
  child.stdin.on('error', () => undefined);
  let log = '';
  let exited: ((reason: string) => void) | undefined;
  let ended = false;
  const end = new Promise<void>((resolve) => {
    child.on('exit', (code) => {
      ended = true;
      child.stdin.end();
      exited?.(`the emulator ended (${code ?? 'signal'}): ${log.trim().slice(-300)}`);
      if (fd !== undefined) closeSync(fd);
      rmSync(dir, { recursive: true, force: true });
      resolve();
    });
  });
  const stop = async (): Promise<void> => {
    child.stdin.end();
    await end;
  };
  try {
    const pty = await new Promise<string>((resolve, reject) => {
      exited = (reason) => reject(new Error(reason));
      const look = (d: Buffer): void => {
        log += d.toString();
        const found = /redirected to (\S+)/.exec(log)?.[1];
        if (found !== undefined) resolve(found);
      };
      child.stdout.on('data', look);
      child.stderr.on('data', look);
    });
    const serial = await openSerial(pty);
    let gone: ((reason: string) => void) | undefined;
    exited = (reason) => gone?.(reason);
    const transport = {
      ...serial,
      name: `${o.machine} on ${pty}`,
      onClose: (listener: (reason: string) => void) => {
        serial.onClose(listener);
        gone = listener;
        if (ended) listener('the emulator ended');
      },
    };
    const offset = o.shared?.stagingOffset ?? 0;
    const bulk: { bulk?: Bulk } =
      fd === undefined
        ? {}
        : { bulk: { write: async (at, bytes) => void writeSync(fd, bytes, 0, bytes.length, offset + at) } };
    return { ok: true, value: await connect(transport, { ...bulk, onClose: stop }) };
  } catch (error) {
    if (!ended) await stop();
    return {
      ok: false,
      error: {
        stage: 'load',
        code: 'DEVICE_UNREACHABLE',
        detail: error instanceof Error ? error.message : String(error),
      },
    };
  }
}

/** A board as if somebody had plugged it in: a bare emulator whose UART is a pseudo-terminal. No board's `open` is involved. */
import { type ChildProcess, spawn } from 'node:child_process';

export interface PluggedIn {
  /** Whoever plugs it in ends it. */
  readonly child: ChildProcess;
  /** Of the UART, once it is announced. */
  readonly path: Promise<string>;
}

/** Starts mps2-an386 with this firmware. `uart`: how it comes to its pseudo-terminal, and what else it is to have. */
export function plugIn(elf: string, uart: readonly string[] = ['-serial', 'pty']): PluggedIn {
  const machine = ['-M', 'mps2-an386', '-icount', 'shift=0', '-display', 'none', '-monitor', 'none'];
  const child = spawn('qemu-system-arm', [...machine, ...uart, '-kernel', elf], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const path = new Promise<string>((resolve, reject) => {
    child.once('close', () => reject(new Error('the emulator ended')));
    child.stdout.on('data', (d: Buffer) => {
      const found = /redirected to (\S+)/.exec(d.toString())?.[1];
      if (found !== undefined) resolve(found);
    });
  });
  return { child, path };
}

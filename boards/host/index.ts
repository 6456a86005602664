/** The PC as a board: a process behind a socket. The example to copy; board.c holds the porting file. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { connect } from '../../firmware-rpc/host/client.ts';
import { listenOnce } from '../../firmware-rpc/host/socket.ts';
import type { Board } from '../board.ts';
import { buildServer } from '../common/build.ts';
import type { BoardModule } from '../module.ts';
import data from './board.json' with { type: 'json' };

const board = data as Board;
const here = import.meta.dirname;

export const host: BoardModule = {
  ...board,
  build: (request) =>
    buildServer(
      {
        target: board.target,
        sources: ['board.c', 'socket.c'].map((f) => join(here, f)),
        flags: [],
        linkScript: join(here, 'link.ld'),
        linkFlags: [],
      },
      request,
    ),
  async open({ firmware }) {
    const listener = await listenOnce();
    const child = spawn(firmware.elf, [String(listener.port)], { stdio: ['ignore', 'ignore', 'pipe'], detached: true });
    let log = '';
    child.stderr.on('data', (d: Buffer) => {
      log = (log + d.toString()).slice(-4096);
    });
    const ended = new Promise<void>((resolve) => {
      child.once('error', (error) => {
        log += error.message;
        resolve();
      });
      child.once('close', () => resolve());
    });
    void ended.then(() => listener.close());
    try {
      const onClose = (): Promise<void> => stop(child, ended);
      return { ok: true, value: await connect(await listener.peer, { onClose }) };
    } catch (error) {
      await stop(child, ended);
      const detail = `${error instanceof Error ? error.message : String(error)} ${log}`.trim();
      return { ok: false, error: { stage: 'load', code: 'DEVICE_UNREACHABLE', detail } };
    }
  },
};

/** A process that is at work in a call does not see that its connection is gone: it is ended. */
async function stop(child: ChildProcess, ended: Promise<void>): Promise<void> {
  child.kill('SIGKILL');
  await ended;
}

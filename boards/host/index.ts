/** The PC as a board: a process behind a socket. The example to copy; board.c holds the porting file. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { connect } from '../../firmware-rpc/host/client.ts';
import { listenOnce } from '../../firmware-rpc/host/socket.ts';
import type { Board } from '../board.ts';
import { buildServer } from '../common/build.ts';
import type { BoardModule } from '../module.ts';
import data from './board.json' with { type: 'json' };

const board = data as Board;

export const host: BoardModule = {
  ...board,
  build: (request) =>
    buildServer(
      { target: board.target, sources: [join(import.meta.dirname, 'board.c')], flags: [], linkFlags: [] },
      request,
    ),
  async open({ firmware }) {
    const listener = await listenOnce();
    const child = spawn(firmware.elf, [String(listener.port)], { stdio: ['ignore', 'ignore', 'pipe'] });
    let log = '';
    child.stderr.on('data', (d: Buffer) => {
      log += d.toString();
    });
    child.on('error', (error) => {
      log += error.message;
      listener.close();
    });
    child.on('close', () => listener.close());
    try {
      return { ok: true, value: await connect(await listener.peer) };
    } catch (error) {
      child.kill('SIGKILL');
      return {
        ok: false,
        error: {
          stage: 'load',
          code: 'DEVICE_UNREACHABLE',
          detail: `${error instanceof Error ? error.message : String(error)} ${log}`.trim(),
        },
      };
    }
  },
};

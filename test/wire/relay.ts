/**
 * A listener in front of a board that listens itself. Several hosts may come: all reach the one board, as all paths to a device
 * do. Cut, it is gone like an adapter that was pulled out; another one may then take its place.
 */
import { connect, createServer, type Socket } from 'node:net';

export interface Relay {
  readonly address: string;
  /** Puts another board in the place of the one behind it: to hosts it looks like one that was flashed. */
  swap(port: number): Promise<void>;
  cut(): Promise<void>;
}

export async function relayTo(port: number): Promise<Relay> {
  let board = connect(port, '127.0.0.1');
  const hosts = new Set<Socket>();
  const listen = (to: Socket): Socket =>
    to
      .on('error', () => undefined)
      .on('data', (bytes) => {
        for (const host of hosts) host.write(bytes);
      });
  listen(board);
  const server = createServer((host) => {
    hosts.add(host);
    host.setNoDelay(true);
    host.on('data', (bytes) => board.write(bytes));
    host.on('error', () => undefined);
    host.on('close', () => hosts.delete(host));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const at = server.address();
  if (at === null || typeof at !== 'object') throw new Error('a relay without an address');
  const leave = (from: Socket): Promise<void> =>
    new Promise((resolve) => {
      if (from.closed) resolve();
      else from.once('close', () => resolve()).destroy();
    });
  return {
    address: `127.0.0.1:${at.port}`,
    async swap(to) {
      await leave(board);
      board = listen(connect(to, '127.0.0.1'));
    },
    async cut() {
      for (const host of hosts) host.destroy();
      server.close();
      await leave(board);
    },
  };
}

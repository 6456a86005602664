/** TCP as a Transport: a listener for boards that connect to us, and a client for those that listen. */
import { createServer, connect as dial, type Socket } from 'node:net';
import { LinkError } from './device.ts';
import type { Transport } from './transport.ts';

function socketTransport(socket: Socket, name: string): Transport {
  socket.setNoDelay(true);
  let closed: ((reason: string) => void) | undefined;
  let reason = 'the peer closed the connection';
  socket.on('error', (error) => {
    reason = error.message;
  });
  socket.on('close', () => closed?.(reason));
  return {
    name,
    write: (bytes) =>
      new Promise((resolve) => {
        // An error also arrives at 'close'; the client waits for its answer and learns it there.
        socket.write(bytes, () => resolve());
      }),
    onData: (listener) => void socket.on('data', listener),
    onClose: (listener) => {
      closed = listener;
      if (socket.destroyed) listener(reason);
    },
    close: () =>
      new Promise((resolve) => {
        if (socket.destroyed) return resolve();
        socket.once('close', () => resolve());
        socket.destroy();
      }),
  };
}

/** How long a connection may take to come about, ms. */
const dialMs = 10_000;

/** Connects to host:port. Throws LinkError with what to do. */
export function openSocket(host: string, port: number): Promise<Transport> {
  const name = `tcp ${host}:${port}`;
  return new Promise((resolve, reject) => {
    const socket = dial({ host, port });
    const refuse = (reason: string): void => {
      socket.destroy();
      reject(new LinkError(`${name}: ${reason}; is the board on, and its address right?`));
    };
    socket.setTimeout(dialMs, () => refuse(`no connection within ${dialMs / 1000} s`));
    socket.once('error', (error) => refuse(error.message));
    socket.once('connect', () => {
      socket.setTimeout(0);
      resolve(socketTransport(socket, name));
    });
  });
}

/** A loopback listener on a port of the system's choice that takes one connection. */
export async function listenOnce(): Promise<{
  readonly port: number;
  readonly peer: Promise<Transport>;
  close(): void;
}> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(new LinkError(`cannot listen: ${error.message}`)));
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const peer = new Promise<Transport>((resolve, reject) => {
    server.once('connection', (socket) => {
      server.close();
      resolve(socketTransport(socket, `tcp 127.0.0.1:${port}`));
    });
    server.once('close', () => reject(new LinkError('nobody connected')));
  });
  peer.catch(() => undefined);
  return { port, peer, close: () => server.close() };
}

/** Sockets as a Transport: listeners for boards that connect to us (TCP, or a path in a folder), and a client for those that listen. */
import {
  createServer,
  connect as dial,
  type ListenOptions,
  type NetConnectOpts,
  type Server,
  type Socket,
} from 'node:net';
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

/** HOST:PORT, an IPv6 host in brackets, in its parts; undefined for any other address (a path). */
export function hostAndPort(address: string): { readonly host: string; readonly port: number } | undefined {
  const [, host, port] = /^([^/\\]+):(\d{1,5})$/.exec(address) ?? [];
  return host === undefined ? undefined : { host: host.replace(/^\[(.*)\]$/, '$1'), port: Number(port) };
}

/** Connects to host:port. Throws LinkError with what to do. */
export const openSocket = (host: string, port: number): Promise<Transport> =>
  opened(`tcp ${host}:${port}`, { host, port });
/** Connects to a Unix socket. Throws LinkError. */
export const openPath = (path: string): Promise<Transport> => opened(path, { path });

function opened(name: string, where: NetConnectOpts): Promise<Transport> {
  return new Promise((resolve, reject) => {
    const socket = dial(where);
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

interface Listener {
  /** The first that connects; there is no second. Rejects when `close` came before. */
  readonly peer: Promise<Transport>;
  close(): void;
}

/** A loopback listener on a port of the system's choice that takes one connection. */
export async function listenOnce(): Promise<Listener & { readonly port: number }> {
  const server = await listening({ host: '127.0.0.1', port: 0 });
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return { port, ...onePeer(server, `tcp 127.0.0.1:${port}`) };
}

/** The same at a path (a Unix socket): who may reach the folder may connect. The path is gone with the connection or `close`. */
export async function listenAt(path: string, name: string): Promise<Listener> {
  return onePeer(await listening({ path }), name);
}

async function listening(where: ListenOptions): Promise<Server> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(new LinkError(`cannot listen: ${error.message}`)));
    server.listen(where, resolve);
  });
  return server;
}

function onePeer(server: Server, name: string): Listener {
  const peer = new Promise<Transport>((resolve, reject) => {
    server.once('connection', (socket) => {
      server.close();
      resolve(socketTransport(socket, name));
    });
    server.once('close', () => reject(new LinkError('nobody connected')));
  });
  peer.catch(() => undefined);
  return { peer, close: () => server.close() };
}

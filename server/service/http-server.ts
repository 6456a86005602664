/** The server of Node under the interface: plain or TLS, with its limits of time and size. */
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Limits } from './limits.ts';
import type { Tls } from './options.ts';

/** Not listening yet. */
export function httpServer(handler: RequestListener, limits: Limits, tls?: Tls): Server {
  const options = {
    maxHeaderSize: limits.headBytes,
    headersTimeout: limits.headMs,
    requestTimeout: limits.requestMs,
    connectionsCheckingInterval: limits.checkMs,
    keepAliveTimeout: 72_000,
  };
  const server = tls === undefined ? createServer(options, handler) : createTlsServer({ ...options, ...tls }, handler);
  server.maxConnections = limits.connections;
  return server;
}

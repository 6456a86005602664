/**
 * The page at `/`: files as they lie in server/dashboard, and the charting library from its package. Must stay true: nothing
 * else can be read through here, and what is served runs no script, style or request that is not the daemon's own.
 */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import fastifyStatic from '@fastify/static';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { AppContext } from '../api.ts';

const dashboard = resolve(import.meta.dirname, '../dashboard');
const charts = dirname(resolve(import.meta.dirname, '../../node_modules/uplot/dist/uPlot.esm.js'));
/** By the names under which the page knows them. */
const chartFiles: Readonly<Record<string, string>> = { 'uplot.js': 'uPlot.esm.js', 'uplot.css': 'uPlot.min.css' };

/** Text from data can never become code where no code but the daemon's own files runs. */
export const pagePolicy = [
  "default-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "object-src 'none'",
].join('; ');

const headers = {
  'content-security-policy': pagePolicy,
  'referrer-policy': 'no-referrer',
  // Another version of the daemon has other files; asking whether one changed costs next to nothing.
  'cache-control': 'no-cache',
};

export const pageRoutes =
  (_c: AppContext): FastifyPluginAsyncTypebox =>
  async (app) => {
    await app.register(fastifyStatic, {
      root: dashboard,
      prefix: '/page/',
      index: false,
      schemaHide: true,
      // Types beside the scripts are for the compiler.
      allowedPath: (path, root) => root === charts || /^\/[\w-]+\.(js|css|svg)$/.test(path),
      cacheControl: false,
      setHeaders: (reply) => void reply.headers(headers),
    });
    for (const [name, file] of Object.entries(chartFiles))
      app.get(`/page/${name}`, { schema: { hide: true } }, (_request, reply) => reply.sendFile(file, charts));
    const html = readFileSync(resolve(dashboard, 'index.html'));
    app.get('/', { schema: { hide: true } }, (_request, reply) =>
      reply.type('text/html; charset=utf-8').headers(headers).send(html),
    );
  };

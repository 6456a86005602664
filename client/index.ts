/**
 * A client for a microtune daemon: `import { Client } from 'microtune/client'`. Methods return a Result and throw nothing for
 * what the network or the daemon does; iterators (`each...`, `events`) throw RequestFailed. Needs fetch, nothing of Node.
 */
export type { Failure, Result } from '../compiler/result.ts';
export type * from '../server/schemas/index.ts';
export { Client, type ClientOptions, type Following, type Place } from './client.ts';
export type { ServerEvent } from './events.ts';
export { type Page, RequestFailed } from './items.ts';

/** Options of `serve` that say from where the daemon can be reached, and by whom. */
import { isIP } from 'node:net';
import { type Command, InvalidArgumentError } from 'commander';
import type { ReachOptions } from '../service/options.ts';
import { collect } from './options.ts';
import { readFile } from './read-file.ts';

export interface ReachFlags {
  readonly host: string;
  readonly name?: readonly string[];
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly trustProxy?: string;
  readonly requireToken?: true;
  readonly plainHttp?: true;
}

export const reach = (command: Command): Command =>
  command
    .option('--host <name>', 'address to listen on; the default is this machine only', '127.0.0.1')
    .option('--name <name>', 'another name under which requests may come; repeatable', collect(String))
    .option('--require-token', 'answer only those who have a token, also on this machine (always so beyond it)')
    .option('--tls-cert <file>', 'certificate (PEM) to speak TLS with')
    .option('--tls-key <file>', 'its key (PEM)')
    .option('--trust-proxy <address>', 'address of a proxy that does TLS and says who asks', address)
    .option('--plain-http', 'no TLS beyond this machine: the network is private, as that of a container');

/** As the daemon takes them. Throws what is wrong with a file. */
export const reachOf = (o: ReachFlags): ReachOptions => ({
  host: o.host,
  ...(o.name !== undefined && { names: o.name }),
  ...(o.requireToken === true && { tokens: 'required' }),
  ...(o.trustProxy !== undefined && { trustProxy: o.trustProxy }),
  ...(o.plainHttp === true && { plainHttp: 'allowed' }),
  ...((o.tlsCert !== undefined || o.tlsKey !== undefined) && { tls: { cert: text(o.tlsCert), key: text(o.tlsKey) } }),
});

/** What is missing is empty, which no certificate is. */
const text = (file: string | undefined): string => (file === undefined ? '' : readFile(file).toString('utf8'));

/** An address, or a network of them: 10.0.0.0/8. */
function address(given: string): string {
  const [, ip = '', bits] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(given) ?? [];
  if (isIP(ip) === 0 || Number(bits ?? 0) > (isIP(ip) === 4 ? 32 : 128))
    throw new InvalidArgumentError('An address like 127.0.0.1, or a network like 10.0.0.0/8, is needed.');
  return given;
}

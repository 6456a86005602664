/**
 * Where webhooks may go. Must stay true: what a job names reaches no address that only this machine's own setup is meant to reach
 * (link-local ones, where clouds keep credentials), by whatever name, spelling or answer of a name server.
 */
import { type LookupAddress, lookup } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { failed, ok, type Result } from '../../compiler/result.ts';

const refused = new BlockList();
for (const [net, bits] of [
  // This network, link-local with the metadata services of clouds, multicast, reserved.
  ['0.0.0.0', 8],
  ['169.254.0.0', 16],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
  // Metadata services of two clouds that lie elsewhere.
  ['100.100.100.200', 32],
  ['168.63.129.16', 32],
] as const)
  refused.addSubnet(net, bits, 'ipv4');
for (const [net, bits] of [
  ['::', 128],
  ['fe80::', 10],
  ['ff00::', 8],
  ['fd00:ec2::254', 128],
  // Addresses of version 4 in another dress: which of them it stands for is not ours to work out.
  ['64:ff9b::', 96],
  ['2002::', 16],
] as const)
  refused.addSubnet(net, bits, 'ipv6');

/** Whether a webhook may go to this address; those of version 4 in version 6 (::ffff:0:0/96) are looked at as what they are. */
export const allowedAddress = (address: string): boolean => {
  const family = isIP(address);
  return family !== 0 && !refused.check(address, family === 4 ? 'ipv4' : 'ipv6');
};

/** Longest address of a webhook, characters. */
export const longestUrl = 2048;

/** An address that somebody names, in its normal form. Failure: WEBHOOK_BAD. */
export function parseWebhook(text: string): Result<string> {
  const bad = (why: string): Result<never> => failed('request', 'WEBHOOK_BAD', `"${text.slice(0, 200)}" ${why}`);
  if (text.length > longestUrl) return bad(`has more than ${longestUrl} characters`);
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol)) return bad('is no address that begins with http:// or https://');
  if (url.username !== '' || url.password !== '') return bad('has a password in it, which everybody would see');
  const host = hostOf(url);
  return isIP(host) === 0 || allowedAddress(host)
    ? ok(url.href)
    : bad('leads to an address that webhooks may not reach');
}

/** Without the brackets of version 6. */
export const hostOf = (url: URL): string => url.hostname.replace(/^\[(.*)\]$/, '$1');

/** Addresses of a name, as they are when a connection is made, without those that are refused. */
export const allowedLookup: LookupFunction = (hostname, options, callback) => {
  lookup(hostname, { ...options, all: true }, (error, found: LookupAddress[]) => {
    const allowed = error === null ? found.filter((a) => allowedAddress(a.address)) : [];
    const [first] = allowed;
    if (error !== null) callback(error, [], 0);
    else if (first === undefined)
      callback(new Error(`${hostname} leads to an address that webhooks may not reach`), [], 0);
    else if (options.all === true) callback(null, allowed);
    else callback(null, first.address, first.family);
  });
};

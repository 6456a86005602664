/**
 * One attempt to deliver: signed, to an allowed address, without redirects, within a time limit, and deaf to long answers. Must stay
 * true: whatever the receiver does, the attempt ends, and ends as a value.
 */
import { createHmac } from 'node:crypto';
import { type ClientRequest, type IncomingMessage, request as overHttp, type RequestOptions } from 'node:http';
import { request as overHttps } from 'node:https';
import { isIP } from 'node:net';
import { allowedAddress, allowedLookup, hostOf } from './address.ts';

export interface Message {
  readonly url: string;
  /** Of the delivery. */
  readonly id: string;
  readonly event: string;
  readonly body: string;
}
/** What came of it: an answer, or why there was none. */
export type Sent = { readonly status: number } | { readonly error: string };
/** Sends a message; never rejects. */
export type Send = (message: Message, signal: AbortSignal) => Promise<Sent>;

export interface SendOptions {
  /** What messages are signed with. */
  readonly secret: string;
  readonly version: string;
  /** Time of day, ms since the epoch. */
  readonly wall: () => number;
  /** Whole time of an attempt, ms. */
  readonly limitMs?: number;
}

const usualLimitMs = 10_000;
/** Bytes of an answer after which the rest is not read. */
const longestAnswer = 65_536;

/** `t=UNIX,v1=HEX`: HMAC-SHA256 with the secret, of the time in seconds, a dot, and the body. */
export function signatureOf(secret: string, seconds: number, body: string): string {
  return `t=${seconds},v1=${createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex')}`;
}

export function sender({ secret, version, wall, limitMs = usualLimitMs }: SendOptions): Send {
  return async (message, signal) => {
    const url = new URL(message.url);
    const host = hostOf(url);
    if (isIP(host) !== 0 && !allowedAddress(host)) return { error: `webhooks may not reach ${host}` };
    const limit = AbortSignal.timeout(limitMs);
    const options: RequestOptions = {
      method: 'POST',
      // A connection of its own: what was allowed for one is not kept for the next.
      agent: false,
      lookup: allowedLookup,
      signal: AbortSignal.any([signal, limit]),
      headers: {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(message.body),
        'user-agent': `microtune/${version}`,
        'microtune-event': message.event,
        'microtune-delivery': message.id,
        'microtune-signature': signatureOf(secret, Math.floor(wall() / 1000), message.body),
      },
    };
    const sent = (url.protocol === 'https:' ? overHttps : overHttp)(url, options);
    sent.end(message.body);
    const outcome = await outcomeOf(sent);
    return limit.aborted && 'error' in outcome ? { error: `no answer within ${limitMs / 1000} s` } : outcome;
  };
}

function outcomeOf(sent: ClientRequest): Promise<Sent> {
  return new Promise((resolve) => {
    const failed = (error: Error): void => resolve({ error: error.message });
    sent.on('error', failed);
    sent.on('response', (answer) => {
      answer.on('error', failed);
      answer.on('close', () => failed(new Error('the answer broke off')));
      drain(answer, () => resolve({ status: answer.statusCode ?? 0 }));
    });
  });
}

/** Reads what little is of no interest; of more, the connection is closed. */
function drain(answer: IncomingMessage, done: () => void): void {
  let bytes = 0;
  answer.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes <= longestAnswer) return;
    done();
    answer.destroy();
  });
  answer.on('end', done);
}

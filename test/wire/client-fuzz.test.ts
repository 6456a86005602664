/**
 * The host's client against peers that answer anything: noise, right frames with wrong contents, answers cut or lengthened,
 * statuses that there are not. Every command ends, with a value or with a LinkError; a right answer behind noise is taken.
 */
import { expect, test } from 'vitest';
import { connect } from '../../firmware-rpc/host/client.ts';
import { type Device, LinkError } from '../../firmware-rpc/host/device.ts';
import { encodeFrame, frameSplitter } from '../../firmware-rpc/host/frame.ts';
import type { Transport } from '../../firmware-rpc/host/transport.ts';
import { commands, maxBody, protocolVersion } from '../../firmware-rpc/protocol.ts';
import { samples } from '../samples.ts';
import { Random } from '../unit/random.ts';

const bytes = (r: Random, n: number): Uint8Array => Uint8Array.from({ length: n }, () => r.int(0, 255));

/** A line to a peer that sends what `reply` makes of each request. */
function lineTo(reply: (request: Uint8Array) => Uint8Array): Transport {
  let deliver: (bytes: Uint8Array) => void = () => undefined;
  const split = frameSplitter((request) => {
    const answer = reply(request.slice());
    setImmediate(() => deliver(answer));
  });
  return {
    name: 'a peer',
    write: async (chunk) => split(chunk),
    onData: (listener) => {
      deliver = listener;
    },
    onClose: () => undefined,
    close: async () => undefined,
  };
}

const [seqOf, commandOf] = [(q: Uint8Array): number => q[0] ?? 0, (q: Uint8Array): number => q[1] ?? 0];
const answerTo = (q: Uint8Array, status: number, body: Uint8Array): Uint8Array =>
  encodeFrame(Uint8Array.from([seqOf(q), commandOf(q) | 0x80, status, ...body]));
/** As a device would greet; `seed` varies what it says of itself. */
const greeting = (q: Uint8Array, r: Random): Uint8Array =>
  answerTo(q, 0, Uint8Array.from([...q.slice(2, 6), protocolVersion, 0, ...bytes(r, 140)]));

/** Answers that look right at first sight. */
function wrongAnswer(q: Uint8Array, r: Random): Uint8Array {
  const body = bytes(r, r.pick([0, 1, 3, 4, 8, 16, 17, r.int(0, maxBody)]));
  switch (r.int(0, 5)) {
    case 0:
      return answerTo(q, r.int(0, 255), body);
    case 1:
      return answerTo(q, 0, body);
    case 2:
      return encodeFrame(Uint8Array.from([r.int(0, 255), commandOf(q) | 0x80, 0, ...body]));
    case 3:
      return encodeFrame(Uint8Array.from([seqOf(q), r.int(0, 255), 0, ...body]));
    case 4:
      return encodeFrame(q);
    default:
      return answerTo(q, r.int(0, 7), body);
  }
}
/** Any of them, spoiled or behind noise, or nothing. */
function anything(q: Uint8Array, r: Random): Uint8Array {
  const frame = wrongAnswer(q, r);
  switch (r.int(0, 4)) {
    case 0:
      return bytes(r, r.int(0, 700));
    case 1:
      return frame.subarray(0, r.int(0, frame.length));
    case 2:
      return Uint8Array.from(frame, (b) => (r.int(0, 40) === 0 ? r.int(0, 255) : b));
    default:
      return Buffer.concat([bytes(r, r.int(0, 30)), frame]);
  }
}

const impatient = { patienceMs: 3, attempts: 2 };
/** One command of each kind; each may end in a LinkError, and in nothing else. */
async function everything(device: Device): Promise<number> {
  const call = { entry: 0, args: [1], warmups: 0, repeats: 2, deadlineMs: 1 };
  const work: readonly (() => Promise<unknown>)[] = [
    () => device.load(16, new Uint8Array(900)),
    () => device.fill(0, 4, 1, 0),
    () => device.crc(0, 4),
    () => device.fetch(0, 700),
    () => device.call(call),
    () => device.reset(),
  ];
  let ended = 0;
  for (const step of work) {
    try {
      await step();
    } catch (error) {
      if (!(error instanceof LinkError)) throw error;
    }
    ended++;
  }
  return ended;
}

test('whatever a peer answers, every command ends with a value or a LinkError', async () => {
  let [greeted, refused] = [0, 0];
  for (let seed = 1; seed <= samples(300, 3000); seed++) {
    const r = new Random(seed);
    const friendly = r.int(0, 3) > 0;
    const line = lineTo((q) =>
      friendly && commandOf(q) === commands.HELLO && r.int(0, 4) > 0 ? greeting(q, r) : anything(q, r),
    );
    try {
      const device = await connect(line, impatient);
      greeted++;
      expect(await everything(device), `seed ${seed}`).toBe(6);
      await device.close();
    } catch (error) {
      expect(error, `seed ${seed}`).toBeInstanceOf(LinkError);
      refused++;
    }
  }
  expect(Math.min(greeted, refused)).toBeGreaterThan(samples(30, 300));
});

test('a right answer behind any noise is taken at the first try', async () => {
  for (let seed = 1; seed <= samples(200, 5000); seed++) {
    const r = new Random(seed);
    let asked = 0;
    const line = lineTo((q) => {
      asked++;
      const word = answerTo(q, 0, Uint8Array.of(1, 2, 3, 4));
      const noise = r.int(0, 1) === 0 ? bytes(r, r.int(0, 3000)) : anything(Uint8Array.of(200, 0), r);
      return Buffer.concat([noise, commandOf(q) === commands.HELLO ? greeting(q, r) : word]);
    });
    const device = await connect(line, { patienceMs: 60_000 });
    expect(await device.crc(0, 4), `seed ${seed}`).toBe(0x04030201);
    expect(asked).toBe(2);
  }
});

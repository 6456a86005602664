/** Framing: whatever is sent arrives as it was or not at all, in any chunking, whatever lies between frames. */
import { crc32 } from 'node:zlib';
import { expect, test } from 'vitest';
import { decodeFrame, encodeFrame, frameSplitter } from '../../firmware-rpc/host/frame.ts';
import { maxBody } from '../../firmware-rpc/protocol.ts';
import { samples } from '../samples.ts';
import { Random } from './random.ts';

/**
 * Payloads with runs of zeros and of others, lengths around COBS's 254. They begin with a sequence number, which is never 0:
 * a payload that began with four zero bytes, followed by itself in part, could pass for another one.
 */
function payload(r: Random, longest = maxBody + 3): Uint8Array {
  const length = r.pick([r.int(2, 12), r.int(245, 260), r.int(500, 515), r.int(2, longest)]);
  const zeros = r.pick([0, 0.01, 0.3, 1]);
  return Uint8Array.from({ length: Math.min(length, longest) }, (_, i) =>
    i === 0 ? r.int(1, 255) : r.next() < zeros ? 0 : r.int(0, 255),
  );
}
const bytes = (r: Random, n: number): Uint8Array => Uint8Array.from({ length: n }, () => r.int(0, 255));
const hex = (b: Uint8Array): string => Buffer.from(b).toString('hex');

/** Feeds a stream in random chunks; returns the payloads. */
function received(stream: Uint8Array, r: Random): string[] {
  const got: string[] = [];
  const split = frameSplitter((p) => got.push(hex(p)));
  for (let at = 0; at < stream.length; ) {
    const n = r.pick([1, 2, 3, r.int(1, 40), r.int(1, 2000)]);
    split(stream.subarray(at, at + n));
    at += n;
  }
  return got;
}

test('the bytes of SPEC.md', () => {
  const crc = hex(new Uint8Array(Uint32Array.of(crc32(Uint8Array.of(1, 1, 0, 0))).buffer));
  expect(hex(encodeFrame(Uint8Array.of(1, 1, 0, 0)))).toBe(`000301010105${crc}00`);
});

test('round trip, one delimiter at each end and none between, COBS overhead at most one byte in 254', () => {
  const r = new Random(1);
  for (let n = 0; n < samples(3000, 50_000); n++) {
    const p = payload(r);
    const frame = encodeFrame(p);
    expect([frame[0], frame.at(-1)]).toEqual([0, 0]);
    const coded = frame.subarray(1, -1);
    expect(coded.includes(0)).toBe(false);
    expect(coded.length).toBeLessThanOrEqual(p.length + 4 + Math.ceil((p.length + 5) / 254));
    expect(hex(decodeFrame(coded) ?? Uint8Array.of(0xde))).toBe(hex(p));
  }
});

test('many frames in any chunking, with garbage between that ends in a delimiter or not', () => {
  for (let seed = 1; seed <= samples(200, 5000); seed++) {
    const r = new Random(seed);
    const sent = Array.from({ length: r.int(1, 8) }, () => payload(r));
    const parts = sent.flatMap((p) => [bytes(r, r.pick([0, 0, r.int(1, 30), r.int(1, 3000)])), encodeFrame(p)]);
    expect(received(Buffer.concat(parts), r)).toEqual(sent.map(hex));
  }
});

test('a changed, cut, lengthened or doubled frame is never another payload', () => {
  const r = new Random(7);
  for (let n = 0; n < samples(20_000, 400_000); n++) {
    const p = payload(r, 60);
    const frame = [...encodeFrame(p)];
    const at = r.int(1, frame.length - 1);
    switch (r.int(0, 4)) {
      case 0:
        frame[at] = (frame[at] as number) ^ (1 << r.int(0, 7));
        break;
      case 1:
        frame[at] = r.int(0, 255);
        break;
      case 2:
        frame.splice(at, r.int(1, 3));
        break;
      case 3:
        frame.splice(at, 0, ...bytes(r, r.int(1, 3)));
        break;
      default:
        frame.splice(at, 0, ...frame.slice(r.int(0, at), at));
    }
    const got = received(Uint8Array.from([...frame, 0]), r);
    // Changes outside the frame, or to the same value, leave it whole.
    for (const g of got) expect(g).toBe(hex(p));
  }
});

test('endless garbage without a delimiter takes bounded memory, and the next frame is whole', () => {
  const got: string[] = [];
  const split = frameSplitter((p) => got.push(hex(p)));
  for (let n = 0; n < 200; n++) split(new Uint8Array(65536).fill(0x55));
  split(encodeFrame(Uint8Array.of(9, 8, 7)));
  expect(got).toEqual(['090807']);
});

/** Frames on the host: COBS and CRC-32, as SPEC.md says. The splitter survives any garbage between frames. */
import { crc32 } from 'node:zlib';
import { maxBody } from '../protocol.ts';

/** Payload -> bytes on the wire, between two delimiters: the first ends what the receiver has collected of something else. */
export function encodeFrame(payload: Uint8Array): Uint8Array {
  const body = new Uint8Array(payload.length + 4);
  body.set(payload);
  new DataView(body.buffer).setUint32(payload.length, crc32(payload), true);
  const out: number[] = [0];
  for (let at = 0, again = true; again; ) {
    let run = 0;
    while (at + run < body.length && run < 254 && body[at + run] !== 0) run++;
    out.push(run + 1, ...body.subarray(at, at + run));
    at += run;
    again = at < body.length;
    // A run of 254 has no zero behind it; any other ends at one, or at the end.
    if (run < 254) at++;
  }
  out.push(0);
  return Uint8Array.from(out);
}

/** Bytes between two delimiters -> payload; undefined where coding or CRC is wrong. */
export function decodeFrame(coded: Uint8Array): Uint8Array | undefined {
  const out: number[] = [];
  for (let at = 0; at < coded.length; ) {
    const code = coded[at] as number;
    if (code === 0 || at + code > coded.length) return undefined;
    for (let i = 1; i < code; i++) out.push(coded[at + i] as number);
    at += code;
    if (code !== 255 && at < coded.length) out.push(0);
  }
  // The shortest is a sequence number and a command. (Nothing at all would pass: its CRC is 0, as a few zeros are.)
  if (out.length < 2 + 4) return undefined;
  const bytes = Uint8Array.from(out);
  const payload = bytes.subarray(0, bytes.length - 4);
  return new DataView(bytes.buffer).getUint32(payload.length, true) === crc32(payload) ? payload : undefined;
}

/** Longest coded frame that is collected; more without a delimiter is garbage. */
const longest = maxBody + 64;

/** Collects bytes in any chunking and calls back with each correct frame's payload. However much comes, it keeps `longest` bytes. */
export function frameSplitter(onFrame: (payload: Uint8Array) => void): (chunk: Uint8Array) => void {
  const pending = new Uint8Array(longest);
  let collected = 0;
  return (chunk) => {
    for (const byte of chunk) {
      if (byte !== 0) {
        // What is too long is counted on: a frame that was cut must not pass for a whole one.
        if (collected < longest) pending[collected] = byte;
        collected++;
        continue;
      }
      const payload = collected > 0 && collected <= longest ? decodeFrame(pending.subarray(0, collected)) : undefined;
      collected = 0;
      if (payload !== undefined) onFrame(payload);
    }
  };
}

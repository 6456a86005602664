/** Frames on the host: COBS and CRC-32, as SPEC.md says. The splitter survives any garbage between frames. */
import { crc32 } from 'node:zlib';

/** Payload -> bytes on the wire, delimiter included. */
export function encodeFrame(payload: Uint8Array): Uint8Array {
  const body = new Uint8Array(payload.length + 4);
  body.set(payload);
  new DataView(body.buffer).setUint32(payload.length, crc32(payload), true);
  const out: number[] = [];
  let code = out.push(1) - 1;
  for (const byte of body) {
    if (byte !== 0) {
      out.push(byte);
      out[code] = (out[code] as number) + 1;
    }
    if (byte === 0 || out[code] === 255) code = out.push(1) - 1;
  }
  // A full run at the very end needs no empty one behind it.
  if (out[code] === 1 && out.at(-1) === 1 && body.at(-1) !== 0) out.pop();
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
  if (out.length < 4) return undefined;
  const bytes = Uint8Array.from(out);
  const payload = bytes.subarray(0, bytes.length - 4);
  return new DataView(bytes.buffer).getUint32(payload.length, true) === crc32(payload) ? payload : undefined;
}

/** Longest coded frame that is collected; more without a delimiter is garbage. */
const longest = 4096;

/** Collects bytes in any chunking and calls back with each correct frame's payload. */
export function frameSplitter(onFrame: (payload: Uint8Array) => void): (chunk: Uint8Array) => void {
  let pending: number[] = [];
  return (chunk) => {
    for (const byte of chunk) {
      if (byte !== 0) {
        if (pending.length < longest) pending.push(byte);
        continue;
      }
      const payload = pending.length > 0 ? decodeFrame(Uint8Array.from(pending)) : undefined;
      pending = [];
      if (payload !== undefined) onFrame(payload);
    }
  };
}

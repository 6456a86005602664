/** Little-endian fields of requests and answers. */
import { LinkError } from './device.ts';

/** Reads an answer's fields in order. Throws LinkError where the answer is too short: the peer is not what it says. */
export class Reader {
  private readonly view: DataView;
  private readonly bytes: Uint8Array;
  private at = 0;
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }
  private next(size: number): number {
    if (this.at + size > this.bytes.length) throw new LinkError(`a response is ${this.bytes.length} bytes, too short`);
    this.at += size;
    return this.at - size;
  }
  u16 = (): number => this.view.getUint16(this.next(2), true);
  u32 = (): number => this.view.getUint32(this.next(4), true);
  u64 = (): number => Number(this.view.getBigUint64(this.next(8), true));
  take = (n: number): Uint8Array => this.bytes.slice(this.next(n), this.at);
  rest = (): Uint8Array => this.bytes.slice(this.at);
}

/** [value, bytes] pairs one after another. */
export function fields(...list: readonly (readonly [number, number])[]): Uint8Array {
  const out = new Uint8Array(list.reduce((n, [, size]) => n + size, 0));
  let at = 0;
  for (const [value, size] of list) {
    for (let i = 0; i < size; i++) out[at++] = Math.floor(value / 2 ** (8 * i)) & 255;
  }
  return out;
}
export const joined = (a: Uint8Array, b: Uint8Array): Uint8Array => Buffer.concat([a, b]);
export const hex = (n: number): string => `0x${n.toString(16).padStart(8, '0')}`;
/** Text that ends at its first zero byte, if any. */
export const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes).replace(/\0.*$/s, '');

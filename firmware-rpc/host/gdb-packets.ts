/**
 * Packets of the GDB remote serial protocol ("Debugging with GDB", appendix E): `$`, data, `#`, two digits of checksum; in
 * what we send `#`, `$`, `}` and `*` stand escaped; in what we get a `*` repeats the character before it. Pure.
 */
const [mark, markedBit] = [0x7d, 0x20];
const special: ReadonlySet<number> = new Set([...'#$}*'].map((c) => c.charCodeAt(0)));

const checksum = (data: Iterable<number>): string => {
  let sum = 0;
  for (const b of data) sum = (sum + b) & 255;
  return sum.toString(16).padStart(2, '0');
};
const ascii = (text: string): Uint8Array => Buffer.from(text, 'latin1');

/** Bytes as they may stand in a packet. */
export function escaped(bytes: Uint8Array): Uint8Array {
  const out: number[] = [];
  for (const b of bytes) {
    if (special.has(b)) out.push(mark, b ^ markedBit);
    else out.push(b);
  }
  return Uint8Array.from(out);
}

/** A whole packet; `data` is escaped already. */
export const packet = (data: Uint8Array): Uint8Array => Buffer.concat([ascii('$'), data, ascii(`#${checksum(data)}`)]);

/** A packet's data without escapes and repetitions. A repetition's count is the character behind `*`, less 28. */
function plain(data: readonly number[]): string {
  const out: number[] = [];
  for (let i = 0; i < data.length; i++) {
    const b = data[i] as number;
    if (b === mark) out.push((data[++i] ?? 0) ^ markedBit);
    else if (b === 0x2a) out.push(...Array<number>(Math.max(0, (data[++i] ?? 0) - 29)).fill(out.at(-1) ?? 0));
    else out.push(b);
  }
  return Buffer.from(out).toString('latin1');
}

export type Heard = { readonly what: 'ack' | 'nack' | 'damaged' } | { readonly what: 'packet'; readonly data: string };

/** Longest answer that is collected: more is no answer to anything that we ask. */
const longest = 65536;

/** Collects bytes in any chunking and calls back with each sign and packet; what lies between them is passed over. */
export function packetSplitter(heard: (what: Heard) => void): (chunk: Uint8Array) => void {
  let data: number[] | undefined;
  let sum: string | undefined;
  const between = (b: number): void => {
    if (b === 0x24) data = [];
    else if (b === 0x2b) heard({ what: 'ack' });
    else if (b === 0x2d) heard({ what: 'nack' });
  };
  return (chunk) => {
    for (const b of chunk) {
      if (data === undefined) between(b);
      else if (sum !== undefined) {
        sum += String.fromCharCode(b);
        if (sum.length < 2) continue;
        const right = sum.toLowerCase() === checksum(data);
        heard(right ? { what: 'packet', data: plain(data) } : { what: 'damaged' });
        [data, sum] = [undefined, undefined];
      } else if (b === 0x23) sum = '';
      // A packet that begins anew, or does not end, was none.
      else if (b === 0x24 || data.length > longest) data = [];
      else data.push(b);
    }
  };
}

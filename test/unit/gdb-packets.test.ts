/** Packets of the GDB remote protocol: what is sent is read back as it was, in any chunking; what is damaged is told as damaged. */
import { expect, test } from 'vitest';
import { escaped, type Heard, packet, packetSplitter } from '../../firmware-rpc/host/gdb-packets.ts';
import { samples } from '../samples.ts';
import { Random } from './random.ts';

const latin = (text: string): Uint8Array => Buffer.from(text, 'latin1');
function heardIn(stream: Uint8Array, r: Random): Heard[] {
  const heard: Heard[] = [];
  const split = packetSplitter((what) => heard.push(what));
  for (let at = 0; at < stream.length; ) {
    const n = r.int(1, 40);
    split(stream.subarray(at, at + n));
    at += n;
  }
  return heard;
}

test('the bytes of the manual', () => {
  expect(Buffer.from(packet(latin('?'))).toString('latin1')).toBe('$?#3f');
  expect([...escaped(latin('a}b'))]).toEqual([0x61, 0x7d, 0x5d, 0x62]);
  // "0* " stands for "0000".
  expect(heardIn(packet(latin('0* ')), new Random(1))).toEqual([{ what: 'packet', data: '0000' }]);
});

test('any bytes, escaped, come back as they were, and no mark stands in a packet unescaped', () => {
  const r = new Random(1);
  for (let n = 0; n < samples(500, 20_000); n++) {
    const bytes = Uint8Array.from({ length: r.int(0, 300) }, () => r.pick([r.int(0, 255), 0x23, 0x24, 0x2a, 0x7d]));
    const coded = escaped(bytes);
    expect([0x23, 0x24, 0x2a].some((b) => coded.includes(b))).toBe(false);
    const stream = Buffer.concat([latin('+'), packet(coded), latin('-'), packet(coded)]);
    const data = Buffer.from(bytes).toString('latin1');
    expect(heardIn(stream, r)).toEqual([
      { what: 'ack' },
      { what: 'packet', data },
      { what: 'nack' },
      { what: 'packet', data },
    ]);
  }
});

test('a changed byte makes a packet damaged or no packet; the next one is heard', () => {
  const r = new Random(2);
  const next = packet(latin('OK'));
  for (let n = 0; n < samples(2000, 100_000); n++) {
    const one = Uint8Array.from(packet(escaped(Uint8Array.from({ length: r.int(4, 40) }, () => r.int(0, 255)))));
    const at = r.int(1, one.length - 4);
    const changed = (one[at] as number) ^ (1 << r.int(0, 7));
    // A new mark may find its checksum behind it: eight bits do not tell everything.
    if (changed === 0x23 || changed === 0x24) continue;
    one[at] = changed;
    // What the change has opened ends at the next packet's beginning at the latest.
    const heard = heardIn(Buffer.concat([one, latin('..'), next, next]), r);
    expect(heard.at(-1)).toEqual({ what: 'packet', data: 'OK' });
    expect(heard.filter((h) => h.what === 'packet' && h.data !== 'OK')).toEqual([]);
  }
});

test('noise, millions of bytes of it: nothing is thrown, and a packet behind it is heard', () => {
  for (let seed = 1; seed <= samples(20, 500); seed++) {
    const r = new Random(seed);
    const noise = Uint8Array.from({ length: 50_000 }, () => r.pick([r.int(0, 255), 0x23, 0x24]));
    const heard = heardIn(Buffer.concat([noise, latin('#00'), packet(latin('OK'))]), r);
    expect(heard.at(-1)).toEqual({ what: 'packet', data: 'OK' });
  }
});

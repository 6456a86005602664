/**
 * The rules of SPEC.md for sessions and sequence numbers, spoken frame by frame, without the host's client: what comes twice
 * is executed once, what comes late is dropped, nothing is done before HELLO. And the client against peers that do not keep them.
 */
import { createServer, type Server } from 'node:net';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { host } from '../../boards/host/index.ts';
import { fields, joined } from '../../firmware-rpc/host/bytes.ts';
import { connect } from '../../firmware-rpc/host/client.ts';
import { encodeFrame, frameSplitter } from '../../firmware-rpc/host/frame.ts';
import { openSocket } from '../../firmware-rpc/host/socket.ts';
import type { Transport } from '../../firmware-rpc/host/transport.ts';
import { type Command, commands, protocolVersion, statuses } from '../../firmware-rpc/protocol.ts';
import { type ListeningBoard, listeningBoard, loadCandidate, workFolder } from './host-board.ts';

const folder = workFolder();
let board: ListeningBoard;
let data = 0;
let entry = 0;
const counts = '#include <stdint.h>\nuint32_t mt_entry(uint32_t at) { return ++*(uint32_t *)(uintptr_t)at; }';

beforeAll(async () => {
  board = await listeningBoard(folder.dir);
  const device = await connect(await openSocket('127.0.0.1', board.port));
  data = device.info.data.base;
  entry = await loadCandidate(device, host, counts, 0, folder.dir);
  await device.close();
});
afterAll(async () => {
  await board.kill();
  folder.remove();
});

/** Longest wait for an answer that must come, ms. */
const patience = 20_000;
const opened: Raw[] = [];
afterEach(async () => {
  for (const raw of opened.splice(0)) await raw.close();
});

/** A host that sends what it is told and collects what it gets. */
class Raw {
  private readonly transport: Transport;
  private readonly got: Uint8Array[] = [];
  private wake: () => void = () => undefined;
  private constructor(transport: Transport) {
    this.transport = transport;
    transport.onData(
      frameSplitter((payload) => {
        this.got.push(payload.slice());
        this.wake();
      }),
    );
  }
  static async open(): Promise<Raw> {
    const raw = new Raw(await openSocket('127.0.0.1', board.port));
    opened.push(raw);
    return raw;
  }
  send(seq: number, command: Command, body: Uint8Array): Promise<void> {
    return this.transport.write(encodeFrame(Uint8Array.from([seq, commands[command], ...body])));
  }
  async answer(): Promise<{ readonly seq: number; readonly status: number; readonly body: Uint8Array }> {
    for (;;) {
      const next = this.got.shift();
      if (next !== undefined) return { seq: next[0] as number, status: next[2] as number, body: next.slice(3) };
      await new Promise<void>((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error('no answer')), patience);
        this.wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }
  async ask(seq: number, command: Command, body: Uint8Array): ReturnType<Raw['answer']> {
    await this.send(seq, command, body);
    return this.answer();
  }
  close = (): Promise<void> => this.transport.close();
}
const hello = (nonce: number): Uint8Array => fields([nonce, 4]);
const call = (): Uint8Array => fields([entry, 4], [data, 4], [0, 4], [0, 4], [0, 4], [0, 2], [1, 2], [1000, 4], [0, 1]);
const returned = (body: Uint8Array): number => Buffer.from(body).readUInt32LE();
const zero = (): Uint8Array => joined(fields([data, 4]), new Uint8Array(4));

test('a command that comes again is answered from memory, not executed again', async () => {
  const raw = await Raw.open();
  await raw.ask(1, 'HELLO', hello(1));
  await raw.ask(2, 'LOAD', zero());
  expect(returned((await raw.ask(3, 'CALL', call())).body)).toBe(1);
  const again = await raw.ask(3, 'CALL', call());
  expect([again.seq, returned(again.body)]).toEqual([3, 1]);
  expect(returned((await raw.ask(4, 'CALL', call())).body)).toBe(2);
});

test('what comes late is dropped: earlier numbers, numbers from the future, the HELLO of this session', async () => {
  const raw = await Raw.open();
  await raw.ask(9, 'HELLO', hello(2));
  await raw.ask(10, 'LOAD', zero());
  await raw.ask(11, 'CALL', call());
  await raw.ask(12, 'CALL', call());
  for (const seq of [11, 10, 14, 200]) await raw.send(seq, 'CALL', call());
  await raw.send(9, 'HELLO', hello(2));
  await raw.send(0, 'HELLO', hello(99));
  await raw.send(12, 'LOAD', zero());
  const next = await raw.ask(13, 'CALL', call());
  expect([next.seq, returned(next.body)]).toEqual([13, 3]);
});

test('the HELLO that opened the session, sent again, is answered again', async () => {
  const raw = await Raw.open();
  const first = await raw.ask(1, 'HELLO', hello(3));
  expect(await raw.ask(1, 'HELLO', hello(3))).toEqual(first);
  expect((await raw.ask(2, 'LOAD', zero())).status).toBe(statuses.OK);
});

test('numbers go from 255 to 1', async () => {
  const raw = await Raw.open();
  await raw.ask(254, 'HELLO', hello(4));
  await raw.ask(255, 'LOAD', zero());
  expect(returned((await raw.ask(1, 'CALL', call())).body)).toBe(1);
});

test('a new session takes over whatever the last one left', async () => {
  const first = await Raw.open();
  await first.ask(77, 'HELLO', hello(5));
  await first.close();
  const raw = await Raw.open();
  expect((await raw.ask(1, 'HELLO', hello(6))).status).toBe(statuses.OK);
});

test('after a reset nothing is done before HELLO', async () => {
  const raw = await Raw.open();
  await raw.ask(1, 'HELLO', hello(7));
  expect((await raw.ask(2, 'RESET', new Uint8Array())).status).toBe(statuses.OK);
  const refused = await raw.ask(3, 'CALL', call());
  expect([refused.seq, refused.status]).toEqual([3, statuses.NO_SESSION]);
  // A RESET that comes again after the reset it asked for does no harm.
  expect((await raw.ask(2, 'RESET', new Uint8Array())).status).toBe(statuses.NO_SESSION);
  expect((await raw.ask(4, 'HELLO', hello(8))).status).toBe(statuses.OK);
});

test('malformed requests and foreign addresses are refused, one by one', async () => {
  const device = await connect(await openSocket('127.0.0.1', board.port));
  entry = await loadCandidate(device, host, counts, 0, folder.dir);
  await device.close();
  const raw = await Raw.open();
  await raw.ask(1, 'HELLO', hello(9));
  const bad: readonly (readonly [Command, Uint8Array, number])[] = [
    ['LOAD', fields([1, 2]), statuses.BAD_REQUEST],
    ['LOAD', fields([0, 4], [1, 1]), statuses.BAD_ADDRESS],
    ['LOAD', fields([data + (16 << 20) - 1, 4], [0, 2]), statuses.BAD_ADDRESS],
    ['FILL', fields([data, 4], [0xffffffff, 4], [1, 4], [0, 1]), statuses.BAD_ADDRESS],
    ['FILL', fields([data, 4], [4, 4], [1, 4], [8, 1]), statuses.BAD_REQUEST],
    ['CRC', fields([0xffffffff, 4], [2, 4]), statuses.BAD_ADDRESS],
    ['FETCH', fields([data, 4], [513, 2]), statuses.BAD_REQUEST],
    ['COPY', fields([data, 4], [0, 4], [4, 4]), statuses.BAD_ADDRESS],
    ['CALL', call().subarray(1), statuses.BAD_REQUEST],
    [
      'CALL',
      fields([entry, 4], [data, 4], [0, 4], [0, 4], [0, 4], [0, 2], [61, 2], [9, 4], [0, 1]),
      statuses.BAD_REQUEST,
    ],
    [
      'CALL',
      fields([entry, 4], [data, 4], [0, 4], [0, 4], [0, 4], [0, 2], [1, 2], [0, 4], [0, 1]),
      statuses.BAD_REQUEST,
    ],
    [
      'CALL',
      fields([entry, 4], [data, 4], [0, 4], [0, 4], [0, 4], [0, 2], [1, 2], [9, 4], [2, 1]),
      statuses.BAD_REQUEST,
    ],
  ];
  let seq = 1;
  for (const [command, body, status] of bad) expect((await raw.ask(++seq, command, body)).status, command).toBe(status);
  await raw.ask(++seq, 'LOAD', zero());
  expect(returned((await raw.ask(++seq, 'CALL', call())).body)).toBe(1);
});

test('the client notices that a device has restarted under it; its own reset opens a new session', async () => {
  const transport = await openSocket('127.0.0.1', board.port);
  const device = await connect(transport);
  await device.reset();
  await device.load(device.info.data.base, Uint8Array.of(1));
  // A stranger's RESET with the number that is next (two HELLOs, a RESET and a LOAD came before) stands for a watchdog.
  await transport.write(encodeFrame(Uint8Array.of(5, commands.RESET)));
  await expect(device.crc(device.info.data.base, 1)).rejects.toThrow(/has restarted; what was loaded is gone/);
  await expect(device.crc(device.info.data.base, 1)).rejects.toThrow(/has restarted/);
  await device.close();
});

/** A peer that answers what `reply` makes of each request, or nothing. */
async function peer(reply: (request: Uint8Array) => readonly Uint8Array[]): Promise<{ port: number; server: Server }> {
  const server = createServer((socket) => {
    const split = frameSplitter((request) => {
      for (const answer of reply(request)) socket.write(answer);
    });
    socket.on('data', split);
    socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return { port: typeof address === 'object' && address !== null ? address.port : 0, server };
}
const helloAnswer = (seq: number, nonce: Uint8Array, protocol: number): Uint8Array =>
  encodeFrame(Uint8Array.from([seq, commands.HELLO | 0x80, 0, ...nonce, protocol, 0, ...new Uint8Array(200)]));

test('stale answers to an earlier HELLO are passed over', async () => {
  let asked = 0;
  const { port, server } = await peer((request) => {
    asked++;
    return [
      helloAnswer(request[0] as number, Uint8Array.of(1, 2, 3, 4), protocolVersion),
      helloAnswer(request[0] as number, request.slice(2, 6), protocolVersion),
    ];
  });
  const device = await connect(await openSocket('127.0.0.1', port));
  expect([asked, device.info.protocol]).toEqual([1, protocolVersion]);
  await device.close();
  server.close();
});

test('another protocol, a device that restarted, short answers, silence and echoes are told in words', async () => {
  const impatient = { patienceMs: 5, attempts: 3 };
  const cases: readonly (readonly [string, (request: Uint8Array) => readonly Uint8Array[], RegExp])[] = [
    [
      'other protocol',
      (q) => [helloAnswer(q[0] as number, q.slice(2, 6), 99)],
      new RegExp(`speaks protocol 99, this program ${protocolVersion}: reflash`),
    ],
    [
      'short answer',
      (q) => [encodeFrame(Uint8Array.from([q[0] as number, 0x81, 0, ...q.slice(2, 6), protocolVersion, 0]))],
      /too short/,
    ],
    ['silence', () => [], /no answer to HELLO in 15 ms/],
    ['echo', (q) => [encodeFrame(q)], /no answer to HELLO in 15 ms/],
    ['restarted', (q) => [encodeFrame(Uint8Array.from([q[0] as number, 0x81, 5]))], /restarted/],
  ];
  for (const [name, reply, words] of cases) {
    const { port, server } = await peer(reply);
    const transport = await openSocket('127.0.0.1', port);
    // Whoever answers may take its time: a PC may be busy.
    const options = words.source.startsWith('no answer') ? impatient : {};
    await expect(connect(transport, options), name).rejects.toThrow(words);
    server.close();
  }
});

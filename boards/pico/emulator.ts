/**
 * A process that is a Pico: `node emulator.ts IMAGE PORT` runs the image and puts its UART on the loopback port PORT. A parent in
 * Node can send it bytes to load.
 * Must stay true: bytes from the host are never lost (they wait until the UART has room); the process ends when its standard
 * input or the connection does, so it outlives nobody; asleep it costs nothing.
 */
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { stagingBytes } from './emulator/host-memory.ts';
import { Machine } from './emulator/machine.ts';

/** Cycles between two looks at the connection: some ten milliseconds. */
const slice = 500_000;
const uniqueId = Uint8Array.from('rp2040js', (c) => c.charCodeAt(0));

function emulate(image: Uint8Array, port: number): void {
  const socket = connect({ host: '127.0.0.1', port });
  socket.setNoDelay(true);
  const end = (): never => process.exit(0);
  process.stdin.on('end', end).on('error', end).resume();
  socket.on('close', end).on('error', end);
  // Bytes to load come from our parent, past the UART; it hears when they are there.
  process.on('message', (part: { readonly offset: number; readonly bytes: Uint8Array }) => {
    staging.set(part.bytes, part.offset);
    process.send?.(part.offset);
  });
  const received: Buffer[] = [];
  let sent: number[] = [];
  let scheduled = false;
  const staging = new Uint8Array(stagingBytes);
  const power = (): Machine => new Machine({ image, uniqueId, staging, onByte: (byte) => void sent.push(byte) });
  let machine = power();

  const feed = (): void => {
    for (let chunk = received[0]; chunk !== undefined; chunk = received[0]) {
      let n = 0;
      while (n < chunk.length && machine.receive(chunk[n] ?? 0)) n++;
      if (n < chunk.length) received[0] = chunk.subarray(n);
      else received.shift();
      if (n < chunk.length) return;
    }
  };
  const flush = (): void => {
    if (sent.length > 0) socket.write(Uint8Array.from(sent));
    sent = [];
  };
  const run = (): void => {
    scheduled = false;
    const until = machine.clock.cycles + slice;
    do {
      feed();
      machine.run(until - machine.clock.cycles);
      if (!machine.alive) machine = power();
    } while (received.length > 0 && machine.clock.cycles < until);
    flush();
    if (!machine.idle || received.length > 0) schedule();
  };
  const schedule = (): void => {
    if (!scheduled) setImmediate(run);
    scheduled = true;
  };
  socket.on('data', (bytes: Buffer) => {
    received.push(bytes);
    schedule();
  });
  schedule();
}

const [image, port] = process.argv.slice(2);
if (image === undefined || port === undefined) throw new Error('usage: node emulator.ts IMAGE PORT');
// Whoever started us gets these last words: no more than what is wrong.
process.on('uncaughtException', (error) => {
  process.stderr.write(`${error.message}\n`, () => process.exit(1));
});
emulate(readFileSync(image), Number(port));

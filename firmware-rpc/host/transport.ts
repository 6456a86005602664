/**
 * A byte pipe to a device. Two make one: serial.ts (serialport: real UARTs and QEMU's PTY) and socket.ts (TCP). Bytes may be
 * lost, changed, doubled or late on it: framing, CRC and retransmission above it (client.ts) must survive that.
 */
export interface Transport {
  /** For messages: '/dev/ttyACM0', 'tcp 127.0.0.1:4711'. */
  readonly name: string;
  write(bytes: Uint8Array): Promise<void>;
  /** Called with whatever arrives, in any chunking. One listener. */
  onData(listener: (bytes: Uint8Array) => void): void;
  /** Called once when the pipe is gone (unplugged, process died, closed). */
  onClose(listener: (reason: string) => void): void;
  close(): Promise<void>;
}

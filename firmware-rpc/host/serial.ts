/** A serial port (or QEMU's pseudo-terminal) as a Transport. */
import { SerialPort } from 'serialport';
import { LinkError } from './device.ts';
import type { Transport } from './transport.ts';

/** Opens a port. Throws LinkError, with the path, for what is missing, busy or no serial port. */
export async function openSerial(path: string, baudRate = 115200): Promise<Transport> {
  const port = new SerialPort({ path, baudRate, autoOpen: false });
  await new Promise<void>((resolve, reject) => {
    port.open((error) =>
      error ? reject(new LinkError(`${path} cannot be opened as a serial port: ${error.message}`)) : resolve(),
    );
  });
  let closed: ((reason: string) => void) | undefined;
  port.on('close', (error: Error | null) => closed?.(error?.message ?? 'the port was closed'));
  port.on('error', (error) => closed?.(error.message));
  return {
    name: path,
    write: (bytes) =>
      new Promise((resolve, reject) => {
        port.write(bytes, (error) => {
          if (error) reject(new LinkError(`${path}: ${error.message}`));
          else port.drain(() => resolve());
        });
      }),
    onData: (listener) => void port.on('data', listener),
    onClose: (listener) => {
      closed = listener;
    },
    close: () => new Promise((resolve) => (port.isOpen ? port.close(() => resolve()) : resolve())),
  };
}

/** A serial port (or QEMU's pseudo-terminal) as a Transport. The port is locked: two programs cannot have it. */
import { statSync } from 'node:fs';
import { SerialPort } from 'serialport';
import { type LinkCode, LinkError } from './device.ts';
import type { Transport } from './transport.ts';

/** Opens a port. Throws LinkError, with the path and what to do, for what is missing, busy or no serial port. */
export async function openSerial(path: string, baudRate = 115200): Promise<Transport> {
  refuseFiles(path);
  const port = new SerialPort({ path, baudRate, autoOpen: false });
  await new Promise<void>((resolve, reject) => {
    port.open((error) => (error === null ? resolve() : reject(openError(path, error.message))));
  });
  let closed: ((reason: string) => void) | undefined;
  let gone: string | undefined;
  const lost = (reason: string): void => {
    gone ??= reason;
    closed?.(gone);
  };
  port.on('close', (error?: Error | null) => lost(error ? brokenOff(error) : 'the port was closed'));
  port.on('error', (error) => lost(brokenOff(error)));
  return {
    name: path,
    write: (bytes) =>
      new Promise((resolve, reject) => {
        port.write(bytes, (error) => (error ? reject(new LinkError(brokenOff(error))) : resolve()));
      }),
    onData: (listener) => void port.on('data', listener),
    onClose: (listener) => {
      closed = listener;
      if (gone !== undefined) listener(gone);
    },
    close: () => new Promise((resolve) => (port.isOpen ? port.close(() => resolve()) : resolve())),
  };
}

/** Of a port that was open. Which error a cable that is pulled makes is chance; whoever hears it names the port. */
const brokenOff = ({ message }: Error): string =>
  `the connection broke off; is the board still plugged in and powered? (${message})`;

/** Folders and plain files are told apart from ports before anything is opened. Other systems' ports (COM3) are no files. */
function refuseFiles(path: string): void {
  if (process.platform === 'win32') return;
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) throw openError(path, 'No such file or directory');
  if (!found.isCharacterDevice()) throw openError(path, found.isDirectory() ? 'a folder' : 'a plain file');
}

const causes: readonly {
  readonly sign: RegExp;
  readonly code: LinkCode;
  readonly says: string;
}[] = [
  {
    sign: /no such file|file not found/i,
    code: 'DEVICE_UNREACHABLE',
    says: 'there is no such port; is the board plugged in and powered? (ls /dev/serial/by-id shows what is there)',
  },
  {
    sign: /cannot lock|busy|temporarily unavailable/i,
    code: 'DEVICE_BUSY',
    says: 'another program has this port open; end it first',
  },
  {
    sign: /access denied|permission denied/i,
    code: 'DEVICE_UNREACHABLE',
    says: 'no permission to open this port; add yourself to the group that owns it (dialout) and log in again',
  },
  {
    sign: /ioctl|not a tty|a folder|a plain file|baud rate/i,
    code: 'NOT_A_SERIAL_PORT',
    says: 'this is not a serial port; give the path of one, or HOST:PORT',
  },
];

function openError(path: string, message: string): LinkError {
  const cause = causes.find((c) => c.sign.test(message));
  return new LinkError(`${path}: ${cause?.says ?? 'cannot be opened'} (${message})`, cause?.code);
}

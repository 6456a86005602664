/** Opens a board that somebody attached, by its address: a serial port's path, or HOST:PORT. */
import type { Result } from '../../compiler/result.ts';
import { type ClientOptions, connect } from './client.ts';
import { type Device, LinkError } from './device.ts';
import { openProbe, type Probe } from './gdb-remote.ts';
import { openSerial } from './serial.ts';
import { hostAndPort, openSocket } from './socket.ts';
import type { Transport } from './transport.ts';

const openAddress = (address: string): Promise<Transport> => {
  const tcp = hostAndPort(address);
  return tcp === undefined ? openSerial(address) : openSocket(tcp.host, tcp.port);
};

export interface AttachOptions extends ClientOptions {
  /** Where a GDB server listens that reaches this device: HOST:PORT, or the path of a Unix socket. */
  readonly probeAt?: string;
}

/**
 * A device that has answered HELLO. Failures, with what to do in the detail: DEVICE_UNREACHABLE (no such port, no answer, no
 * rights, another protocol), DEVICE_BUSY (the port is open elsewhere), NOT_A_SERIAL_PORT.
 */
export async function attach(address: string, options: AttachOptions = {}): Promise<Result<Device>> {
  try {
    return { ok: true, value: await open(address, options) };
  } catch (error) {
    if (!(error instanceof LinkError)) throw error;
    return { ok: false, error: { stage: 'load', code: error.code, detail: error.message } };
  }
}

/** The probe comes first: its server halts the target when somebody connects, and lets it run then. The link suffices without. */
async function open(address: string, { probeAt, ...options }: AttachOptions): Promise<Device> {
  const probe = probeAt === undefined ? undefined : await reached(probeAt, options.probeLost);
  try {
    const transport = await openAddress(address);
    return await connect(transport, { ...options, ...(probe !== undefined && { probe }) });
  } catch (error) {
    await probe?.close();
    throw error;
  }
}
async function reached(address: string, lost: ClientOptions['probeLost']): Promise<Probe | undefined> {
  try {
    return await openProbe(address);
  } catch (error) {
    if (!(error instanceof LinkError)) throw error;
    lost?.(error.message);
    return undefined;
  }
}

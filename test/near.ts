/** For tests that talk to the device behind a station themselves: it must be one of this host. */
import type { Device } from '../firmware-rpc/host/device.ts';
import { type AnyStation, isFar } from '../tuner/measure/far.ts';

export function near({ device }: AnyStation): Device {
  if (isFar(device)) throw new Error('this device is at another host');
  return device;
}

/**
 * Which device answers. Chips may have equal uids, and one device may be reached by two paths: what was written into its memory
 * by way of one path, and is read by way of the other, tells these two cases apart.
 */
import { randomBytes } from 'node:crypto';
import type { Device } from '../../firmware-rpc/host/device.ts';

/** Bytes at the end of the data region. */
const tokenBytes = 16;

/** Of one open device; empty while it is closed. */
export class Identity {
  private uid: string | undefined;
  private token: Buffer | undefined;

  /** Says which of the others is this very device, if one is; else how many have its uid. */
  async establish(
    device: Device,
    others: readonly Identity[],
  ): Promise<{ readonly same: Identity } | { readonly namesakes: number }> {
    const { uid, data } = device.info;
    const namesakes = (): readonly Identity[] => others.filter((o) => o.token !== undefined && o.uid === uid);
    const before = namesakes().length;
    // Before anything is waited for: another one may be opening at the same time.
    const token = randomBytes(tokenBytes);
    [this.uid, this.token] = [uid, token];
    const at = data.base + data.bytes - tokenBytes;
    const found = async (): Promise<Identity | undefined> => {
      const read = Buffer.from(await device.fetch(at, tokenBytes));
      return namesakes().find((o) => o.token?.equals(read) === true);
    };
    const first = await found();
    if (first !== undefined) return { same: first };
    await device.load(at, token);
    // Again, for the other one may have come in between.
    const second = await found();
    return second === undefined ? { namesakes: before } : { same: second };
  }

  forget(): void {
    [this.uid, this.token] = [undefined, undefined];
  }
}

/**
 * What turns a binary into an image for the Pico: the checksum that the boot ROM wants of the second stage (RP2040 datasheet
 * §2.8.1.3.1), and UF2, the file format that its USB drive takes (§2.8.4.2).
 */

/** The second stage of the boot with its checksum, at the start of flash. */
export const secondStageBytes = 256;

/** CRC-32/MPEG-2: polynomial 0x04c11db7, most significant bit first, initial value all ones, no final XOR. */
export function crc32Mpeg2(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte << 24;
    for (let i = 0; i < 8; i++) crc = (crc << 1) ^ (crc < 0 ? 0x04c11db7 : 0);
  }
  return crc >>> 0;
}
/** What the last word of an image's second stage must be. */
export const bootChecksum = (image: Uint8Array): number => crc32Mpeg2(image.subarray(0, secondStageBytes - 4));

const blockBytes = 512;
const payloadBytes = 256;
const familyPresent = 0x2000;
const rp2040Family = 0xe48bff56;

/**
 * A UF2 file: a block of 512 bytes for each 256 bytes that are written at `base` and behind. Written to the drive that a Pico
 * shows when it is plugged in with BOOTSEL held, it flashes them and restarts. `base` begins a sector of 4 KiB and there are no
 * gaps: the boot ROM erases by counting blocks (erratum RP2040-E14). The last block is filled up with zeros.
 */
export function uf2(bytes: Uint8Array, base: number): Uint8Array {
  const blocks = Math.ceil(bytes.length / payloadBytes);
  const file = new Uint8Array(blocks * blockBytes);
  const view = new DataView(file.buffer);
  for (let i = 0; i < blocks; i++) {
    const at = i * blockBytes;
    const address = base + i * payloadBytes;
    const header = [0x0a324655, 0x9e5d5157, familyPresent, address, payloadBytes, i, blocks, rp2040Family];
    header.forEach((word, k) => view.setUint32(at + 4 * k, word, true));
    file.set(bytes.subarray(i * payloadBytes, (i + 1) * payloadBytes), at + 32);
    view.setUint32(at + blockBytes - 4, 0x0ab16f30, true);
  }
  return file;
}

/**
 * The SSI (RP2040 datasheet §4.10) with the Pico's flash chip, a W25Q16JV, behind it, in place of rp2040js's. It answers the
 * serial commands that the second stage of the boot needs, and says what a read through the window costs as it is set up.
 * The cost is that of the transfer itself: clocks of SCK for command, address and mode bits, waiting and data, each BAUDR cycles
 * of clk_sys long (§4.10.4). What the SSI needs around it (chip select) is not documented and not counted.
 */
import { BasePeripheral, type RP2040 } from 'rp2040js';

const register = { control0: 0x00, enable: 0x08, baud: 0x14, status: 0x28, data: 0x60, spiControl0: 0xf4 } as const;
/** TFNF, TFE: the transfer is over as soon as it was asked for. */
const idle = 0x06;
const receivedSome = 0x08;

const command = { writeStatus2: 0x31, readUniqueId: 0x4b, readQuad: 0xeb } as const;
const quadEnabled = 0x02;

export class SerialFlash extends BasePeripheral {
  private readonly uniqueId: Uint8Array;
  private readonly registers = new Map<number, number>();
  private received: number[] = [];
  /** Frames of the command that is being sent; a command ends when the FIFO was emptied. */
  private sent: number[] = [];
  private status2 = 0;
  /** The chip takes an address without a command: the last quad read's mode bits said so. */
  private continuous = false;
  /** Called when a read through the window may cost something else. */
  onChange: () => void = () => undefined;

  /** `uniqueId`: 8 bytes. */
  constructor(rp2040: RP2040, uniqueId: Uint8Array) {
    super(rp2040, 'SSI');
    this.uniqueId = uniqueId;
  }
  /** Cycles of clk_sys for a read of one frame through the window; undefined where chip and SSI do not understand each other. */
  get windowCycles(): number | undefined {
    const spi = this.get(register.spiControl0);
    const dataBits = ((this.get(register.control0) >>> 16) & 31) + 1;
    const commandBits = [0, 4, 8, 16][(spi >>> 8) & 3] as number;
    const [commandLanes, addressLanes] = this.lanesOf(spi & 3);
    const addressBits = ((spi >>> 2) & 15) * 4;
    const waiting = (spi >>> 11) & 31;
    const quadWithoutLeave = this.lanes === 4 && (this.status2 & quadEnabled) === 0;
    if (this.get(register.enable) === 0 || quadWithoutLeave || this.continuous !== (commandBits === 0))
      return undefined;
    const clocks = commandBits / commandLanes + addressBits / addressLanes + waiting + dataBits / this.lanes;
    return clocks * this.get(register.baud);
  }
  override readUint32(offset: number): number {
    if (offset === register.status) return idle | (this.received.length > 0 ? receivedSome : 0);
    if (offset !== register.data) return this.get(offset);
    const frame = this.received.shift() ?? 0;
    if (this.received.length === 0) this.sent = [];
    return frame;
  }
  override writeUint32(offset: number, value: number): void {
    if (offset === register.data) this.send(value);
    else this.registers.set(offset, value);
    if (offset === register.enable && value === 0) [this.sent, this.received] = [[], []];
    this.onChange();
  }
  private get(offset: number): number {
    return this.registers.get(offset) ?? 0;
  }
  /** SPI_FRF: over how many lines data goes. */
  private get lanes(): number {
    return [1, 2, 4, 4][(this.get(register.control0) >>> 21) & 3] as number;
  }
  /** TRANS_TYPE: over how many lines command and address go. */
  private lanesOf(type: number): readonly [number, number] {
    return [type === 2 ? this.lanes : 1, type === 0 ? 1 : this.lanes];
  }
  private send(frame: number): void {
    this.sent.push(frame);
    if (this.sent[0] !== command.readQuad) {
      this.received.push(this.answer(frame & 0xff));
    } else if (this.sent.length === 2) {
      // Address and mode bits. W25Q16JV, "Fast Read Quad I/O": M5-4 = 10 keeps the chip reading.
      this.continuous = (frame & 0x30) === 0x20;
      this.received.push(0);
    }
  }
  /** What the chip shifts out while it takes the last byte that was sent. It is never busy, and all that is written counts. */
  private answer(byte: number): number {
    const at = this.sent.length - 1;
    switch (this.sent[0]) {
      case command.writeStatus2:
        if (at === 1) this.status2 = byte;
        return 0;
      case command.readUniqueId:
        // Four bytes of anything lie between the command and the id.
        return this.uniqueId[at - 5] ?? 0;
      default:
        return 0;
    }
  }
}

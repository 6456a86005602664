/**
 * The execute-in-place window: flash behind a cache (RP2040 datasheet §2.6.3). What a read costs beyond a cycle of the bus:
 * - a hit costs nothing more (§2.6.3.1: one cycle);
 * - a miss waits for one transfer of the SSI (serial-flash.ts derives its length from the SSI's own registers).
 * 16 KiB, two ways, lines of 8 bytes (§2.6.3.2: flushing takes 16 KiB / 8 bytes / 2 ways cycles). A line is filled by halves: the
 * SSI fetches the 32 bits that were asked for (CTRLR1.NDF = 0), and the cache keeps a valid bit for each half, as measured in
 * raspberrypi/pico-feedback#307. Which way is replaced is not documented; here it is the one that was used longer ago.
 */
const lineBytes = 8;
const ways = 2;
const sets = 16384 / lineBytes / ways;

/** The window's aliases, address bits 25:24: whether the cache is asked, and whether it keeps what it did not have. */
const asks = (alias: number): boolean => (alias & 2) === 0;
const keeps = (alias: number): boolean => (alias & 1) === 0;

export class XipCache {
  /** Per line: its tag, shifted, above a valid bit for each half. */
  private readonly lines = new Int32Array(sets * ways);
  /** Per set: the way that was used last. */
  private readonly latest = new Uint8Array(sets);
  /** Cycles that a read waits that misses. */
  missCycles = 0;
  accesses = 0;
  hits = 0;

  /** Cycles that a read of the word at this address of the window waits. */
  read(address: number): number {
    const alias = (address >>> 24) & 3;
    const set = (address >>> 3) & (sets - 1);
    const tag = ((address & 0xffffff) >>> 13) << 2;
    const half = 1 << ((address >>> 2) & 1);
    this.accesses++;
    const way = this.wayOf(set, tag);
    if (asks(alias) && way >= 0 && ((this.lines[2 * set + way] as number) & half) !== 0) {
      this.latest[set] = way;
      this.hits++;
      return 0;
    }
    if (keeps(alias)) this.keep(set, way, tag, half);
    return this.missCycles;
  }
  /** Drops what the cache has of a word's line (§2.6.3.2: a write to the window does). */
  drop(address: number): void {
    const set = (address >>> 3) & (sets - 1);
    const way = this.wayOf(set, ((address & 0xffffff) >>> 13) << 2);
    if (way >= 0) this.lines[2 * set + way] = 0;
  }
  flush(): void {
    this.lines.fill(0);
    this.latest.fill(0);
  }
  /** The way that holds a part of the line, or -1. */
  private wayOf(set: number, tag: number): number {
    const [first, second] = [this.lines[2 * set] as number, this.lines[2 * set + 1] as number];
    if ((first & 3) !== 0 && (first & ~3) === tag) return 0;
    return (second & 3) !== 0 && (second & ~3) === tag ? 1 : -1;
  }
  private keep(set: number, found: number, tag: number, half: number): void {
    const way = found >= 0 ? found : this.victim(set);
    const had = found >= 0 ? (this.lines[2 * set + way] as number) & 3 : 0;
    this.lines[2 * set + way] = tag | had | half;
    this.latest[set] = way;
  }
  /** An empty way, or the one that was not used last. */
  private victim(set: number): number {
    for (const way of [0, 1]) if (((this.lines[2 * set + way] as number) & 3) === 0) return way;
    return 1 - (this.latest[set] as number);
  }
}

/**
 * A bounds-checked reader of flatbuffers. Every offset, vtable and vector length is checked against the file before it is
 * followed, nothing is allocated by a length that was not checked, and errors carry the byte offset. Parts may overlap in
 * a hostile file (a thousand tables that name one long vector): what is read in all is limited by a multiple of the file.
 */
export class CorruptFile extends Error {
  constructor(what: string, at: number) {
    super(`${what} at byte ${at}`);
  }
}

export class Bytes {
  readonly data: Uint8Array;
  private readonly view: DataView;
  private left: number;
  constructor(data: Uint8Array) {
    // A plain view, whatever subclass came in: its slices are copies.
    this.data = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    this.view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    this.left = 65536 + 16 * data.byteLength;
  }
  /** Counts `size` bytes as read; honest files read each byte about once. */
  spend(at: number, size: number): void {
    this.left -= size;
    if (this.left < 0) throw new CorruptFile('parts of the file overlap too often: one more', at);
  }
  /** Throws unless `size` bytes lie at `at`. */
  need(at: number, size: number, what: string): number {
    if (!Number.isInteger(at) || at < 0 || size < 0 || at + size > this.data.length)
      throw new CorruptFile(`${what} lies outside the file`, at);
    return at;
  }
  u8 = (at: number): number => this.view.getUint8(this.need(at, 1, 'a byte'));
  i8 = (at: number): number => this.view.getInt8(this.need(at, 1, 'a byte'));
  u16 = (at: number): number => this.view.getUint16(this.need(at, 2, 'a 16-bit value'), true);
  i32 = (at: number): number => this.view.getInt32(this.need(at, 4, 'a 32-bit value'), true);
  u32 = (at: number): number => this.view.getUint32(this.need(at, 4, 'a 32-bit value'), true);
  f32 = (at: number): number => this.view.getFloat32(this.need(at, 4, 'a float'), true);
  i64 = (at: number): number => Number(this.view.getBigInt64(this.need(at, 8, 'a 64-bit value'), true));
}

/** A table: fields by number, defaults where they are absent. */
export class Table {
  readonly at: number;
  private readonly file: Bytes;
  private readonly vtable: number;
  private readonly vtableSize: number;

  constructor(file: Bytes, at: number) {
    this.file = file;
    this.at = at;
    this.vtable = at - file.i32(at);
    this.vtableSize = file.u16(this.vtable);
    if (this.vtableSize < 4) throw new CorruptFile('a table description is too short', this.vtable);
    file.need(this.vtable, this.vtableSize, 'a table description');
    file.spend(at, 4);
  }

  static root(file: Bytes): Table {
    return new Table(file, file.u32(0));
  }

  /** Where a field lies; 0 if it is absent. */
  private field(n: number): number {
    const slot = 4 + 2 * n;
    if (slot + 2 > this.vtableSize) return 0;
    const offset = this.file.u16(this.vtable + slot);
    return offset === 0 ? 0 : this.at + offset;
  }
  private target(n: number): number {
    const at = this.field(n);
    return at === 0 ? 0 : at + this.file.u32(at);
  }

  u8 = (n: number, absent = 0): number => this.scalar(n, absent, this.file.u8);
  i8 = (n: number, absent = 0): number => this.scalar(n, absent, this.file.i8);
  i32 = (n: number, absent = 0): number => this.scalar(n, absent, this.file.i32);
  u32 = (n: number, absent = 0): number => this.scalar(n, absent, this.file.u32);
  f32 = (n: number, absent = 0): number => this.scalar(n, absent, this.file.f32);
  private scalar(n: number, absent: number, read: (at: number) => number): number {
    const at = this.field(n);
    return at === 0 ? absent : read(at);
  }

  table(n: number): Table | undefined {
    const at = this.target(n);
    return at === 0 ? undefined : new Table(this.file, at);
  }
  text(n: number): string {
    const at = this.target(n);
    if (at === 0) return '';
    const length = this.file.u32(at);
    this.file.need(at + 4, length, 'a string');
    return new TextDecoder().decode(this.file.data.subarray(at + 4, at + 4 + Math.min(length, 256)));
  }
  /** The bytes of a vector of bytes, and where they begin. */
  bytes(n: number): { readonly at: number; readonly data: Uint8Array } | undefined {
    const v = this.vector(n, 1);
    return v === undefined ? undefined : { at: v.at, data: this.file.data.subarray(v.at, v.at + v.length) };
  }
  i32s = (n: number): readonly number[] => this.list(n, 4, this.file.i32);
  f32s = (n: number): readonly number[] => this.list(n, 4, this.file.f32);
  i64s = (n: number): readonly number[] => this.list(n, 8, this.file.i64);
  tables = (n: number): readonly Table[] => this.list(n, 4, (at) => new Table(this.file, at + this.file.u32(at)));

  private vector(n: number, width: number): { readonly at: number; readonly length: number } | undefined {
    const at = this.target(n);
    if (at === 0) return undefined;
    const length = this.file.u32(at);
    this.file.need(at + 4, length * width, 'a vector');
    this.file.spend(at, length * width);
    return { at: at + 4, length };
  }
  private list<T>(n: number, width: number, read: (at: number) => T): readonly T[] {
    const v = this.vector(n, width);
    return v === undefined ? [] : Array.from({ length: v.length }, (_, i) => read(v.at + i * width));
  }
}

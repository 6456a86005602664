/**
 * Writes flatbuffers front to back: a parent stands before its children, so every offset points forward as the format
 * asks. Same description in, same bytes out. Vectors of bytes begin at multiples of 16, as runtimes want of constants.
 */
export type Item =
  | { readonly kind: 'table'; readonly fields: Readonly<Record<number, Field | undefined>> }
  | { readonly kind: 'tables'; readonly items: readonly Item[] }
  | { readonly kind: 'i32s' | 'f32s' | 'i64s'; readonly values: readonly number[] }
  | { readonly kind: 'bytes'; readonly data: Uint8Array }
  | { readonly kind: 'text'; readonly text: string };
/** What a table holds: scalars in place, all else by offset. */
export type Field = Item | { readonly kind: 'i8' | 'i32' | 'f32'; readonly value: number };

export const i8 = (value: number): Field => ({ kind: 'i8', value });
export const i32 = (value: number): Field => ({ kind: 'i32', value });
export const f32 = (value: number): Field => ({ kind: 'f32', value });
export const i32s = (values: readonly number[]): Item => ({ kind: 'i32s', values });
export const f32s = (values: readonly number[]): Item => ({ kind: 'f32s', values });
export const i64s = (values: readonly number[]): Item => ({ kind: 'i64s', values });
export const text = (value: string): Item => ({ kind: 'text', text: value });
export const bytes = (data: Uint8Array): Item => ({ kind: 'bytes', data });
export const table = (fields: Readonly<Record<number, Field | undefined>>): Item => ({ kind: 'table', fields });
export const tables = (items: readonly Item[]): Item => ({ kind: 'tables', items });

/** The file whose root is `root`, with a four-letter identifier. */
export function writeFlatbuffer(root: Item, identifier: string): Uint8Array {
  const out = new Output();
  const at = out.reserve(8, 4);
  out.data.set(new TextEncoder().encode(identifier), at + 4);
  out.link(at, emit(out, root));
  return out.finish();
}

class Output {
  data = new Uint8Array(4096);
  private size = 0;
  private view = new DataView(this.data.buffer);

  /** `length` zero bytes so that the byte `lead` of them is aligned; where they begin. */
  reserve(length: number, align: number, lead = 0): number {
    const at = Math.ceil((this.size + lead) / align) * align - lead;
    this.size = at + length;
    if (this.size > this.data.length) {
      const grown = new Uint8Array(2 * this.size);
      grown.set(this.data);
      this.data = grown;
      this.view = new DataView(grown.buffer);
    }
    return at;
  }
  u16 = (at: number, v: number): void => this.view.setUint16(at, v, true);
  i8 = (at: number, v: number): void => this.view.setInt8(at, v);
  i32 = (at: number, v: number): void => this.view.setInt32(at, v, true);
  f32 = (at: number, v: number): void => this.view.setFloat32(at, v, true);
  i64 = (at: number, v: number): void => this.view.setBigInt64(at, BigInt(v), true);
  /** The offset at `at` leads to `target`. */
  link = (at: number, target: number): void => this.view.setUint32(at, target - at, true);
  finish = (): Uint8Array => this.data.slice(0, Math.ceil(this.size / 4) * 4);
}

function emit(out: Output, item: Item): number {
  switch (item.kind) {
    case 'table':
      return emitTable(out, item.fields);
    case 'tables': {
      const at = vector(out, item.items.length, 4, 4);
      for (const [i, child] of item.items.entries()) out.link(at + 4 + 4 * i, emit(out, child));
      return at;
    }
    case 'i32s':
      return numbers(out, item.values, 4, out.i32);
    case 'f32s':
      return numbers(out, item.values, 4, out.f32);
    case 'i64s':
      return numbers(out, item.values, 8, out.i64);
    case 'bytes': {
      const at = vector(out, item.data.length, 1, 16);
      out.data.set(item.data, at + 4);
      return at;
    }
    case 'text': {
      const letters = new TextEncoder().encode(item.text);
      const at = vector(out, letters.length + 1, 1, 1);
      out.i32(at, letters.length);
      out.data.set(letters, at + 4);
      return at;
    }
  }
}

/** Room for a vector: its length, then elements that are aligned to `align`. */
function vector(out: Output, length: number, width: number, align: number): number {
  const at = out.reserve(4 + length * width, Math.max(4, align), 4);
  out.i32(at, length);
  return at;
}

function numbers(
  out: Output,
  values: readonly number[],
  width: number,
  put: (at: number, value: number) => void,
): number {
  const at = vector(out, values.length, width, width);
  for (const [i, v] of values.entries()) put(at + 4 + i * width, v);
  return at;
}

/** The description (vtable), the table behind it, then its children. Wide fields come first: nothing needs padding. */
function emitTable(out: Output, fields: Readonly<Record<number, Field | undefined>>): number {
  const present = Object.entries(fields).flatMap(([n, f]) => (f === undefined ? [] : [{ n: Number(n), field: f }]));
  const wide = present.filter((p) => p.field.kind !== 'i8');
  const order = [...wide, ...present.filter((p) => p.field.kind === 'i8')];
  const slots = present.reduce((most, p) => Math.max(most, p.n + 1), 0);
  const vtableSize = 4 + 2 * slots;
  const size = 4 + 4 * wide.length + (order.length - wide.length);
  const vtable = out.reserve(vtableSize + size, 4, vtableSize);
  const at = vtable + vtableSize;
  out.u16(vtable, vtableSize);
  out.u16(vtable + 2, size);
  out.i32(at, vtableSize);
  for (const [i, { n, field }] of order.entries()) {
    const offset = i < wide.length ? 4 + 4 * i : 4 + 4 * wide.length + (i - wide.length);
    out.u16(vtable + 4 + 2 * n, offset);
    putField(out, at + offset, field);
  }
  return at;
}

function putField(out: Output, at: number, field: Field): void {
  switch (field.kind) {
    case 'i8':
      return out.i8(at, field.value);
    case 'i32':
      return out.i32(at, field.value);
    case 'f32':
      return out.f32(at, field.value);
    default:
      return out.link(at, emit(out, field));
  }
}

/** Shifts by a register, and sums with carry, as ARMv6-M has them (A6.7): rp2040js gets some of their flags wrong. */
export interface Flagged {
  readonly value: number;
  readonly carry: boolean;
  /** Undefined where the instruction leaves V alone. */
  readonly overflow?: boolean;
}

/** a + b + carry, all of 32 bits. */
export function addWithCarry(a: number, b: number, carry: boolean): Flagged {
  const sum = a + b + (carry ? 1 : 0);
  const value = sum >>> 0;
  return { value, carry: sum > 0xffffffff, overflow: ((a ^ value) & (b ^ value)) < 0 };
}

export type Shift = 'left' | 'right' | 'arithmetic' | 'rotate';

/** By n places, 0 to 255; `carry` is the flag as it was. */
export function shifted(kind: Shift, value: number, n: number, carry: boolean): Flagged {
  if (n === 0) return { value, carry };
  const bit = (place: number): boolean => ((value >>> place) & 1) !== 0;
  switch (kind) {
    case 'left':
      return n < 32 ? { value: (value << n) >>> 0, carry: bit(32 - n) } : { value: 0, carry: n === 32 && bit(0) };
    case 'right':
      return n < 32 ? { value: value >>> n, carry: bit(n - 1) } : { value: 0, carry: n === 32 && bit(31) };
    case 'arithmetic':
      return n < 32 ? { value: (value >> n) >>> 0, carry: bit(n - 1) } : { value: (value >> 31) >>> 0, carry: bit(31) };
    case 'rotate': {
      const m = n & 31;
      const rotated = m === 0 ? value : ((value >>> m) | (value << (32 - m))) >>> 0;
      return { value: rotated, carry: rotated >>> 31 !== 0 };
    }
  }
}

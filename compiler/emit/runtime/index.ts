/**
 * The C that ships with every product: one small header. It is text here because the compiler reads no files. Every name in it
 * begins with mt_ or MT_. test/host/kernels-runtime.test.ts holds each function against compiler/program/arithmetic.ts.
 */
/** File name under which generated kernels include it. */
export const runtimeHeaderName = 'mt_kernel.h';

export const runtimeHeader = `/*
 * What microtune's generated kernels call: the exact integer operations that C has no operator for. Static inline C99,
 * no state, no libc. Must stay true: each function computes what the operation of the same name computes in
 * compiler/program/arithmetic.ts, for every argument, without undefined behaviour.
 * Assumed, as by every compiler for these targets: two's complement, and >> of a negative number shifts in ones.
 */
#ifndef MT_KERNEL_H
#define MT_KERNEL_H

#include <stdint.h>

/* The assembly of a block is one string, longer than the 4095 characters that every C99 compiler must take. */
#if defined(__clang__)
#pragma clang diagnostic ignored "-Woverlength-strings"
#endif

/* Code and constants that a schedule places in RAM; a board's link script collects the sections. */
#ifndef MT_RAM_SECTION
#define MT_RAM_SECTION ".ramfunc"
#endif
#define MT_RAM_CODE __attribute__((section(MT_RAM_SECTION)))

/*
 * The DSP instructions are there, and so is an optimiser: blocks of inline assembly take every register it can free. Clang
 * keeps r7 as a frame pointer; with -fomit-frame-pointer it frees r7 too, and MT_NO_FRAME_POINTER says that it was told so.
 */
#if defined(__ARM_FEATURE_DSP) && defined(__OPTIMIZE__) && (!defined(__clang__) || defined(MT_NO_FRAME_POINTER))
#define MT_DSP 1
#endif

/* A word of any buffer: lets 8- and 16-bit elements be moved 32 bits at a time without breaking C's aliasing rule. */
typedef uint32_t __attribute__((__may_alias__)) mt_word;

/* Two int16 that lie in one word. */
static inline uint32_t mt_pair(const int16_t *p) { return *(const mt_word *)(const void *)p; }

/* Addition, subtraction, multiplication and left shift modulo 2^32. */
static inline int32_t mt_add(int32_t a, int32_t b) { return (int32_t)((uint32_t)a + (uint32_t)b); }
static inline int32_t mt_sub(int32_t a, int32_t b) { return (int32_t)((uint32_t)a - (uint32_t)b); }
static inline int32_t mt_mul(int32_t a, int32_t b) { return (int32_t)((uint32_t)a * (uint32_t)b); }
static inline int32_t mt_shl(int32_t a, int32_t n) { return (int32_t)((uint32_t)a << (n & 31)); }
static inline int32_t mt_min(int32_t a, int32_t b) { return a < b ? a : b; }
static inline int32_t mt_max(int32_t a, int32_t b) { return a > b ? a : b; }

/* Quotient truncated towards zero; 0 where b is 0. */
static inline int32_t mt_div(int32_t a, int32_t b) {
  if (b == -1) return mt_sub(0, a);
  return b == 0 ? 0 : a / b;
}

/* Number of leading zeros, 32 for 0. */
static inline int32_t mt_clz(int32_t a) { return a == 0 ? 32 : (int32_t)__builtin_clz((unsigned)a); }

/* Bits 63..32 of the product. */
static inline int32_t mt_mulhi(int32_t a, int32_t b) {
#if defined(MT_DSP)
  int32_t high;
  __asm__("smmul %0, %1, %2" : "=r"(high) : "r"(a), "r"(b));
  return high;
#else
  return (int32_t)(((int64_t)a * b) >> 32);
#endif
}

/* add + mt_mulhi(a, b), modulo 2^32. */
static inline int32_t mt_mulhi_add(int32_t a, int32_t b, int32_t add) {
#if defined(MT_DSP)
  int32_t sum;
  __asm__("smmla %0, %1, %2, %3" : "=r"(sum) : "r"(a), "r"(b), "r"(add));
  return sum;
#else
  return mt_add(mt_mulhi(a, b), add);
#endif
}

/* round(a * b / 2^31), halves upwards, for b > -2^31: gemmlowp's doubling high multiply where it cannot saturate. */
static inline int32_t mt_rdmulh_nosat(int32_t a, int32_t b) {
  return (int32_t)(((int64_t)a * b + ((int64_t)1 << 30)) >> 31);
}

/* gemmlowp's SaturatingRoundingDoublingHighMul. */
static inline int32_t mt_rdmulh(int32_t a, int32_t b) {
  return a == INT32_MIN && b == INT32_MIN ? INT32_MAX : mt_rdmulh_nosat(a, b);
}

/* round(x / 2^e), halves away from zero, 0 <= e <= 31: gemmlowp's RoundingDivideByPOT. */
static inline int32_t mt_rounding_shift(int32_t x, int32_t e) {
  const int32_t mask = (int32_t)(((uint32_t)1 << e) - 1u);
  const int32_t threshold = (mask >> 1) + (x < 0 ? 1 : 0);
  return (x >> e) + ((x & mask) > threshold ? 1 : 0);
}

static inline int32_t mt_clamp(int32_t v, int32_t lo, int32_t hi) { return v < lo ? lo : v > hi ? hi : v; }

/* mt_clamp(v >> n, -128, 127) for a constant n in 1..31: one instruction where the CPU saturates. */
static inline int32_t mt_sat8_asr(int32_t v, int32_t n) {
#if defined(__ARM_FEATURE_SAT) && defined(__OPTIMIZE__)
  int32_t sat;
  if (__builtin_constant_p(n)) {
    __asm__("ssat %0, #8, %1, asr %2" : "=r"(sat) : "r"(v), "I"(n));
    return sat;
  }
#endif
  return mt_clamp(v >> n, -128, 127);
}

/*
 * clamp(acc * mult * 2^(shift - 31) + zero) with TFLite's two roundings: multiply, then shift right.
 * shift > 0 shifts left before the multiplication. mult > -2^31.
 */
static inline int32_t mt_requantize(int32_t acc, int32_t mult, int32_t shift, int32_t zero, int32_t lo, int32_t hi) {
  const int32_t left = shift > 0 ? shift : 0;
  const int32_t product = mt_rdmulh_nosat(mt_shl(acc, left), mult);
  return mt_clamp(mt_add(mt_rounding_shift(product, left - shift), zero), lo, hi);
}

/* The same where it is known that -31 <= shift <= -1 and mult >= 0: no left shift, and the halving cannot overflow. */
static inline int32_t mt_requantize_right(int32_t acc, int32_t mult, int32_t shift, int32_t zero, int32_t lo, int32_t hi) {
  const int32_t product = mt_rdmulh_nosat(acc, mult);
  const int32_t twice = (product + (product >> 31)) >> (-1 - shift);
  return mt_clamp(((twice + 1) >> 1) + zero, lo, hi);
}

/* With one rounding, as newer TFLite kernels do: round(acc * mult / 2^(31 - shift)), halves upwards. -31 <= shift <= 30. */
static inline int32_t mt_requantize_single(int32_t acc, int32_t mult, int32_t shift, int32_t zero, int32_t lo, int32_t hi) {
  const int64_t rounded = ((int64_t)acc * mult + ((int64_t)1 << (30 - shift))) >> (31 - shift);
  return mt_clamp(mt_add((int32_t)rounded, zero), lo, hi);
}

/* clamp(round(value / scale) + zero), halves away from zero, in float as TFLite does; NaN gives lo. */
static inline int32_t mt_quantize(float value, float scale, int32_t zero, int32_t lo, int32_t hi) {
  const float x = value / scale;
  int32_t whole;
  float rest;
  if (!(x > -1.0e9f)) return lo;
  if (x > 1.0e9f) return hi;
  whole = (int32_t)x;
  rest = x - (float)whole;
  if (rest >= 0.5f) whole += 1;
  if (rest <= -0.5f) whole -= 1;
  return mt_clamp(whole + zero, lo, hi);
}

/* scale * (value - zero). */
static inline float mt_dequantize(int32_t value, float scale, int32_t zero) { return scale * (float)mt_sub(value, zero); }

#endif
`;

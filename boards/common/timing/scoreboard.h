/*
 * For cores that issue in order and wait for registers: when each register's value is there, counted from the cycle of the
 * instruction that issued last. Values are small and end at 0, so that situations that cannot matter any more look equal.
 * Four bits a register, for speed and because the pipe is small.
 */
#ifndef MICROTUNE_TIMING_SCOREBOARD_H
#define MICROTUNE_TIMING_SCOREBOARD_H

#include <stdint.h>

struct scoreboard {
    uint64_t core;  /* r0 … r15 */
    uint64_t fp[2]; /* s0 … s31 */
};

static inline unsigned sb_core(const struct scoreboard *s, unsigned r) { return (unsigned)(s->core >> (4u * r) & 15u); }

/* The latest of a set of registers. */
static inline unsigned sb_core_latest(const struct scoreboard *s, uint32_t set) {
    unsigned latest = 0;
    for (; set != 0u; set &= set - 1u) {
        const unsigned v = sb_core(s, (unsigned)__builtin_ctz(set));
        if (v > latest) latest = v;
    }
    return latest;
}
static inline unsigned sb_fp_latest(const struct scoreboard *s, uint32_t set) {
    unsigned latest = 0;
    for (; set != 0u; set &= set - 1u) {
        const unsigned r = (unsigned)__builtin_ctz(set), v = (unsigned)(s->fp[r / 16u] >> (4u * (r % 16u)) & 15u);
        if (v > latest) latest = v;
    }
    return latest;
}
static inline void sb_set_core(struct scoreboard *s, uint32_t set, unsigned v) {
    for (; set != 0u; set &= set - 1u) {
        const unsigned at = 4u * (unsigned)__builtin_ctz(set);
        s->core = (s->core & ~(15ull << at)) | (uint64_t)v << at;
    }
}
static inline void sb_set_fp(struct scoreboard *s, uint32_t set, unsigned v) {
    for (; set != 0u; set &= set - 1u) {
        const unsigned r = (unsigned)__builtin_ctz(set), at = 4u * (r % 16u);
        s->fp[r / 16u] = (s->fp[r / 16u] & ~(15ull << at)) | (uint64_t)v << at;
    }
}

/* Those of a set whose number is not 0: what is remembered of the others does not matter any more. */
static inline uint32_t sb_core_waiting(const struct scoreboard *s, uint32_t set) {
    uint32_t some = 0;
    for (uint32_t left = set; left != 0u; left &= left - 1u)
        if (sb_core_latest(s, left & -left) != 0u) some |= left & -left;
    return some;
}
static inline uint32_t sb_fp_waiting(const struct scoreboard *s, uint32_t set) {
    uint32_t some = 0;
    for (uint32_t left = set; left != 0u; left &= left - 1u)
        if (sb_fp_latest(s, left & -left) != 0u) some |= left & -left;
    return some;
}

/* 16 numbers of four bits, each less by `cycles`, ending at 0. */
static inline uint64_t sb_aged(uint64_t numbers, unsigned cycles) {
    static const uint64_t low = 0x1111111111111111ull;
    for (; cycles != 0u && numbers != 0u; cycles--) {
        const uint64_t some = (numbers | numbers >> 1 | numbers >> 2 | numbers >> 3) & low; /* 1 where not 0 */
        numbers -= some;
    }
    return numbers;
}
static inline void sb_pass(struct scoreboard *s, unsigned cycles) {
    s->core = sb_aged(s->core, cycles);
    s->fp[0] = sb_aged(s->fp[0], cycles);
    s->fp[1] = sb_aged(s->fp[1], cycles);
}

/* What is left of a counter. */
static inline uint8_t less(unsigned count, unsigned cycles) { return (uint8_t)(count > cycles ? count - cycles : 0u); }
static inline unsigned later_of(unsigned a, unsigned b) { return a > b ? a : b; }

#endif

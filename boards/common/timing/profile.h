/*
 * What each instruction cost, for those who ask: an array of tallies for each piece of memory that is profiled, in a file that the
 * host reads. Must stay true: profiling changes no count.
 */
#ifndef MICROTUNE_TIMING_PROFILE_H
#define MICROTUNE_TIMING_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mailbox.h"

#define MAX_PROFILES 4u

/* Of the instruction at one address; instructions begin at even ones. */
struct tally {
    uint64_t executed;
    uint64_t cause[MT_CAUSES];
};

struct profiled {
    uint32_t base, bytes;
    struct tally *tally;
};
struct profile {
    struct profiled piece[MAX_PROFILES];
    unsigned pieces; /* 0: nothing is profiled */
};

/* Adds a piece of memory, with its tallies in a new file. False, with the reason, where that cannot be. */
bool profile_add(struct profile *p, uint32_t base, uint32_t bytes, const char *path, const char **why);

/* NULL where the address is not profiled. */
static inline struct tally *profile_at(const struct profile *p, uint32_t address) {
    for (unsigned i = 0; i < p->pieces; i++)
        if (address - p->piece[i].base < p->piece[i].bytes) return &p->piece[i].tally[(address - p->piece[i].base) / 2u];
    return NULL;
}

static inline void profile_cycles(const struct profile *p, uint32_t address, enum mt_cause cause, uint64_t cycles) {
    struct tally *const t = profile_at(p, address);
    if (t != NULL) t->cause[cause] += cycles;
}

#endif

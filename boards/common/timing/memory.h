/*
 * Time that memory takes: wait states, flash words and their prefetch, caches, banks, the code fetched over the system bus.
 * All times are cycles of the model; a function answers how many cycles the CPU waits beyond what its core charges for
 * memory without wait states.
 * Must stay true: state changes only through the functions here, in the order in which the program does things; an address
 * outside every region costs nothing (and is counted).
 */
#ifndef MICROTUNE_TIMING_MEMORY_H
#define MICROTUNE_TIMING_MEMORY_H

#include "cache.h"

#define MAX_REGIONS 16u
#define MAX_CACHES 4u
#define MAX_BANKS 4u
#define STREAM_WORDS 3u

struct region {
    char name[24];
    uint32_t base, bytes;
    uint32_t read_wait, write_wait; /* wait states of an access that no cache or buffer answers */
    uint32_t fetch_wait;            /* of an instruction fetch where it goes word by word, without flash words or cache */
    uint32_t unit;                  /* bytes that are read at once, for instructions: the flash word */
    uint32_t banks;                 /* parts that can be read at the same time */
    bool prefetch;                  /* reads the next unit ahead */
    struct cache *instructions, *data; /* NULL where there is none */
    uint32_t shared_bus;            /* not 0: instructions and data of regions with this number use one bus */
    /* Derived, and state. */
    bool plain;             /* data accesses never wait here */
    bool free_fetch;        /* nor do instructions */
    uint64_t busy[MAX_BANKS]; /* when a bank can begin its next read */
};

struct memory {
    struct region region[MAX_REGIONS];
    unsigned regions;
    struct cache cache[MAX_CACHES];
    unsigned caches;
    /* The unit that instructions come from now, and the one that is read ahead. */
    const struct region *unit_region;
    uint32_t unit;
    const struct region *ahead_region;
    uint32_t ahead;
    uint64_t ahead_ready;
    /* Word by word: the last word fetched, when it came, and when the words before were used. */
    const struct region *stream_region;
    uint32_t stream_word;
    uint64_t stream_ready;
    uint64_t stream_used[STREAM_WORDS];
    uint64_t write_done; /* when the write buffer is free again */
    uint64_t fetch_misses, data_misses;
    uint64_t fetch_reads; /* of instruction memory, ahead or not: while it stands still, all came from the cache */
};

/* Derives what can be; false with a message where the configuration makes no sense. */
bool memory_prepare(struct memory *m, const char **why);
/* Into the state after reset. */
void memory_settle(struct memory *m);
struct region *memory_find(struct memory *m, uint32_t address);
/* The instruction stream goes elsewhere than on. */
void memory_redirect(struct memory *m);
/* Instructions are needed from the unit (or word) at `address`. */
uint32_t memory_fetch(struct memory *m, struct region *r, uint32_t address, uint64_t now);
/* One bus transfer of data, within a word. */
uint32_t memory_data(struct memory *m, struct region *r, uint32_t address, bool write, uint64_t now);

#endif

/*
 * Which lines a set-associative cache holds; least recently used goes first. Knows no time: the memory model says what a
 * miss costs. A line may be filled in parts (sectors), as flash accelerators do that fill by flash word.
 */
#ifndef MICROTUNE_TIMING_CACHE_H
#define MICROTUNE_TIMING_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#define CACHE_HINTS 256u
/* What a write does. READ_ONLY: such a cache never sees writes (it stands before flash). */
enum cache_writes { CACHE_READ_ONLY, CACHE_WRITE_THROUGH, CACHE_WRITE_BACK };

struct cache_line {
    uint64_t used;    /* when, in accesses; 0: empty */
    uint32_t number;  /* address / line bytes */
    uint32_t sectors; /* a bit for each part that is filled */
    bool dirty;
};
struct cache {
    char name[24];
    uint32_t lines, ways, line_bytes, sector_bytes;
    enum cache_writes writes;
    uint32_t line_shift, sector_shift, sets;
    struct cache_line *line;       /* sets × ways */
    uint32_t hint[CACHE_HINTS];    /* where a line was last found */
    uint64_t accesses;
    uint64_t version;              /* changes when what is held does */
};
/* Did a line that was written to have to make place? */
enum cache_fill { CACHE_FILLED, CACHE_FILLED_OVER_DIRTY };

/* Derives what the configuration leaves open, allocates, and empties. False where the sizes make no cache. */
bool cache_prepare(struct cache *c);
void cache_empty(struct cache *c);
/* Is the sector of this address held? Changes nothing. */
bool cache_holds(const struct cache *c, uint32_t address);
/* The line that holds this address, wholly or in part; NULL where there is none. Good as long as the version is. */
struct cache_line *cache_find(const struct cache *c, uint32_t address);
/* A use of a line that is held. */
static inline void cache_touch(struct cache *c, struct cache_line *l) { l->used = ++c->accesses; }
/* Counts as a use where the sector is held. */
bool cache_use(struct cache *c, uint32_t address, bool write);
/* Takes the sector in; call after cache_use said no. */
enum cache_fill cache_fill(struct cache *c, uint32_t address, bool write);

#endif

/* See cache.h. */
#include "cache.h"

#include <stdlib.h>
#include <string.h>

static bool power_of_two(uint32_t x) { return x != 0u && (x & (x - 1u)) == 0u; }

bool cache_prepare(struct cache *c) {
    if (c->ways == 0u) c->ways = c->lines;
    if (c->sector_bytes == 0u) c->sector_bytes = c->line_bytes;
    if (c->lines == 0u || !power_of_two(c->line_bytes) || !power_of_two(c->sector_bytes)) return false;
    if (c->sector_bytes > c->line_bytes || c->line_bytes / c->sector_bytes > 32u || c->lines % c->ways != 0u) return false;
    c->sets = c->lines / c->ways;
    c->line_shift = (uint32_t)__builtin_ctz(c->line_bytes);
    c->sector_shift = (uint32_t)__builtin_ctz(c->sector_bytes);
    c->line = calloc(c->lines, sizeof *c->line);
    cache_empty(c);
    return power_of_two(c->sets) && c->line != NULL;
}

void cache_empty(struct cache *c) {
    if (c->line != NULL) memset(c->line, 0, c->lines * sizeof *c->line);
    memset(c->hint, 0, sizeof c->hint);
    c->accesses = 0;
    c->version++;
}

static uint32_t sector_of(const struct cache *c, uint32_t address) {
    return 1u << ((address & (c->line_bytes - 1u)) >> c->sector_shift);
}

struct cache_line *cache_find(const struct cache *c, uint32_t address) {
    const uint32_t number = address >> c->line_shift;
    struct cache_line *hinted = &c->line[c->hint[number % CACHE_HINTS]];
    if (hinted->used != 0u && hinted->number == number) return hinted;
    struct cache_line *const set = c->line + (number & (c->sets - 1u)) * c->ways;
    for (uint32_t way = 0; way < c->ways; way++)
        if (set[way].used != 0u && set[way].number == number) return &set[way];
    return NULL;
}

bool cache_holds(const struct cache *c, uint32_t address) {
    const struct cache_line *l = cache_find(c, address);
    return l != NULL && (l->sectors & sector_of(c, address)) != 0u;
}

bool cache_use(struct cache *c, uint32_t address, bool write) {
    struct cache_line *l = cache_find(c, address);
    if (l == NULL || (l->sectors & sector_of(c, address)) == 0u) return false;
    cache_touch(c, l);
    if (write && c->writes == CACHE_WRITE_BACK) l->dirty = true;
    return true;
}

static struct cache_line *oldest(struct cache *c, uint32_t number) {
    struct cache_line *const set = c->line + (number & (c->sets - 1u)) * c->ways;
    struct cache_line *victim = set;
    for (uint32_t way = 1; way < c->ways; way++)
        if (set[way].used < victim->used) victim = &set[way];
    return victim;
}

enum cache_fill cache_fill(struct cache *c, uint32_t address, bool write) {
    const uint32_t number = address >> c->line_shift;
    struct cache_line *l = cache_find(c, address);
    bool evicted_dirty = false;
    if (l == NULL) {
        l = oldest(c, number);
        evicted_dirty = l->used != 0u && l->dirty;
        *l = (struct cache_line){.number = number};
    }
    l->sectors |= sector_of(c, address);
    cache_touch(c, l);
    if (write && c->writes == CACHE_WRITE_BACK) l->dirty = true;
    c->version++;
    c->hint[number % CACHE_HINTS] = (uint32_t)(l - c->line);
    return evicted_dirty ? CACHE_FILLED_OVER_DIRTY : CACHE_FILLED;
}

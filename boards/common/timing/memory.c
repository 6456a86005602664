/* See memory.h. */
#include "memory.h"

#include <string.h>

bool memory_prepare(struct memory *m, const char **why) {
    for (unsigned i = 0; i < m->caches; i++)
        if (!cache_prepare(&m->cache[i])) {
            *why = "a cache needs lines, lines in whole sets, and powers of two for its sizes";
            return false;
        }
    for (unsigned i = 0; i < m->regions; i++) {
        struct region *const r = &m->region[i];
        if (r->unit == 0u) r->unit = 4u;
        if (r->banks == 0u) r->banks = 1u;
        *why = "a region's unit is a power of two, its banks are 1 to 4";
        if ((r->unit & (r->unit - 1u)) != 0u || r->banks > MAX_BANKS || r->bytes == 0u) return false;
        r->free_fetch = r->read_wait == 0u && r->fetch_wait == 0u;
        r->plain = r->read_wait == 0u && r->write_wait == 0u && r->data == NULL;
    }
    memory_settle(m);
    return true;
}

void memory_settle(struct memory *m) {
    for (unsigned i = 0; i < m->caches; i++) cache_empty(&m->cache[i]);
    for (unsigned i = 0; i < m->regions; i++) memset(m->region[i].busy, 0, sizeof m->region[i].busy);
    m->unit_region = m->ahead_region = m->stream_region = NULL;
    m->write_done = 0;
}

struct region *memory_find(struct memory *m, uint32_t address) {
    for (unsigned i = 0; i < m->regions; i++)
        if (address - m->region[i].base < m->region[i].bytes) return &m->region[i];
    return NULL;
}

void memory_redirect(struct memory *m) { m->stream_region = NULL; }

/* An access may begin before its region or end behind it: then the last one. */
static uint64_t *bank_of(struct region *r, uint32_t address) {
    const uint64_t bank = (uint64_t)(address - r->base) * r->banks / r->bytes;
    return &r->busy[bank < r->banks ? bank : r->banks - 1u];
}
static uint64_t later(uint64_t a, uint64_t b) { return a > b ? a : b; }

/*
 * A read that nothing else answers: waits for the bank, then for the memory. It takes 1 + read_wait cycles, the first of
 * which lies before `now`: it is the cycle in which memory without wait states would have answered.
 */
static uint32_t read_bank(struct region *r, uint32_t address, uint64_t now) {
    uint64_t *const busy = bank_of(r, address);
    const uint64_t start = later(now, *busy);
    *busy = start + r->read_wait;
    return (uint32_t)(start - now) + r->read_wait;
}

/* Begins to read the unit behind the current one, unless it is there already. */
static void read_ahead(struct memory *m, struct region *r, uint64_t now) {
    const uint32_t next = m->unit + r->unit;
    if (next - r->base >= r->bytes || (r->instructions != NULL && cache_holds(r->instructions, next))) return;
    if (m->ahead_region == r && m->ahead == next) return;
    m->fetch_reads++;
    m->ahead_region = r;
    m->ahead = next;
    m->ahead_ready = now + read_bank(r, next, now);
}

static uint32_t fetch_unit(struct memory *m, struct region *r, uint32_t unit, uint64_t now) {
    uint32_t wait = 0;
    const bool cached = r->instructions != NULL && cache_use(r->instructions, unit, false);
    if (!cached) {
        m->fetch_reads++;
        const bool ahead = m->ahead_region == r && m->ahead == unit;
        if (ahead) wait = m->ahead_ready > now ? (uint32_t)(m->ahead_ready - now) : 0u;
        else wait = read_bank(r, unit, now);
        /*
         * The cache takes what was found in neither cache, current unit nor prefetch buffer (RM0090 3.5.2, "each time a
         * miss occurs"). A unit that is asked for before its prefetch is through is not in the buffer: a miss.
         */
        if (!ahead || wait > 0u) {
            m->fetch_misses++;
            if (r->instructions != NULL) (void)cache_fill(r->instructions, unit, false);
        }
    }
    m->unit_region = r;
    m->unit = unit;
    if (r->prefetch) read_ahead(m, r, now + wait + 1u);
    return wait;
}

/*
 * Code from a bus that answers a word every 1 + fetch_wait cycles. The CPU fetches ahead as far as its buffer of three
 * words goes, so that the waiting hides behind instructions of 16 bits or of several cycles.
 */
static uint32_t fetch_word(struct memory *m, struct region *r, uint32_t word, uint64_t now) {
    const uint64_t each = 1u + r->fetch_wait;
    const bool goes_on = m->stream_region == r && word == m->stream_word + 4u;
    uint64_t ready = now + r->fetch_wait;
    if (goes_on) ready = later(m->stream_ready + each, m->stream_used[STREAM_WORDS - 1u] + each);
    const uint32_t wait = ready > now ? (uint32_t)(ready - now) : 0u;
    if (!goes_on)
        for (unsigned i = 0; i < STREAM_WORDS; i++) m->stream_used[i] = 0;
    memmove(m->stream_used + 1, m->stream_used, (STREAM_WORDS - 1u) * sizeof m->stream_used[0]);
    m->stream_used[0] = now + wait;
    m->stream_region = r;
    m->stream_word = word;
    m->stream_ready = ready;
    return wait;
}

uint32_t memory_fetch(struct memory *m, struct region *r, uint32_t address, uint64_t now) {
    if (r->fetch_wait != 0u) {
        const bool same = m->stream_region == r && m->stream_word == address;
        return same ? 0u : fetch_word(m, r, address, now);
    }
    if (m->unit_region == r && m->unit == address) return 0u;
    return fetch_unit(m, r, address, now);
}

/* Stores leave the CPU through a buffer of one, for `wait` cycles: it waits only where the buffer is still full. */
static uint32_t write_through_buffer(struct memory *m, uint32_t wait, uint64_t now) {
    const uint64_t start = later(now, m->write_done);
    if (wait != 0u) m->write_done = start + wait + 1u;
    return (uint32_t)(start - now);
}

/*
 * A line that was written and must make place leaves through a buffer, too, once the new one is there: nobody waits for it
 * but the next read. It is taken to lie in the region of the line that takes its place.
 */
static uint32_t fill_line(struct region *r, uint32_t address, bool write, uint64_t now) {
    const uint32_t wait = read_bank(r, address, now);
    if (r->data != NULL && cache_fill(r->data, address, write) == CACHE_FILLED_OVER_DIRTY)
        *bank_of(r, address) += r->write_wait + 1u;
    return wait;
}

static uint32_t read_data(struct memory *m, struct region *r, uint32_t address, uint64_t now) {
    if (r->data != NULL && cache_use(r->data, address, false)) return 0u;
    const uint32_t drained = m->write_done > now ? (uint32_t)(m->write_done - now) : 0u;
    if (r->read_wait == 0u && r->data == NULL) return drained;
    m->data_misses++;
    return drained + fill_line(r, address, false, now + drained);
}

/* A store that misses a write-back cache waits in the buffer for its line. */
static uint32_t write_data(struct memory *m, struct region *r, uint32_t address, uint64_t now) {
    const bool cached = r->data != NULL && r->data->writes != CACHE_READ_ONLY;
    const bool hit = cached && cache_use(r->data, address, true);
    if (!cached || r->data->writes == CACHE_WRITE_THROUGH) return write_through_buffer(m, r->write_wait, now);
    if (hit) return 0u;
    m->data_misses++;
    const uint32_t full = m->write_done > now ? (uint32_t)(m->write_done - now) : 0u;
    return write_through_buffer(m, fill_line(r, address, true, now + full), now);
}

uint32_t memory_data(struct memory *m, struct region *r, uint32_t address, bool write, uint64_t now) {
    if (r->shared_bus != 0u && m->stream_region != NULL && m->stream_region->shared_bus == r->shared_bus)
        m->stream_ready++; /* a slot of the bus that fetches do not get */
    return write ? write_data(m, r, address, now) : read_data(m, r, address, now);
}

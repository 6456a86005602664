/* Charging blocks: see model.h. */
#include "model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a block waits for beyond its memo, by cause. */
struct waits {
    uint32_t fetch, data, pipeline;
};

/* The bus transfers of one access, and what its place and alignment cost. */
static void wait_for_data(struct model *m, const struct block *b, const struct access *a, bool chained, uint64_t now,
                          struct waits *w) {
    const uint32_t bus = m->core->bus_bytes;
    const uint32_t lost = a->elsewhere && chained ? m->core->chain_cycles : 0u;
    uint32_t wait = m->core->unaligned(&b->insn[a->insn], a->address, a->bytes);
    if (a->region != NULL)
        for (uint32_t at = a->address & ~(bus - 1u); at < a->address + a->bytes; at += bus)
            wait += memory_data(&m->memory, a->region, at, a->write, now + lost + wait);
    w->pipeline += lost;
    w->data += wait;
}

static bool is_ahead(const struct memory *m, const struct region *r, uint32_t unit) {
    return m->ahead_region == r && m->ahead == unit;
}

/* Notes that the cache holds all that this block fetches and what would be read ahead of it, if that is so. */
static void note_cached(const struct model *m, struct block *b) {
    struct region *const r = b->region;
    struct cache *const cache = r->instructions;
    b->lines = 0;
    b->needs_ahead = false;
    for (uint32_t c = 0; c < b->crossings; c++) {
        const uint32_t unit = b->crossing[c].address, next = unit + r->unit;
        struct cache_line *const line = cache_find(cache, unit);
        if (!cache_holds(cache, unit)) return;
        if (r->prefetch && next - r->base < r->bytes && !cache_holds(cache, next)) {
            if (!is_ahead(&m->memory, r, next)) return;
            b->needs_ahead = true;
            b->ahead = next;
        }
        if (b->lines == 0u || b->line[b->lines - 1u] != line) b->line[b->lines++] = line;
    }
    b->cached_version = cache->version;
}

/* True where nothing of the block waits for instructions; its lines count as used, in the order in which they were. */
static bool use_cached(struct model *m, struct block *b) {
    struct cache *const cache = b->region->instructions;
    if (cache == NULL || b->cached_version != cache->version) return false;
    if (b->needs_ahead && !is_ahead(&m->memory, b->region, b->ahead)) return false;
    for (uint32_t i = 0; i < b->lines; i++) cache_touch(cache, b->line[i]);
    m->memory.unit_region = b->region;
    m->memory.unit = b->crossing[b->crossings - 1u].address;
    return true;
}

static void tally_waits(const struct model *m, const struct insn *i, const struct waits *before, const struct waits *after) {
    profile_cycles(&m->profile, i->address, MT_CAUSE_FETCH, after->fetch - before->fetch);
    profile_cycles(&m->profile, i->address, MT_CAUSE_DATA, after->data - before->data);
    profile_cycles(&m->profile, i->address, MT_CAUSE_PIPELINE, after->pipeline - before->pipeline);
}

/* Instructions and data wait in the order in which the program needs them. */
static void charge_memory(struct model *m, struct block *b, const struct memo *memo) {
    const uint64_t reads = m->memory.fetch_reads;
    const bool cached = b->crossings == 0u || use_cached(m, b);
    struct waits w = {0, 0, 0};
    uint32_t c = cached ? b->crossings : 0u, d = 0;
    while (c < b->crossings || d < m->accesses) {
        const bool fetches = c < b->crossings && (d == m->accesses || b->crossing[c].insn <= m->access[d].insn);
        const uint32_t k = fetches ? b->crossing[c].insn : m->access[d].insn;
        const uint64_t now = m->now + (memo->at[k] & ~AT_CHAINED) + w.fetch + w.data + w.pipeline;
        const struct waits before = w;
        if (fetches) w.fetch += memory_fetch(&m->memory, b->region, b->crossing[c++].address, now);
        else wait_for_data(m, b, &m->access[d++], (memo->at[k] & AT_CHAINED) != 0u, now, &w);
        if (m->profile.pieces != 0u) tally_waits(m, &b->insn[k], &before, &w);
    }
    if (!cached && reads == m->memory.fetch_reads && b->region->instructions != NULL) note_cached(m, b);
    m->counts.cause[MT_CAUSE_FETCH] += w.fetch;
    m->counts.cause[MT_CAUSE_DATA] += w.data;
    m->counts.cause[MT_CAUSE_PIPELINE] += w.pipeline;
    m->now += w.fetch + w.data + w.pipeline;
}

/* Where the block led, by its last instruction. */
static void charge_way(struct model *m, const struct block *b, struct memo *memo, const struct insn *target) {
    const struct insn *const last = &b->insn[b->insns - 1u];
    m->state = memo->after;
    if (!insn_may_branch(last)) return;
    /* A branch to the very next instruction counts as taken only where it always is. */
    const bool taken = target->address != b->end || (last->flags & INSN_CONDITIONAL) == 0u;
    const uint32_t predicted = m->core->predict == NULL ? 0u : m->core->predict(m->history, last, taken, target);
    const uint64_t way = ((uint64_t)target->address << 8 | target->size) << 8 | predicted;
    if (memo->way != way) {
        struct pipe pipe = m->pipes.pipe[memo->after];
        memo->way_cycles = m->core->branch(&pipe, predicted, last, taken, target);
        memo->way_after = pipes_number(&m->pipes, &pipe);
        memo->way = way;
    }
    m->state = memo->way_after;
    m->counts.cause[MT_CAUSE_BRANCH] += memo->way_cycles;
    if (m->profile.pieces != 0u) profile_cycles(&m->profile, last->address, MT_CAUSE_BRANCH, memo->way_cycles);
    m->now += memo->way_cycles;
}

/* Charges the pending block, now that it is known what it did and where it led. */
static void charge(struct model *m, const struct insn *target) {
    struct block *const b = m->pending;
    m->state = pipes_make_room(&m->pipes, m->state);
    struct memo *const memo = block_memo(m, b);
    if (b->crossings != 0u || m->accesses != 0u) charge_memory(m, b, memo);
    if (m->profile.pieces != 0u) block_tally(m, b, memo);
    for (unsigned c = 0; c < MT_CAUSES; c++) m->counts.cause[c] += memo->cycles[c];
    m->now += memo->total;
    m->counts.instructions += b->insns;
    if (b->unknown != 0u) {
        m->counts.unknown += b->unknown;
        m->counts.unknown_code = b->unknown_code;
    }
    charge_way(m, b, memo, target);
    if (target->address != b->end) memory_redirect(&m->memory);
    m->accesses = 0;
    b->same_bank = 0;
    m->pending = NULL;
}

void model_enter(struct model *m, struct block *b) {
    if (!m->running) return;
    if (m->pending != NULL) charge(m, &b->insn[0]);
    m->pending = b;
}

/* Elements of one vector, or registers of one multiple access, that cross the bus together: one access. */
static bool crosses_with_last(const struct model *m, const struct accessor *a, uint32_t address) {
    if (m->accesses == 0u) return false;
    const struct access *const last = &m->access[m->accesses - 1u];
    return last->insn == a->insn && (last->address ^ address) < m->core->bus_bytes;
}

void model_keep(struct model *m, struct accessor *a, uint32_t address, uint32_t bytes, bool write) {
    if (crosses_with_last(m, a, address)) return;
    const bool again = a->region != NULL && region_holds(a->region, address);
    struct region *const r = again ? a->region : memory_find(&m->memory, address);
    if (m->accesses == MAX_ACCESSES) {
        fprintf(stderr, "timing: a block makes more than %u accesses\n", MAX_ACCESSES);
        abort();
    }
    if (r == NULL) m->counts.unmapped++;
    m->access[m->accesses++] = (struct access){a->insn, address, (uint8_t)bytes, write, r != m->last_data, r};
    m->last_data = a->region = r;
}

void model_settle(struct model *m) {
    memory_settle(&m->memory);
    if (m->core->history_bytes != 0u) memset(m->history, 0, m->core->history_bytes);
    m->last_data = NULL;
    m->last_address = 0;
}

/* What ran since END left nothing in the pipeline that is told here: it is empty. */
void model_begin(struct model *m) {
    static const struct pipe empty;
    m->state = pipes_make_room(&m->pipes, m->state);
    m->state = pipes_number(&m->pipes, &empty);
    memory_redirect(&m->memory);
    m->pending = NULL;
    m->accesses = 0;
    m->running = true;
}

void model_end(struct model *m, const struct insn *marker) {
    if (!m->running) return;
    if (m->pending != NULL) charge(m, marker);
    m->running = false;
}

const struct mt_mailbox *model_counts(struct model *m) {
    m->counts.magic = MT_MAILBOX_MAGIC;
    m->counts.cycles = m->now;
    m->counts.fetch_misses = m->memory.fetch_misses;
    m->counts.data_misses = m->memory.data_misses;
    return &m->counts;
}

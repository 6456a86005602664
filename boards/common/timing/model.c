/* See model.h. */
#include "model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *allocate(size_t n, size_t bytes) {
    void *const p = calloc(n == 0u ? 1u : n, bytes);
    if (p == NULL) abort();
    return p;
}

/* Code of a region that never makes the CPU wait needs no crossings. */
static void find_crossings(struct block *b) {
    struct region *const r = b->region;
    if (r == NULL || r->free_fetch) return;
    const uint32_t unit = r->fetch_wait != 0u ? 4u : r->unit;
    uint32_t last = 0;
    b->crossing = allocate(2u * (size_t)b->insns, sizeof *b->crossing);
    for (uint32_t k = 0; k < b->insns; k++) {
        const uint32_t first = b->insn[k].address & ~(unit - 1u);
        const uint32_t behind = (b->insn[k].address + b->insn[k].size - 1u) & ~(unit - 1u);
        if (b->crossings == 0u || first != last) b->crossing[b->crossings++] = (struct crossing){k, first};
        if (behind != first) b->crossing[b->crossings++] = (struct crossing){k, behind};
        last = behind;
    }
}

struct block *block_new(uint32_t capacity) {
    struct block *const b = allocate(1u, sizeof *b);
    b->insn = allocate(capacity, sizeof *b->insn);
    b->accessor = allocate(capacity, sizeof *b->accessor);
    return b;
}

void block_add(struct block *b, struct insn i) {
    b->accessor[b->insns] = (struct accessor){b, b->insns};
    b->insn[b->insns++] = i;
}

void block_prepare(struct model *m, struct block *b) {
    const struct insn *const last = &b->insn[b->insns - 1u];
    b->end = last->address + last->size;
    b->region = memory_find(&m->memory, b->insn[0].address);
    find_crossings(b);
    for (uint32_t k = 0; k < b->insns; k++) {
        const struct insn *const i = &b->insn[k];
        if (i->kind != INSN_UNKNOWN && (m->core->has == NULL || m->core->has(i))) continue;
        b->unknown++;
        b->unknown_code = i->code;
    }
}

void block_free(struct block *b) {
    for (unsigned i = 0; i < MEMOS; i++) free(b->memo[i].at);
    free(b->crossing);
    free(b->accessor);
    free(b->insn);
    free(b);
}

/* Runs the block through the core's rules. */
static void work_out(const struct model *m, const struct block *b, struct memo *memo) {
    struct pipe pipe = m->pipe;
    memset(memo->cycles, 0, sizeof memo->cycles);
    memo->before = pipe;
    memo->total = 0;
    if (memo->at == NULL) memo->at = allocate(b->insns, sizeof *memo->at);
    for (uint32_t k = 0; k < b->insns; k++) {
        const struct issued issued = m->core->issue(&pipe, &b->insn[k]);
        memo->at[k] = memo->total | (issued.chained != 0u ? AT_CHAINED : 0u);
        for (unsigned c = 0; c < MT_CAUSES; c++) {
            memo->cycles[c] += issued.cycles[c];
            memo->total += issued.cycles[c];
        }
    }
    memo->after = pipe;
    memo->valid = true;
}

static const struct memo *memo_of(const struct model *m, struct block *b) {
    for (unsigned i = 0; i < MEMOS; i++)
        if (b->memo[i].valid && memcmp(&b->memo[i].before, &m->pipe, sizeof m->pipe) == 0) return &b->memo[i];
    struct memo *const memo = &b->memo[b->next_memo++ % MEMOS];
    work_out(m, b, memo);
    return memo;
}

/* The bus transfers of one access, and what its place and alignment cost. */
static uint32_t charge_access(struct model *m, const struct block *b, const struct access *a, bool chained, uint64_t now) {
    const struct insn *const i = &b->insn[a->insn];
    const uint32_t bus = m->core->bus_bytes;
    uint32_t wait = m->core->unaligned(i, a->address, a->bytes);
    if (a->elsewhere && chained) wait += m->core->chain_cycles;
    if (a->region == NULL) return wait;
    for (uint32_t at = a->address & ~(bus - 1u); at < a->address + a->bytes; at += bus)
        wait += memory_data(&m->memory, a->region, at, a->write, now + wait);
    return wait;
}

/* Instructions and data wait in the order in which the program needs them. */
static void charge_memory(struct model *m, struct block *b, const struct memo *memo) {
    uint32_t c = 0, d = 0, fetch = 0, data = 0;
    while (c < b->crossings || d < m->accesses) {
        const bool fetches = c < b->crossings && (d == m->accesses || b->crossing[c].insn <= m->access[d].insn);
        const uint32_t k = fetches ? b->crossing[c].insn : m->access[d].insn;
        const uint64_t now = m->now + (memo->at[k] & ~AT_CHAINED) + fetch + data;
        if (fetches) fetch += memory_fetch(&m->memory, b->region, b->crossing[c++].address, now);
        else {
            data += charge_access(m, b, &m->access[d], (memo->at[k] & AT_CHAINED) != 0u, now);
            d++;
        }
    }
    m->counts.cause[MT_CAUSE_FETCH] += fetch;
    m->counts.cause[MT_CAUSE_DATA] += data;
    m->now += fetch + data;
}

/* Charges the pending block, now that it is known where it led. */
static void charge(struct model *m, const struct insn *target) {
    struct block *const b = m->pending;
    const struct insn *const last = &b->insn[b->insns - 1u];
    const struct memo *const memo = memo_of(m, b);
    if (b->crossings != 0u || m->accesses != 0u) charge_memory(m, b, memo);
    for (unsigned c = 0; c < MT_CAUSES; c++) m->counts.cause[c] += memo->cycles[c];
    m->now += memo->total;
    m->pipe = memo->after;
    m->counts.instructions += b->insns;
    if (b->unknown != 0u) {
        m->counts.unknown += b->unknown;
        m->counts.unknown_code = b->unknown_code;
    }
    if (insn_may_branch(last)) {
        /* A branch to the very next instruction counts as taken only where it always is. */
        const bool taken = target->address != b->end || (last->flags & INSN_CONDITIONAL) == 0u;
        const uint32_t refill = m->core->branch(&m->pipe, m->history, last, taken, target);
        m->counts.cause[MT_CAUSE_BRANCH] += refill;
        m->now += refill;
    }
    if (target->address != b->end) memory_redirect(&m->memory);
    m->accesses = 0;
    m->pending = NULL;
}

void model_enter(struct model *m, struct block *b) {
    if (!m->running) return;
    if (m->pending != NULL) charge(m, &b->insn[0]);
    m->pending = b;
}

void model_keep(struct model *m, uint32_t insn, uint32_t address, uint32_t bytes, bool write) {
    struct region *const r = memory_find(&m->memory, address);
    if (m->accesses == MAX_ACCESSES) {
        fprintf(stderr, "timing: a block makes more than %u accesses\n", MAX_ACCESSES);
        abort();
    }
    if (r == NULL) m->counts.unmapped++;
    m->access[m->accesses++] = (struct access){insn, address, (uint8_t)bytes, write, r != m->last_data, r};
    m->last_data = r;
}

void model_settle(struct model *m) {
    memory_settle(&m->memory);
    memset(&m->pipe, 0, sizeof m->pipe);
    if (m->core->history_bytes != 0u) memset(m->history, 0, m->core->history_bytes);
    m->last_data = NULL;
}

/* What ran since END left nothing in the pipeline that is told here: it is empty. */
void model_begin(struct model *m) {
    memset(&m->pipe, 0, sizeof m->pipe);
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

/* Blocks and what is known of them: see model.h. */
#include <stdlib.h>
#include <string.h>

#include "model.h"

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
    /* Blocks are kept by the thousand: no more than is needed. */
    struct crossing *const fitting = realloc(b->crossing, b->crossings * sizeof *b->crossing);
    if (fitting != NULL) b->crossing = fitting;
    b->line = allocate(b->crossings, sizeof *b->line);
}

struct block *block_new(uint32_t capacity) {
    struct block *const b = allocate(1u, sizeof *b);
    b->insn = allocate(capacity, sizeof *b->insn);
    b->accessor = allocate(capacity, sizeof *b->accessor);
    return b;
}

/* One register, core or FP. */
static bool loads(const struct insn *i) { return i->kind == INSN_LOAD || i->kind == INSN_FP_LOAD; }

void block_add(struct block *b, struct insn i) {
    const uint32_t k = b->insns++;
    b->insn[k] = i;
    b->accessor[k] = (struct accessor){.block = b, .insn = k, .misaligned = i.bytes == 0u ? 0u : i.bytes - 1u};
    b->accessor[k].after_load = i.kind == INSN_LOAD && (k == 0u || b->insn[k - 1u].kind == INSN_LOAD);
    if (loads(&i) && (k == 0u || loads(&b->insn[k - 1u])) && b->banked < 64u) b->accessor[k].bank_bit = 1ull << b->banked++;
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
    free(b->line);
    free(b->accessor);
    free(b->insn);
    free(b);
}

/* Instruction `k` by the core's rules. */
static struct issued issue(const struct model *m, const struct block *b, uint32_t k, uint64_t same_bank, struct pipe *pipe) {
    struct insn i = b->insn[k];
    if ((b->accessor[k].bank_bit & same_bank) != 0u) i.flags |= INSN_SAME_BANK;
    return m->core->issue(pipe, &i);
}

/* Runs the block through the core's rules. */
static void work_out(struct model *m, const struct block *b, struct memo *memo) {
    uint32_t *const at = memo->at != NULL ? memo->at : allocate(b->insns, sizeof *memo->at);
    struct pipe pipe = m->pipes.pipe[m->state];
    *memo = (struct memo){.generation = m->pipes.generation, .before = m->state, .at = at, .way = UINT64_MAX};
    memo->same_bank = b->same_bank;
    for (uint32_t k = 0; k < b->insns; k++) {
        const struct issued issued = issue(m, b, k, b->same_bank, &pipe);
        at[k] = memo->total | (issued.chained != 0u ? AT_CHAINED : 0u);
        for (unsigned c = 0; c < MT_CAUSES; c++) {
            memo->cycles[c] += issued.cycles[c];
            memo->total += issued.cycles[c];
        }
    }
    memo->after = pipes_number(&m->pipes, &pipe);
}

void block_tally(struct model *m, const struct block *b, const struct memo *memo) {
    struct pipe pipe = m->pipes.pipe[memo->before];
    for (uint32_t k = 0; k < b->insns; k++) {
        const struct issued issued = issue(m, b, k, memo->same_bank, &pipe);
        struct tally *const t = profile_at(&m->profile, b->insn[k].address);
        if (t == NULL) continue;
        t->executed++;
        for (unsigned c = 0; c < MT_CAUSES; c++) t->cause[c] += issued.cycles[c];
    }
}

struct memo *block_memo(struct model *m, struct block *b) {
    for (unsigned i = 0; i < MEMOS; i++)
        if (b->memo[i].before == m->state && b->memo[i].same_bank == b->same_bank &&
            b->memo[i].generation == m->pipes.generation)
            return &b->memo[i];
    m->state = pipes_make_room(&m->pipes, m->state);
    struct memo *const memo = &b->memo[b->next_memo++ % MEMOS];
    work_out(m, b, memo);
    return memo;
}

/* What loads side by side cost may depend on where both go. */
static bool beside_load(const struct block *b, uint32_t k) {
    return k == 0u || k + 1u == b->insns || loads(&b->insn[k - 1u]) || loads(&b->insn[k + 1u]);
}

bool block_watches(const struct model *m, const struct block *b, uint32_t k) {
    const struct insn *const i = &b->insn[k];
    if (!insn_accesses_memory(i)) return false;
    for (unsigned r = 0; r < m->memory.regions; r++)
        if (!m->memory.region[r].plain || m->memory.region[r].shared_bus != 0u) return true;
    const bool may_be_unaligned = i->bytes > 1u && (i->kind == INSN_LOAD || i->kind == INSN_STORE || i->kind >= INSN_MVE_ALU);
    const bool place_matters = m->core->bank_bits != 0u ? loads(i) : m->core->chain_cycles != 0u && i->kind == INSN_LOAD;
    return may_be_unaligned || (place_matters && beside_load(b, k));
}

/*
 * The machine in time: a core, its memories and the counters. QEMU tells which blocks are entered and which data they
 * access; a block is charged when the next one is entered, for only then is it known what it did and where it led.
 * Must stay true: what is charged for a run of instructions does not depend on how QEMU cuts it into blocks.
 */
#ifndef MICROTUNE_TIMING_MODEL_H
#define MICROTUNE_TIMING_MODEL_H

#include "core.h"
#include "memory.h"
#include "pipes.h"
#include "profile.h"

#define MEMOS 8u
#define MAX_ACCESSES 32768u

/*
 * What a block costs on memory without wait states, from one state of the pipe and with the same loads beside loads going to
 * one bank. States are numbers of pipes.h.
 */
struct memo {
    uint32_t generation; /* of the numbers; 0: an empty memo */
    uint32_t before, after;
    uint64_t same_bank;
    uint32_t cycles[MT_CAUSES], total;
    uint32_t *at; /* when each instruction issues, from the block's begin; bit 31: chained to the load before */
    /* The way that its last instruction took last time: where to, at what cost, into which state. */
    uint64_t way;
    uint32_t way_cycles, way_after;
};
#define AT_CHAINED 0x80000000u

/* Where instructions come from another unit of memory than the instruction before. */
struct crossing {
    uint32_t insn, address;
};

/* One of its instructions, told to QEMU, which hands it back with each access. */
struct accessor {
    struct block *block;
    struct region *region; /* that it accessed last */
    uint32_t insn;
    uint32_t misaligned; /* bits of an address that are 0 where it is aligned */
    bool after_load;     /* may be chained to a load before */
    uint64_t bank_bit;   /* of block.same_bank; 0 where no load is before */
};

/* A run of instructions that QEMU executes in one go, up to the next marker. */
struct block {
    struct block *next; /* in the list of all */
    struct insn *insn;
    struct accessor *accessor; /* as many */
    uint32_t insns;
    uint32_t end; /* address behind it */
    struct region *region; /* that its code lies in; NULL: none of the configuration */
    struct crossing *crossing;
    uint32_t crossings;
    /*
     * While the instruction cache has this version it holds the whole block, in these lines, and what would be read ahead,
     * but for at most one unit, which the prefetch buffer must have then.
     */
    uint64_t cached_version;
    struct cache_line **line;
    uint32_t lines;
    uint32_t ahead;
    bool needs_ahead;
    uint64_t same_bank; /* in this run: the loads that went to the bank of the access before, by accessor.bank_bit */
    uint32_t banked;    /* such bits */
    uint32_t unknown, unknown_code;
    uint32_t next_memo;
    struct memo memo[MEMOS];
};

struct access {
    uint32_t insn, address;
    uint8_t bytes;
    bool write, elsewhere; /* not in the memory that the access before went to */
    struct region *region;
};

struct model {
    const struct core *core;
    struct memory memory;
    struct mt_mailbox counts;
    struct profile profile;
    bool running;
    uint64_t now;
    struct pipes pipes;
    uint32_t state; /* of the pipe, before the pending block */
    void *history;
    struct block *pending;    /* entered, not yet charged */
    struct region *last_data; /* where the access before went */
    uint32_t last_address;    /* for cores with banks */
    uint32_t accesses;
    struct access access[MAX_ACCESSES];
};

/* An empty block with room for `capacity` instructions; the owner adds them, then calls block_prepare(). */
struct block *block_new(uint32_t capacity);
void block_add(struct block *b, struct insn i);
/* Works out what follows from the instructions. */
void block_prepare(struct model *m, struct block *b);
void block_free(struct block *b);
/* What it costs from the current state of the pipe. */
struct memo *block_memo(struct model *m, struct block *b);
/* Tallies one run of it on memory without wait states. */
void block_tally(struct model *m, const struct block *b, const struct memo *memo);
/* Can the accesses of its instruction `k` cost anything in this configuration? */
bool block_watches(const struct model *m, const struct block *b, uint32_t k);

/* The markers. */
void model_settle(struct model *m);
void model_begin(struct model *m);
void model_end(struct model *m, const struct insn *marker);
/* The counters as they stand; within BEGIN..END without the block that runs. */
const struct mt_mailbox *model_counts(struct model *m);
/* A block is entered. */
void model_enter(struct model *m, struct block *b);
/* Keeps an access for when its block is charged, if model_needs() below says so. */
void model_keep(struct model *m, struct accessor *a, uint32_t address, uint32_t bytes, bool write);

static inline bool region_holds(const struct region *r, uint32_t address) { return address - r->base < r->bytes; }

/* For cores with banks: does this load go to the same as the access before? */
static inline void model_compare_banks(struct model *m, const struct accessor *a, uint32_t address) {
    if (((address ^ m->last_address) & m->core->bank_bits) == 0u) a->block->same_bank |= a->bank_bit;
    m->last_address = address;
}

/*
 * A data access of the block that was entered last: must it be kept? Nearly all are aligned, to memory that never waits: of
 * those only one that may be chained to a load of other memory must.
 */
static inline bool model_needs(struct model *m, struct accessor *a, uint32_t address) {
    struct region *const r = a->region;
    if (!m->running || a->block != m->pending) return false;
    if (m->core->bank_bits != 0u) model_compare_banks(m, a, address);
    if (r == NULL || !region_holds(r, address) || !r->plain || (address & a->misaligned) != 0u) return true;
    if (a->block->region != NULL && a->block->region->shared_bus != 0u) return true;
    const bool elsewhere = r != m->last_data;
    if (elsewhere && !a->after_load) m->last_data = r;
    return elsewhere && a->after_load;
}

#endif

/*
 * The machine in time: a core, its memories and the counters. QEMU tells which blocks are entered and which data they
 * access; a block is charged when the next one is entered, for only then is it known what it did and where it led.
 * Must stay true: what is charged for a run of instructions does not depend on how QEMU cuts it into blocks.
 */
#ifndef MICROTUNE_TIMING_MODEL_H
#define MICROTUNE_TIMING_MODEL_H

#include "core.h"
#include "memory.h"

#define MEMOS 4u
#define MAX_ACCESSES 32768u

/* What a block costs on memory without wait states, from one state of the pipe. */
struct memo {
    bool valid;
    struct pipe before, after;
    uint32_t cycles[MT_CAUSES], total;
    uint32_t *at; /* when each instruction issues, from the block's begin; bit 31: chained to the load before */
};
#define AT_CHAINED 0x80000000u

/* Where instructions come from another unit of memory than the instruction before. */
struct crossing {
    uint32_t insn, address;
};

/* One of its instructions, told to QEMU, which hands it back with each access. */
struct accessor {
    struct block *block;
    uint32_t insn;
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
    bool running;
    uint64_t now;
    struct pipe pipe;
    void *history;
    struct block *pending; /* entered, not yet charged */
    struct region *last_data;
    uint32_t accesses;
    struct access access[MAX_ACCESSES];
};

/* An empty block with room for `capacity` instructions; the owner adds them, then calls block_prepare(). */
struct block *block_new(uint32_t capacity);
void block_add(struct block *b, struct insn i);
/* Works out what follows from the instructions. */
void block_prepare(struct model *m, struct block *b);
void block_free(struct block *b);

/* The markers. */
void model_settle(struct model *m);
void model_begin(struct model *m);
void model_end(struct model *m, const struct insn *marker);
/* The counters as they stand; within BEGIN..END without the block that runs. */
const struct mt_mailbox *model_counts(struct model *m);
/* A block is entered. */
void model_enter(struct model *m, struct block *b);
/* Keeps an access for when its block is charged; model_access() below decides whether it needs to be kept. */
void model_keep(struct model *m, uint32_t insn, uint32_t address, uint32_t bytes, bool write);

/* A data access of the block that was entered last. Most touch fast memory, aligned, again the same: nothing to keep. */
static inline void model_access(struct model *m, const struct accessor *a, uint32_t address, uint32_t bytes, bool write) {
    const struct region *const last = m->last_data;
    const struct block *const b = a->block;
    if (!m->running || b != m->pending) return;
    if (last != NULL && last->plain && address - last->base < last->bytes && (address & (bytes - 1u)) == 0u &&
        (b->region == NULL || b->region->shared_bus == 0u))
        return;
    model_keep(m, a->insn, address, bytes, write);
}

#endif

/*
 * What a core model is: pure rules over the instructions that come by. A file a core, readable beside its manual.
 * Must stay true:
 * - issue() depends on the pipe and the instruction alone, and tells all that later instructions need to know in the pipe.
 *   The pipe holds no absolute times, so that equal situations look equal: results are remembered by pipe and block.
 * - Cutting straight-line code into blocks anywhere changes nothing.
 * - A cycle is charged to one cause. MT_CAUSE_ISSUE is what the instruction needs by itself; waiting is something else.
 */
#ifndef MICROTUNE_TIMING_CORE_H
#define MICROTUNE_TIMING_CORE_H

#include <stddef.h>

#include "decode.h"
#include "mailbox.h"

/* What a core keeps between two instructions. All zero: an empty pipeline. A core lays a struct of its own over it. */
struct pipe {
    uint64_t word[8];
};

struct issued {
    uint16_t cycles[MT_CAUSES];
    /* This load saved a cycle by following a load; it may only where both go to the same memory. */
    uint16_t chained;
};

struct core {
    const char *name; /* as in board.json */
    /* Bytes of one data transfer: a wider or unaligned access takes several. */
    uint32_t bus_bytes;
    /* Cycles that `chained` saved and that are lost where the load before went to another memory. */
    uint32_t chain_cycles;
    /* Where memory has banks that a load beside a load asks for: the bits of the address that tell them apart. issue() finds
       INSN_SAME_BANK in the flags where they are equal. */
    uint32_t bank_bits;
    /* Bytes that predict() keeps in `history`: predictors, branch target caches. Zeroed by SETTLE, survives calls. */
    size_t history_bytes;
    /* False for instructions that the core does not have: counted as unknown. NULL: all that decode() knows. */
    int (*has)(const struct insn *i);
    /* Issues one instruction, on memory without wait states. */
    struct issued (*issue)(struct pipe *pipe, const struct insn *i);
    /*
     * Called after issue() for each instruction that can change the flow, taken or not; `target` is the instruction that is
     * executed next. predict() says how the branch's past was of use: a number below 256 that only branch() understands.
     * NULL: the core has no memory of branches; then it is 0.
     */
    uint32_t (*predict)(void *history, const struct insn *i, int taken, const struct insn *target);
    /*
     * Answers the cycles until the target can issue. It may ask the target's address and size, by which the answer is
     * remembered.
     */
    uint32_t (*branch)(struct pipe *pipe, uint32_t predicted, const struct insn *i, int taken, const struct insn *target);
    /* Cycles that an access takes beyond those of an aligned one at the same place. */
    uint32_t (*unaligned)(const struct insn *i, uint32_t address, uint32_t bytes);
};

/* Can this instruction be followed by another than the next one? */
static inline int insn_may_branch(const struct insn *i) {
    const int loops_back = i->kind == INSN_LOOP && (i->flags & INSN_CONDITIONAL) != 0u; /* not DLS */
    return (i->kind >= INSN_BRANCH && i->kind < INSN_LOOP) || loops_back || (i->flags & INSN_WRITES_PC) != 0u;
}

extern const struct core core_cortex_m0plus;
extern const struct core core_cortex_m3;
extern const struct core core_cortex_m4;
extern const struct core core_cortex_m7;
extern const struct core core_cortex_m33;
extern const struct core core_cortex_m55;

/* The core of this name; NULL where there is none. */
const struct core *core_find(const char *name);

#endif

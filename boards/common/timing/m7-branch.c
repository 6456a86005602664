/*
 * Prediction of branches of the Cortex-M7. See m7.h for the sources.
 * [T] names a branch target address cache and static prediction for what is not in it, not their sizes and rules. Taken here:
 * 64 entries in sets of four, a counter of two bits each; backward is predicted taken, forward not. What matters for a kernel
 * follows from any such predictor: a loop's branch is right in the middle of the loop and wrong at its end [J].
 */
#include "m7.h"

#include <string.h>

/* A conditional branch to somewhere before itself; CBZ only goes forward. */
static int backward(const struct insn *i) {
    if (i->size == 4u) return bits(i, 26, 26) != 0u;
    return bits(i, 15, 12) == 13u && bits(i, 7, 7) != 0u;
}
static int direct(const struct insn *i) { return i->kind == INSN_BRANCH || i->kind == INSN_CALL; }

static int statically(const struct insn *i, int taken) {
    if ((i->flags & INSN_CONDITIONAL) == 0u) return direct(i); /* an address in a register comes as a surprise */
    return backward(i) == taken;
}

static struct m7_target *find(struct m7_history *h, uint32_t address) {
    struct m7_target *const set = h->set[address / 2u % M7_TARGET_SETS];
    for (unsigned way = 0; way < M7_TARGET_WAYS; way++)
        if (set[way].target != 0u && set[way].address == address) return &set[way];
    return NULL;
}
static void allocate(struct m7_history *h, uint32_t address, uint32_t target) {
    struct m7_target *const set = h->set[address / 2u % M7_TARGET_SETS];
    memmove(set + 1, set, (M7_TARGET_WAYS - 1u) * sizeof set[0]);
    set[0] = (struct m7_target){address, target, 2u};
}

uint32_t m7_predict(void *history, const struct insn *i, int taken, const struct insn *target) {
    struct m7_history *const h = history;
    struct m7_target *const e = find(h, i->address);
    if (e == NULL) {
        if (taken) allocate(h, i->address, target->address);
        return statically(i, taken) ? 1u : 0u;
    }
    const int same = e->target == target->address;
    const int right = taken ? e->taken >= 2u && same : e->taken < 2u;
    if (taken && !same) *e = (struct m7_target){i->address, target->address, 2u};
    else if (taken && e->taken < 3u) e->taken++;
    else if (!taken && e->taken > 0u) e->taken--;
    return right ? 1u : 0u;
}

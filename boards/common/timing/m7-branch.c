/*
 * Prediction of branches of the Cortex-M7. See m7.h for the sources.
 * [T] names a branch target address cache and static prediction for what is not in it, not their sizes and rules. Taken here:
 * 64 entries by address, a counter of two bits each; backward is predicted taken, forward not. What matters for a kernel
 * follows from any such predictor: a loop's branch is right in the middle of the loop and wrong at its end [J].
 */
#include "m7.h"

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

int m7_predicted(struct m7_history *h, const struct insn *i, int taken, uint32_t target) {
    struct m7_target *const e = &h->entry[i->address / 2u % 64u];
    const int known = e->target != 0u && e->address == i->address;
    const int right = !known ? statically(i, taken) : taken ? e->taken >= 2u && e->target == target : e->taken < 2u;
    if (!known && !taken) return right;
    if (!known || (taken && e->target != target)) *e = (struct m7_target){i->address, target, 2u};
    else if (taken && e->taken < 3u) e->taken++;
    else if (!taken && e->taken > 0u) e->taken--;
    return right;
}

/* See three-stages.h, for the sources [T], [G], [P] and [B], too. */
#include "three-stages.h"

#include <string.h>

enum before { BEFORE_OTHER, BEFORE_LOAD, BEFORE_STORE, BEFORE_STORE_REGISTER };
/* What the next instruction must know of the ones before. */
struct state {
    uint32_t fp_computed; /* FP registers that the instruction just before computed */
    uint16_t computed;    /* core registers that it computed, not loaded */
    uint16_t loaded;      /* registers that it loaded */
    uint16_t indexed;     /* the base register that it wrote back */
    uint8_t before;       /* enum before */
    uint8_t fp_busy;      /* cycles that the divider is still at work */
};
_Static_assert(sizeof(struct state) <= sizeof(struct pipe), "state fits");

static int is_fp(const struct insn *i) { return i->kind >= INSN_FP_MOVE && i->kind <= INSN_FP_STORE_MULTIPLE; }
static int fp_arithmetic(const struct insn *i) { return i->kind >= INSN_FP_ADD && i->kind <= INSN_FP_CONVERT; }

/*
 * [T] "Any load or store that generates an address dependent on the result of a preceding data processing operation
 * stalls the pipeline for an additional cycle." A loaded address only ends a chain of loads ([P] says that it is needed a
 * cycle earlier, too, without naming loads as producers; [T] names data processing alone).
 */
static uint16_t address_stall(const struct state *s, const struct insn *i) {
    return (i->address_registers & s->computed) != 0u ? 1u : 0u;
}

/*
 * [T] "LDR are pipelined when possible": a load or store after a load saves a cycle unless the load made its address.
 * [P] A 32-bit load at an odd halfword does not ("may fail"; taken as always). Nor do two indexed ones on one base.
 */
static int follows_load(const struct three_stages *rules, const struct state *s, const struct insn *i) {
    if (s->before != BEFORE_LOAD || (i->address_registers & s->loaded) != 0u) return 0;
    if (i->kind == INSN_STORE) return 1;
    if (i->size == 4u && (i->address & 2u) != 0u) return 0;
    if ((i->flags & INSN_WRITEBACK) != 0u && !rules->indexed_loads_chain) return 0;
    return (i->address_registers & s->indexed) == 0u;
}

/* [P] A store's data leave a cycle later: a load right behind waits. [T] So does what follows an indexed store on its base. */
static uint16_t store_stall(const struct state *s, const struct insn *i) {
    const int store = i->kind == INSN_STORE;
    if (s->before != BEFORE_STORE) return 0;
    return !store || (i->address_registers & s->indexed) != 0u ? 1u : 0u;
}

static void load(const struct three_stages *rules, struct state *s, const struct insn *i, struct issued *out) {
    const int chained = follows_load(rules, s, i);
    out->cycles[MT_CAUSE_ISSUE] = 1u;
    out->cycles[MT_CAUSE_PIPELINE] = (uint16_t)((chained ? 0u : 1u) + address_stall(s, i) + store_stall(s, i));
    out->chained = (uint16_t)chained;
    s->before = BEFORE_LOAD;
}

/*
 * [T] STR with an immediate is always one cycle. With a register offset it is two, one of which a load before hides:
 * "LDR R0,[R1,R2]; STR R1,[R3,R2]: three in total". ([P] measured LDR; STR with an immediate as two in total; [T] says three.)
 */
static void store(const struct three_stages *rules, struct state *s, const struct insn *i, struct issued *out) {
    const int by_register = (i->flags & INSN_REGISTER_OFFSET) != 0u, indexed = (i->flags & INSN_WRITEBACK) != 0u;
    uint16_t waits = (uint16_t)(address_stall(s, i) + store_stall(s, i));
    if (by_register && !follows_load(rules, s, i)) waits++;
    if (indexed && s->before == BEFORE_LOAD && !rules->indexed_store_after_load) waits++;
    out->cycles[MT_CAUSE_ISSUE] = 1u;
    out->cycles[MT_CAUSE_PIPELINE] = waits;
    s->before = by_register ? BEFORE_STORE_REGISTER : BEFORE_STORE;
}

/* [T] 1 + N, pipelined with nothing around. FP: VLDR 2 or 3, VLDM 1 + N, the same. */
static void several(struct state *s, const struct insn *i, struct issued *out) {
    out->cycles[MT_CAUSE_ISSUE] = (uint16_t)(1u + i->count);
    out->cycles[MT_CAUSE_PIPELINE] = (uint16_t)(address_stall(s, i) + store_stall(s, i) + (is_fp(i) ? s->fp_busy : 0u));
    s->before = BEFORE_OTHER;
}

/* [T] 7.2.3: a result that the next instruction uses costs one more; integer work goes on beside VDIV and VSQRT. */
static void floating_point(const struct three_stages *rules, struct state *s, const struct insn *i, struct issued *out) {
    const int divides = i->kind == INSN_FP_DIV || i->kind == INSN_FP_SQRT;
    out->cycles[MT_CAUSE_ISSUE] = divides ? 1u : rules->cycles[i->kind];
    if (i->kind == INSN_FP_TRANSFER) out->cycles[MT_CAUSE_ISSUE] = i->count;
    out->cycles[MT_CAUSE_PIPELINE] = (uint16_t)(s->fp_busy + ((i->fp_reads & s->fp_computed) != 0u ? 1u : 0u));
    s->before = BEFORE_OTHER;
}

static void other(const struct three_stages *rules, struct state *s, const struct insn *i, struct issued *out) {
    /* [P] A load or a store with register offset hides a NOP that follows. */
    const int hidden = i->kind == INSN_NOP && (s->before == BEFORE_LOAD || s->before == BEFORE_STORE_REGISTER);
    out->cycles[MT_CAUSE_ISSUE] = hidden ? 0u : rules->cycles[i->kind];
    s->before = BEFORE_OTHER;
}

/* What this instruction leaves behind for the next. */
static void remember(const struct three_stages *rules, struct state *s, const struct insn *i, const struct issued *out) {
    const int memory = insn_accesses_memory(i), divides = i->kind == INSN_FP_DIV || i->kind == INSN_FP_SQRT;
    const uint32_t base = (i->flags & INSN_WRITEBACK) != 0u ? BIT(i->base) : 0u;
    const uint32_t passed = (uint32_t)out->cycles[MT_CAUSE_ISSUE] + out->cycles[MT_CAUSE_PIPELINE];
    s->fp_busy = (uint8_t)(divides ? rules->cycles[i->kind] - 1u : s->fp_busy > passed ? s->fp_busy - passed : 0u);
    s->computed = (uint16_t)(memory ? 0u : i->writes);
    s->loaded = (uint16_t)(memory ? i->writes & ~base : 0u);
    s->indexed = (uint16_t)base;
    s->fp_computed = fp_arithmetic(i) ? i->fp_writes : 0u;
}

struct issued three_stages_issue(const struct three_stages *rules, struct pipe *pipe, const struct insn *i) {
    struct issued out = {{0}, 0};
    struct state s;
    memcpy(&s, pipe, sizeof s);
    if (is_fp(i) && !insn_accesses_memory(i)) {
        floating_point(rules, &s, i, &out);
    } else if (i->kind == INSN_LOAD) {
        load(rules, &s, i, &out);
    } else if (i->kind == INSN_STORE) {
        store(rules, &s, i, &out);
    } else if (i->kind == INSN_TABLE_BRANCH) {
        out.cycles[MT_CAUSE_ISSUE] = rules->cycles[i->kind];
        out.cycles[MT_CAUSE_PIPELINE] = address_stall(&s, i);
        s.before = BEFORE_OTHER;
    } else if (insn_accesses_memory(i)) {
        several(&s, i, &out);
    } else {
        other(rules, &s, i, &out);
    }
    remember(rules, &s, i, &out);
    memcpy(pipe, &s, sizeof s);
    return out;
}

/*
 * The refill P, 1 to 3 cycles [T]. 1 where the target's address is on the bus while the branch is decoded: branches
 * relative to PC, taken or speculated, and BX LR [G]. 3 where it must be computed or loaded first [T, "LDR PC: … three
 * cycles for the pipeline reload"]. One more where the target is 32 bits at an odd halfword: it needs two fetches
 * [T: P depends on "the alignment and width of the target instruction"].
 */
uint32_t three_stages_branch(struct pipe *pipe, uint32_t predicted, const struct insn *i, int taken,
                             const struct insn *target) {
    (void)predicted;
    const int early = i->kind == INSN_BRANCH || i->kind == INSN_CALL ||
                      (i->kind == INSN_BRANCH_REG && i->reads == BIT(REG_LR) && i->writes == 0u);
    const uint32_t straddles = target->size == 4u && (target->address & 2u) != 0u ? 1u : 0u;
    if (!taken) return 0;
    struct state s;
    memcpy(&s, pipe, sizeof s);
    s.computed = s.loaded = s.indexed = 0;
    s.before = BEFORE_OTHER;
    s.fp_computed = 0;
    memcpy(pipe, &s, sizeof s);
    return early ? 1u + straddles : 3u;
}

/* [B] A word at 2: two halfwords; at 1 or 3: byte, halfword, byte. A halfword at an odd address: two bytes. */
uint32_t three_stages_unaligned(const struct insn *i, uint32_t address, uint32_t bytes) {
    (void)i;
    if (bytes == 2u) return address & 1u;
    if (bytes < 4u || (address & 3u) == 0u) return 0;
    return (address & 1u) != 0u ? 2u : 1u;
}

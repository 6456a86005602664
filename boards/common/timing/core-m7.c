/*
 * Cortex-M7: two instructions a cycle, in order. An instruction issues as the older or the younger of its cycle; early
 * operands (addresses, shifters) are needed one cycle before those of the ALU, added and stored values later.
 * Sources [J], [L], [Q] and [T]: see m7.h.
 */
#include "m7.h"
#include "operand2.h"
#include "scoreboard.h"

#include <string.h>

/*
 * Numbers of the scoreboard: the cycle in which the ALU can have the value, plus 1. So it is n cycles to the early stage
 * (address, shifter), n - 1 to the ALU, n - 2 to what a multiplication adds, n - 3 to a store's data [L: EX1 … EX4].
 */
enum stage { EARLY = 0, ALU = 1, ADDEND = 2, STORED = 3 };
enum {
    FROM_EARLY_ALU = 1, /* [J] forwarded to the ALU in the same cycle, to the early stage in the next */
    FROM_ALU = 2,
    /* [J] multiplications, [L] saturation: one more. [J] loads, but for the fast way of words (core_wait); so an address 3 [Q] */
    FROM_SLOW = 3,
    FROM_FP = 4,    /* [J, L] VADD, VMUL, VMOV, VCVT: 3 */
    FROM_FUSED = 6, /* [J] VFMA 5, VMLA 6, to all but additions */
    FROM_FP_MAC = 7,
};

#define ANY_INTEGER (BIT(PLAIN) | BIT(SHIFT) | BIT(SHIFTED) | BIT(MULTIPLY) | BIT(LOAD) | BIT(STORE) | BIT(BRANCH))
#define ANY_FP (BIT(FP) | BIT(FP_MAC) | BIT(FP_MOVE) | BIT(FP_LOAD) | BIT(FP_STORE))
#define ANYTHING (ANY_INTEGER | ANY_FP)
/*
 * [J] Which younger ones an older one takes along. Never BITS ("must be placed in older op"), two loads of one bank (below),
 * two stores, two multiplications, a multiplication and a store, two FP operations, an FP MAC and an FP load, store or move.
 */
static const uint16_t partners[] = {
    [ALONE] = 0,
    [PLAIN] = ANYTHING,
    [SHIFT] = ANYTHING & ~BIT(SHIFTED),
    [SHIFTED] = ANYTHING & ~BIT(SHIFTED),
    [BITS] = ANYTHING,
    [BITS_SHIFTED] = ANYTHING & ~BIT(SHIFTED),
    [MULTIPLY] = ANYTHING & ~(BIT(MULTIPLY) | BIT(STORE) | BIT(FP_STORE)),
    [LOAD] = ANYTHING,
    [STORE] = ANYTHING & ~(BIT(MULTIPLY) | BIT(STORE) | BIT(FP_STORE)),
    [BRANCH] = ANYTHING & ~BIT(BRANCH), /* not taken; the core has one branch unit [L] */
    [FP] = ANYTHING & ~(BIT(FP) | BIT(FP_MAC)),
    [FP_MAC] = ANY_INTEGER,
    [FP_MOVE] = ANYTHING & ~(BIT(FP_MAC) | BIT(FP_MOVE)),
    [FP_LOAD] = ANYTHING & ~BIT(FP_MAC),
    [FP_STORE] = ANYTHING & ~(BIT(MULTIPLY) | BIT(STORE) | BIT(FP_STORE) | BIT(FP_MAC)),
};

struct state {
    struct scoreboard regs;
    uint32_t fp_new[3];   /* FP registers written in this cycle, in the one before, and in the one before that */
    uint16_t fast;        /* core registers whose value is a loaded word: a cycle sooner at the ALU */
    uint8_t flags;        /* as in the scoreboard */
    uint8_t flags_near;   /* cycles for which the flags are still too new for a branch */
    uint8_t mac_shadow;   /* cycles in which FP MACs keep others away */
    uint8_t mla_shadow;
    uint8_t older;        /* enum unit of the instruction that a younger one may join; ALONE: none */
    uint8_t movw;         /* 1 + register that a MOVW just wrote */
    uint8_t in_it;        /* instructions of an IT block to come */
};
_Static_assert(sizeof(struct state) <= sizeof(struct pipe), "state fits");

static unsigned until(unsigned number, enum stage stage) { return less(number, (unsigned)stage); }

/* Cycles until every core register is where it is needed. `early`: those that are needed early. */
static unsigned core_wait(const struct state *s, const struct insn *i, uint32_t early) {
    const int store = i->kind == INSN_STORE || i->kind == INSN_STORE_DOUBLE || i->kind == INSN_STORE_MULTIPLE;
    const uint32_t stored = store ? i->reads & ~early : 0u, added = i->accumulator, at_alu = i->reads & ~(early | stored | added);
    /* [J] A loaded word reaches the ALU in the next cycle, but no multiplication, and nothing that also reads early. */
    const uint32_t fast = early == 0u && !m7_multiplies(i) ? at_alu & s->fast : 0u;
    const uint32_t pair = is_movt(i) && s->movw == 1u + bits(i, 11, 8) ? i->reads : 0u; /* [J] MOVW, MOVT of one register */
    unsigned wait = until(sb_core_latest(&s->regs, early), EARLY);
    wait = later_of(wait, until(sb_core_latest(&s->regs, at_alu & ~(fast | pair)), ALU));
    wait = later_of(wait, until(sb_core_latest(&s->regs, fast), ALU + 1));
    wait = later_of(wait, until(sb_core_latest(&s->regs, added), ADDEND));
    wait = later_of(wait, until(sb_core_latest(&s->regs, stored), STORED));
    if ((i->flags & INSN_READS_FLAGS) != 0u && i->kind == INSN_ALU) wait = later_of(wait, until(s->flags, ALU));
    return wait;
}

/*
 * [J] What VFMA adds to is needed 3 cycles after whatever made it, loads included; what VMLA adds to 2, and 3 after VMLA.
 * The number of the scoreboard says it for MACs, the age for the others.
 */
static unsigned addend_wait(const struct state *s, const struct insn *i, uint32_t added) {
    const int fused = i->kind == INSN_FP_FUSED;
    const unsigned ripe = fused ? 3u : 2u;
    unsigned wait = until(sb_fp_latest(&s->regs, added), fused ? STORED : STORED + 1);
    for (unsigned age = 0; age < ripe; age++)
        if ((added & s->fp_new[age]) != 0u) wait = later_of(wait, ripe - age);
    return wait;
}

static unsigned fp_wait(const struct state *s, const struct insn *i) {
    const uint32_t added = m7_fp_mac(i) && (i->flags & INSN_WIDE) == 0u ? i->fp_writes : 0u;
    const int store = i->kind == INSN_FP_STORE || i->kind == INSN_FP_STORE_MULTIPLE;
    const uint32_t others = added != 0u ? fp_factors(i) : i->fp_reads;
    unsigned wait = until(sb_fp_latest(&s->regs, others), store ? STORED : ALU);
    if (added != 0u) wait = later_of(wait, addend_wait(s, i, added));
    /* [J] For 3 cycles after a MAC no addition, constant, double or multiple access; VFMA not right behind VMLA. */
    const int kept_away = i->kind == INSN_FP_ADD || (i->kind == INSN_FP_MOVE && i->fp_reads == 0u) ||
                          i->kind == INSN_FP_LOAD_MULTIPLE || i->kind == INSN_FP_STORE_MULTIPLE ||
                          ((i->kind == INSN_FP_LOAD || i->kind == INSN_FP_STORE) && (i->flags & INSN_WIDE) != 0u);
    if (kept_away) wait = later_of(wait, s->mac_shadow);
    if (i->kind == INSN_FP_FUSED) wait = later_of(wait, s->mla_shadow);
    return wait;
}

static int may_join(const struct state *s, const struct insn *i, enum unit unit) {
    if ((partners[s->older] & BIT(unit)) == 0u) return 0;
    /* [J] Two loads go together only to different banks: even and odd words. */
    if ((s->older == LOAD || s->older == FP_LOAD) && (i->flags & INSN_SAME_BANK) != 0u) return 0;
    /* [J] In the 3 cycles after a MAC VLDR, VSTR and VMOV issue as older ones only. */
    return !(s->mac_shadow != 0u && (unit == FP_LOAD || unit == FP_STORE || unit == FP_MOVE));
}

static void pass(struct state *s, unsigned cycles) {
    for (unsigned c = 0; c < cycles && c < 3u; c++) {
        s->fp_new[2] = s->fp_new[1];
        s->fp_new[1] = s->fp_new[0];
        s->fp_new[0] = 0;
    }
    sb_pass(&s->regs, cycles);
    s->fast = (uint16_t)sb_core_waiting(&s->regs, s->fast);
    s->flags = less(s->flags, cycles);
    s->flags_near = less(s->flags_near, cycles);
    s->mac_shadow = less(s->mac_shadow, cycles);
    s->mla_shadow = less(s->mla_shadow, cycles);
}

/*
 * [J] There are an early and a late ALU: additions and moves in the older slot and shifts in either go early where their
 * operands are there, and are forwarded to the late ALU of the same cycle.
 */
static int goes_early(const struct state *s, const struct insn *i, enum unit unit, int joins, unsigned wait) {
    const int can = unit == SHIFT ? !joins || (s->older != SHIFTED && s->older != BITS_SHIFTED) : is_add_or_move(i) && !joins;
    return can && sb_core_latest(&s->regs, i->reads) <= wait && (i->reads & s->fast) == 0u;
}
static unsigned core_number(const struct insn *i, enum unit unit, int early) {
    const enum bitfield bitfield = i->kind == INSN_BITFIELD ? bitfield_of(i) : BITFIELD_EXTEND;
    if (unit == MULTIPLY || i->kind == INSN_LOAD || i->kind == INSN_LOAD_DOUBLE || i->kind == INSN_LOAD_MULTIPLE) return FROM_SLOW;
    if (bitfield == BITFIELD_SATURATE || bitfield == BITFIELD_PARALLEL_SATURATING || bitfield == BITFIELD_LONG_SHIFT)
        return FROM_SLOW;
    return early ? FROM_EARLY_ALU : FROM_ALU;
}
static unsigned fp_number(const struct insn *i) {
    if ((i->flags & INSN_WIDE) == 0u && i->kind == INSN_FP_FUSED) return FROM_FUSED;
    if ((i->flags & INSN_WIDE) == 0u && i->kind == INSN_FP_MAC) return FROM_FP_MAC;
    return i->kind == INSN_FP_LOAD || i->kind == INSN_FP_LOAD_MULTIPLE ? FROM_ALU : FROM_FP;
}

/* When this instruction's results are there. The clock stands at its cycle. */
static void remember_results(struct state *s, const struct insn *i, enum unit unit, int early) {
    const uint32_t base = (i->flags & INSN_WRITEBACK) != 0u ? BIT(i->base) : 0u;
    const uint32_t values = i->writes & ~(base | BIT(REG_PC)); /* PC: branch() */
    const int words = i->bytes == 4u && (unit == LOAD || i->kind == INSN_LOAD_DOUBLE || i->kind == INSN_LOAD_MULTIPLE);
    sb_set_core(&s->regs, values, core_number(i, unit, early));
    sb_set_core(&s->regs, base, FROM_EARLY_ALU); /* [J] "can be issued back to back every cycle" */
    s->fast = (uint16_t)((s->fast & ~i->writes) | (words ? values : 0u));
    sb_set_fp(&s->regs, i->fp_writes, fp_number(i));
    s->fp_new[0] |= i->fp_writes;
    s->movw = (uint8_t)(is_movw(i) ? 1u + bits(i, 11, 8) : 0u);
}
static void remember_flags(struct state *s, const struct insn *i) {
    if ((i->flags & INSN_WRITES_FLAGS) != 0u || (sets_flags_outside_it(i) && s->in_it == 0u)) {
        s->flags = FROM_ALU; /* [J] in the late ALU, however early the result is */
        s->flags_near = 3;   /* [J] "at least 3 cycles before branch" */
    }
    s->in_it = i->kind == INSN_IT ? (uint8_t)it_covers(i) : less(s->in_it, 1u);
}
/* What its unit is busy with for the ones behind. */
static void remember_unit(struct state *s, const struct insn *i, enum unit unit, int joins) {
    s->older = (uint8_t)(joins ? ALONE : unit);
    if (m7_fp_mac(i) && (i->flags & INSN_WIDE) == 0u) s->mac_shadow = 4; /* [J] the 3 cycles behind it */
    if (i->kind == INSN_FP_MAC) s->mla_shadow = 2;
}

static struct issued issue(struct pipe *pipe, const struct insn *i) {
    struct issued out = {{0}, 0};
    struct state s;
    memcpy(&s, pipe, sizeof s);
    const enum unit unit = m7_unit(i);
    const unsigned needs = later_of(core_wait(&s, i, m7_early_reads(i)), fp_wait(&s, i));
    const int joins = needs == 0u && may_join(&s, i, unit);
    const unsigned wait = joins ? 0u : later_of(needs, 1u), alone = m7_cycles(i) - 1u;
    const int early = i->kind == INSN_ALU && goes_early(&s, i, unit, joins, wait);
    out.cycles[MT_CAUSE_ISSUE] = (uint16_t)((joins ? 0u : 1u) + alone);
    out.cycles[MT_CAUSE_PIPELINE] = (uint16_t)(joins ? 0u : wait - 1u);
    pass(&s, wait + alone);
    remember_results(&s, i, unit, early);
    remember_flags(&s, i);
    remember_unit(&s, i, unit, joins);
    memcpy(pipe, &s, sizeof s);
    return out;
}

/*
 * [J] A branch that was predicted costs nothing but its slot, taken or not. A wrong one 8 cycles, 6 where the flags were
 * set 3 cycles before. A taken one's target issues in a new cycle ([J]: sometimes in the same, by the code's alignment).
 */
static uint32_t branch(struct pipe *pipe, uint32_t right, const struct insn *i, int taken, const struct insn *target) {
    (void)target;
    struct state s;
    memcpy(&s, pipe, sizeof s);
    const int by_flags = (i->flags & INSN_READS_FLAGS) != 0u;
    const unsigned lost = right != 0u ? 0u : by_flags && s.flags_near == 0u ? 6u : 8u;
    pass(&s, lost);
    if (taken || right == 0u) {
        s.older = ALONE;
        s.movw = 0;
    }
    memcpy(pipe, &s, sizeof s);
    return lost;
}

/* [J] An unaligned load costs 3 more; a store goes through the store buffer at no cost unless many follow each other. */
static uint32_t unaligned(const struct insn *i, uint32_t address, uint32_t bytes) {
    const int load = i->kind != INSN_STORE && i->kind != INSN_FP_STORE;
    return load && (address & (bytes - 1u)) != 0u ? 3u : 0u;
}

static int has(const struct insn *i) { return i->kind < INSN_MVE_ALU && i->kind != INSN_LOOP; }

const struct core core_cortex_m7 = {
    .name = "cortex-m7",
    .bank_bits = 4, /* [J] even and odd words */
    .bus_bytes = 8, /* [T] two DTCM interfaces of 32 bits, 64 bits to the caches */
    .history_bytes = sizeof(struct m7_history),
    .has = has,
    .issue = issue,
    .predict = m7_predict,
    .branch = branch,
    .unaligned = unaligned,
};

/*
 * Cortex-M33: one instruction a cycle, in order; some 16-bit instructions come along with the one before. Results of two
 * pipeline stages are there after two cycles; what a multiplication adds is needed a cycle later than the rest.
 * Sources, named by these letters in the comments and in the tests. Arm publishes no cycle table for this core.
 *   [J] github.com/jnk0le/random, "pipeline cycle test", cortex_m33.md: measured on RP2350 (M33 r1p0)
 *   [A] Arm KA001260: MULS takes a second cycle
 *   [M] Arm DDI 0439 (Cortex-M4 TRM), where nothing is known of the M33: division
 * Not modelled: FP instructions that issue before an operand is there [J] (the wait is charged to them, not to the FP
 * instruction behind); the few cycles that LDM costs between POP {LR} and BX LR [J]; that what an IT block skips is a NOP [J].
 */
#include "core.h"
#include "operand2.h"
#include "scoreboard.h"

#include <string.h>

/* Numbers of the scoreboard: cycles from an instruction to one that reads its result. */
enum { ONE_STAGE = 1, TWO_STAGES = 2, FUSED = 4 };
/* What stands in the first slot of this cycle, for a 16-bit instruction that may join it. */
enum first { NOTHING_TO_JOIN, NARROW, NARROW_SETS_FLAGS, NARROW_NOP };
/* How the branch just issued was. */
enum beside { BY_ITSELF, BESIDE_OTHER, BESIDE_FLAGS };

struct state {
    struct scoreboard regs;
    uint32_t fused;    /* FP registers that a multiplication-addition made */
    uint16_t added_to; /* core registers that come from an adding stage: there a cycle sooner where something is added or stored */
    uint16_t loaded;   /* from memory: sooner where a multiplication adds or a store stores */
    uint8_t flags;     /* cycles until they can be read */
    uint8_t fpu;       /* cycles in which no FP instruction can begin */
    uint8_t first;     /* enum first */
    uint8_t beside;    /* enum beside */
    uint8_t in_it;     /* instructions of an IT block to come */
};
_Static_assert(sizeof(struct state) <= sizeof(struct pipe), "state fits");

static int is_fp(const struct insn *i) { return i->kind >= INSN_FP_MOVE && i->kind <= INSN_FP_STORE_MULTIPLE; }
static int is_fp_mac(const struct insn *i) { return i->kind == INSN_FP_MAC || i->kind == INSN_FP_FUSED; }
static int multiplies(const struct insn *i) { return i->kind >= INSN_MUL && i->kind <= INSN_MUL_DSP; }
static int stores(const struct insn *i) {
    return i->kind == INSN_STORE || i->kind == INSN_STORE_DOUBLE || i->kind == INSN_STORE_MULTIPLE;
}
static int loads(const struct insn *i) {
    return i->kind == INSN_LOAD || i->kind == INSN_LOAD_DOUBLE || i->kind == INSN_LOAD_MULTIPLE;
}
static int shifts_operand(const struct insn *i) {
    if (i->kind != INSN_ALU) return 0;
    const enum operand2 o = operand2_of(i);
    return o == OPERAND2_SHIFTED_CONSTANT || o == OPERAND2_SHIFTED_REGISTER;
}
static int extends_and_adds(const struct insn *i) { return i->kind == INSN_BITFIELD && bitfield_of(i) == BITFIELD_EXTEND_ADD; }

static unsigned bitfield_number(const struct insn *i) {
    switch (bitfield_of(i)) {
    case BITFIELD_EXTEND: case BITFIELD_REVERSE: case BITFIELD_EXTRACT: case BITFIELD_INSERT: case BITFIELD_COUNT: break;
    case BITFIELD_EXTEND_ADD: case BITFIELD_EXTEND_TWO: case BITFIELD_PACK: case BITFIELD_PARALLEL:
    case BITFIELD_PARALLEL_SATURATING: case BITFIELD_LONG_SHIFT:
    case BITFIELD_SATURATE: /* [J] says nothing of SSAT; LLVM's model of the kindred M55 has 2 */
        return TWO_STAGES;
    }
    return ONE_STAGE;
}
static unsigned core_number(const struct insn *i) {
    if (multiplies(i) || shifts_operand(i) || loads(i)) return TWO_STAGES;
    if (i->kind == INSN_BITFIELD) return bitfield_number(i);
    if (i->kind == INSN_FP_TRANSFER && i->count == 1u) return TWO_STAGES; /* [J]; two at once: 1, after 2 cycles */
    return ONE_STAGE;
}
static unsigned fp_number(const struct insn *i) {
    switch (i->kind) {
    case INSN_FP_MAC: case INSN_FP_FUSED: return FUSED; /* [J] 3 where it is added to again */
    case INSN_FP_DIV: case INSN_FP_SQRT: return 14;     /* [M] Table 7-1 */
    case INSN_FP_ADD: case INSN_FP_MUL: case INSN_FP_CONVERT: return TWO_STAGES; /* [J] "every other FP compute" */
    case INSN_FP_TRANSFER: return i->count == 1u ? ONE_STAGE : TWO_STAGES;
    default: return ONE_STAGE; /* [J] VLDR, too */
    }
}

/* Cycles in which nothing else issues, the first included. */
static unsigned cycles_of(const struct state *s, const struct insn *i) {
    const int to_core = i->kind == INSN_FP_TRANSFER && i->writes != 0u;
    switch (i->kind) {
    case INSN_DIV: return 7; /* [M] 2 to 12, by the operands: the middle */
    case INSN_LOAD_DOUBLE: case INSN_STORE_DOUBLE: case INSN_LOAD_MULTIPLE: case INSN_STORE_MULTIPLE:
    case INSN_FP_LOAD: case INSN_FP_STORE: case INSN_FP_LOAD_MULTIPLE: case INSN_FP_STORE_MULTIPLE:
        return i->count == 0u ? 1u : i->count; /* [J] exactly as many as registers */
    case INSN_FP_TRANSFER: return to_core ? i->count : 1u;
    /* [J, A] Two stages and flags: MULS, and ALU instructions with a shifted constant. */
    case INSN_MUL: return sets_flags_outside_it(i) && s->in_it == 0u ? 2u : 1u;
    case INSN_ALU:
        return (i->flags & INSN_WRITES_FLAGS) != 0u && operand2_of(i) == OPERAND2_SHIFTED_CONSTANT ? 2u : 1u;
    default: return 1;
    }
}

/* Cycles until every register can be read. */
static unsigned register_wait(const struct state *s, const struct insn *i) {
    const uint32_t stored = stores(i) ? i->reads & ~(uint32_t)i->address_registers : 0u;
    const uint32_t added = extends_and_adds(i) ? BIT(bits(i, 19, 16)) : i->accumulator;
    const uint32_t from = s->added_to | (extends_and_adds(i) ? 0u : s->loaded);
    const uint32_t late = (stored | added) & from;
    const uint32_t fp_added = is_fp_mac(i) ? i->fp_writes & s->fused : 0u;
    const uint32_t fp_others = is_fp_mac(i) ? fp_factors(i) | (i->fp_writes & ~fp_added) : i->fp_reads;
    unsigned wait = sb_core_latest(&s->regs, i->reads & ~late);
    wait = later_of(wait, less(sb_core_latest(&s->regs, late), 1u));
    wait = later_of(wait, sb_fp_latest(&s->regs, fp_others));
    wait = later_of(wait, less(sb_fp_latest(&s->regs, fp_added), 1u));
    if ((i->flags & INSN_READS_FLAGS) != 0u && i->kind != INSN_IT) wait = later_of(wait, s->flags);
    return is_fp(i) ? later_of(wait, s->fpu) : wait;
}

/* [J] "only two 16 bit instructions": NOP beside an ALU instruction or an access, IT and branches beside anything. */
static int may_join(const struct state *s, const struct insn *i) {
    if (s->first == NOTHING_TO_JOIN || i->size != 2u) return 0;
    if (i->kind == INSN_NOP) return s->first != NARROW_NOP;
    return i->kind == INSN_IT || i->kind == INSN_BRANCH || i->kind == INSN_BRANCH_REG;
}

static void pass(struct state *s, unsigned cycles) {
    sb_pass(&s->regs, cycles);
    s->added_to = (uint16_t)sb_core_waiting(&s->regs, s->added_to);
    s->loaded = (uint16_t)sb_core_waiting(&s->regs, s->loaded);
    s->fused = sb_fp_waiting(&s->regs, s->fused);
    s->flags = less(s->flags, cycles);
    s->fpu = less(s->fpu, cycles);
}

static int sets_flags(const struct state *s, const struct insn *i) {
    return (i->flags & INSN_WRITES_FLAGS) != 0u || (sets_flags_outside_it(i) && s->in_it == 0u);
}

/* When this instruction's results are there. The clock stands at its last cycle, `alone` behind its first. */
static void remember_results(struct state *s, const struct insn *i, unsigned alone) {
    const uint32_t base = (i->flags & INSN_WRITEBACK) != 0u ? BIT(i->base) : 0u;
    const uint32_t values = i->writes & ~(base | BIT(REG_PC)); /* PC: branch() */
    const uint32_t last = values == 0u ? 0u : 0x80000000u >> __builtin_clz(values);
    const int adds = multiplies(i) || shifts_operand(i) || extends_and_adds(i);
    sb_set_core(&s->regs, values, loads(i) && i->count > 1u ? ONE_STAGE : later_of(less(core_number(i), alone), ONE_STAGE));
    if (loads(i)) sb_set_core(&s->regs, last, TWO_STAGES); /* of several, the others came before */
    sb_set_core(&s->regs, base, ONE_STAGE);
    sb_set_fp(&s->regs, i->fp_writes, fp_number(i));
    s->added_to = (uint16_t)((s->added_to & ~i->writes) | (adds ? values : 0u));
    s->loaded = (uint16_t)((s->loaded & ~i->writes) | (loads(i) ? values : 0u));
    s->fused = (s->fused & ~i->fp_writes) | (is_fp_mac(i) ? i->fp_writes : 0u);
}
static void remember_rest(struct state *s, const struct insn *i, int joins) {
    const int flags = sets_flags(s, i);
    s->beside = (uint8_t)(!joins ? BY_ITSELF : s->first == NARROW_SETS_FLAGS ? BESIDE_FLAGS : BESIDE_OTHER);
    if (joins || i->size != 2u || i->kind == INSN_IT) s->first = NOTHING_TO_JOIN;
    else s->first = (uint8_t)(i->kind == INSN_NOP ? NARROW_NOP : flags ? NARROW_SETS_FLAGS : NARROW);
    /* [J] Flags of an instruction with a shifted register come a cycle later than others. */
    if (flags) s->flags = shifts_operand(i) && operand2_of(i) == OPERAND2_SHIFTED_REGISTER ? 2u : 0u;
    if (is_fp_mac(i)) s->fpu = 3; /* [J] "no other in the following 2 cycles" */
    if (i->kind == INSN_FP_DIV || i->kind == INSN_FP_SQRT) s->fpu = 14;
    s->in_it = i->kind == INSN_IT ? (uint8_t)it_covers(i) : less(s->in_it, 1u);
}

static struct issued issue(struct pipe *pipe, const struct insn *i) {
    struct issued out = {{0}, 0};
    struct state s;
    memcpy(&s, pipe, sizeof s);
    const unsigned needs = register_wait(&s, i), alone = cycles_of(&s, i) - 1u;
    const int joins = needs == 0u && may_join(&s, i);
    const unsigned wait = joins ? 0u : later_of(needs, 1u);
    out.cycles[MT_CAUSE_ISSUE] = (uint16_t)((joins ? 0u : 1u) + alone);
    out.cycles[MT_CAUSE_PIPELINE] = (uint16_t)(joins ? 0u : wait - 1u);
    pass(&s, wait + alone);
    remember_results(&s, i, alone);
    remember_rest(&s, i, joins);
    memcpy(pipe, &s, sizeof s);
    return out;
}

/*
 * [J] A taken branch takes 2 cycles with its own, beside an instruction that sets the flags 2, beside another 1; one that
 * is not taken costs its slot only. POP {PC}: the address is loaded (2) before it can be fetched from; [J] has it 1 or 2
 * slower than POP {LR} and BX LR with something between.
 */
static uint32_t branch(struct pipe *pipe, uint32_t predicted, const struct insn *i, int taken, const struct insn *target) {
    (void)predicted;
    (void)target;
    if (!taken) return 0;
    struct state s;
    memcpy(&s, pipe, sizeof s);
    const int loaded = (i->flags & INSN_WRITES_PC) != 0u || i->kind == INSN_TABLE_BRANCH;
    const unsigned refill = loaded ? 3u : s.beside == BESIDE_FLAGS ? 2u : 1u;
    pass(&s, refill);
    s.first = NOTHING_TO_JOIN;
    memcpy(pipe, &s, sizeof s);
    return refill;
}

/* An unaligned access is made of two on the 32-bit bus (DDI 100230, "unaligned accesses"). */
static uint32_t unaligned(const struct insn *i, uint32_t address, uint32_t bytes) {
    (void)i;
    return bytes <= 4u && (address & (bytes - 1u)) != 0u ? 1u : 0u;
}

static int has(const struct insn *i) { return i->kind < INSN_MVE_ALU && i->kind != INSN_LOOP; }

const struct core core_cortex_m33 = {
    .name = "cortex-m33",
    .bus_bytes = 4,
    .has = has,
    .issue = issue,
    .branch = branch,
    .unaligned = unaligned,
};

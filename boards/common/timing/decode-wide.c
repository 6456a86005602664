/* The 32-bit integer and control instructions. Encodings: Arm DDI 0403 (Armv7-M ARM) A5.3, DDI 0553 for Armv8.1-M. */
#include "decode.h"

static void set(struct insn *i, enum insn_class kind, uint32_t reads, uint32_t writes) {
    i->kind = (uint8_t)kind;
    i->reads = (uint16_t)reads;
    i->writes = (uint16_t)writes;
}
static uint32_t rn(const struct insn *i) { return BIT(bits(i, 19, 16)); }
static uint32_t rd(const struct insn *i) { return BIT(bits(i, 11, 8)); }
static uint32_t rm(const struct insn *i) { return BIT(bits(i, 3, 0)); }
static uint32_t ra(const struct insn *i) { return BIT(bits(i, 15, 12)); }
static const uint32_t pc = BIT(REG_PC);

/* Data processing on a register with an immediate or a shifted register. `operand2`: the registers of the latter. */
static void data_processing(struct insn *i, uint32_t operand2) {
    enum { AND, BIC, ORR, ORN, EOR, PKH = 6, ADD = 8, ADC = 10, SBC, SUB = 13, RSB };
    const unsigned op = bits(i, 24, 21);
    const int sets = bits(i, 20, 20) != 0u;
    const int moves = (op == ORR || op == ORN) && rn(i) == pc;
    const int compares = rd(i) == pc && sets && (op == AND || op == EOR || op == ADD || op == SUB);
    set(i, op == PKH ? INSN_BITFIELD : INSN_ALU, (moves ? 0u : rn(i)) | operand2, compares ? 0u : rd(i));
    if (sets && op != PKH) i->flags |= INSN_WRITES_FLAGS;
    if (op == ADC || op == SBC) i->flags |= INSN_READS_FLAGS;
}

static void shifted_register(struct insn *i) {
    const int conditional_select = bits(i, 24, 20) == 5u && bits(i, 15, 15) != 0u; /* CSEL … of Armv8.1-M */
    data_processing(i, rm(i));
    if (conditional_select) {
        i->flags = INSN_READS_FLAGS;
        i->reads = (uint16_t)((rn(i) | rm(i)) & ~pc);
    } else if ((bits(i, 14, 12) | bits(i, 7, 4)) != 0u) {
        i->flags |= INSN_SHIFTED;
    }
}

/* ADDW, MOVW, MOVT, SSAT, bit fields. */
static void plain_immediate(struct insn *i) {
    enum { ADDW = 0, MOVW = 4, SUBW = 10, MOVT = 12, SSAT = 16, SBFX = 20, BFI = 22, USAT = 24, UBFX = 28 };
    const unsigned op = bits(i, 24, 20);
    const int inserts = op == MOVT || op == BFI;
    const int field = op >= SSAT;
    const uint32_t source = op == MOVW || op == MOVT ? 0u : rn(i) & ~(op == BFI ? pc : 0u);
    set(i, field ? INSN_BITFIELD : INSN_ALU, source | (inserts ? rd(i) : 0u), rd(i));
}

/* Bits 26..20 = 0111010 with bits 15..14 = 10: hints; CPS is 16 bits. */
static void hint(struct insn *i) {
    const unsigned n = bits(i, 7, 0);
    const int dbg = n >= 0xf0u;
    set(i, n == 0u ? INSN_NOP : INSN_SYSTEM, 0u, 0u);
    if (dbg && n >= 0xf1u && n <= 0xf4u) i->kind = INSN_MARKER;
}

static void branches_and_control(struct insn *i) {
    const unsigned op = bits(i, 26, 20), kind = bits(i, 14, 12);
    if ((kind & 5u) == 5u) {
        set(i, INSN_CALL, 0u, BIT(REG_LR));
    } else if (kind == 6u && bits(i, 11, 11) != 0u) {
        decode_vctp(i);
    } else if ((kind & 5u) == 4u) {
        set(i, INSN_LOOP, (bits(i, 15, 12) == 12u && op != 4u ? BIT(REG_LR) : rn(i)) & ~pc, BIT(REG_LR));
        if (bits(i, 13, 13) == 0u) i->flags |= INSN_CONDITIONAL; /* LE, WLS; not DLS */
    } else if ((kind & 5u) == 1u) {
        set(i, INSN_BRANCH, 0u, 0u);
    } else if ((op & 0x38u) != 0x38u) {
        set(i, INSN_BRANCH, 0u, 0u);
        i->flags |= INSN_CONDITIONAL | INSN_READS_FLAGS;
    } else if (op == 0x3au) {
        hint(i);
    } else if (op == 0x3bu) {
        set(i, INSN_BARRIER, 0u, 0u);
    } else if (op == 0x38u || op == 0x39u) {
        set(i, INSN_SYSTEM, rn(i), 0u); /* MSR */
        i->flags |= INSN_WRITES_FLAGS;
    } else if (op == 0x3eu || op == 0x3fu) {
        set(i, INSN_SYSTEM, 0u, rd(i)); /* MRS */
        i->flags |= INSN_READS_FLAGS;
    } else {
        set(i, INSN_TRAP, 0u, 0u);
    }
}

/* Shifts by register, extends, parallel arithmetic, REV, CLZ, SEL. */
static void register_operations(struct insn *i) {
    const unsigned op1 = bits(i, 23, 20), op2 = bits(i, 7, 4);
    const uint32_t first = rn(i) & ~pc; /* extends without addition have PC there */
    if (op1 < 8u && op2 == 0u) {
        set(i, INSN_ALU, rn(i) | rm(i), rd(i));
        i->flags |= (uint16_t)(INSN_SHIFTED | ((op1 & 1u) != 0u ? INSN_WRITES_FLAGS : 0));
    } else {
        set(i, INSN_BITFIELD, first | rm(i), rd(i));
    }
}

/* MUL, MLA, SMULxy, SMLAD, SMMUL, USAD8: one register comes out. */
static void multiply(struct insn *i) {
    const unsigned op1 = bits(i, 22, 20), op2 = bits(i, 5, 4);
    const uint32_t added = ra(i) & ~pc;
    const int dsp = op1 != 0u;
    set(i, dsp ? INSN_MUL_DSP : added == 0u ? INSN_MUL : INSN_MLA, rn(i) | rm(i) | added, rd(i));
    if (!dsp && op2 == 1u) i->kind = INSN_MLA; /* MLS of R15 does not exist */
    i->accumulator = (uint16_t)added;
    if (added != 0u) i->flags |= INSN_ACCUMULATES;
}

/* 64-bit products and division. */
static void long_multiply(struct insn *i) {
    enum { SMULL, SDIV, UMULL, UDIV, SMLAL, SMLSLD, UMLAL };
    const unsigned op1 = bits(i, 22, 20);
    const uint32_t pair = rd(i) | ra(i);
    if (op1 == SDIV || op1 == UDIV) {
        set(i, INSN_DIV, rn(i) | rm(i), rd(i));
    } else if (op1 == SMULL || op1 == UMULL) {
        set(i, INSN_MUL_LONG, rn(i) | rm(i), pair);
    } else {
        const int dsp = op1 == SMLSLD || (op1 == SMLAL && bits(i, 7, 4) != 0u);
        set(i, dsp ? INSN_MUL_DSP : INSN_MLA_LONG, rn(i) | rm(i) | pair, pair);
        i->accumulator = (uint16_t)pair;
        i->flags |= INSN_ACCUMULATES;
    }
}

void decode_wide(struct insn *i) {
    const unsigned op1 = bits(i, 28, 27), op2 = bits(i, 26, 20);
    if ((op2 & 0x40u) != 0u && op1 != 2u) decode_coprocessor(i);
    else if (op1 == 1u && (op2 & 0x20u) != 0u) shifted_register(i);
    else if (op1 == 1u) decode_access(i);
    else if (op1 == 2u && bits(i, 15, 15) != 0u) branches_and_control(i);
    else if (op1 == 2u && (op2 & 0x20u) == 0u) data_processing(i, 0u);
    else if (op1 == 2u) plain_immediate(i);
    else if ((op2 & 0x20u) == 0u) decode_access(i);
    else if ((op2 & 0x10u) == 0u) register_operations(i);
    else if ((op2 & 0x08u) == 0u) multiply(i);
    else long_multiply(i);
}

/* See operand2.h. Encodings: Arm DDI 0403 A5.2, A5.3; DDI 0553 for Armv8.1-M. */
#include "operand2.h"

/* i:imm3:a of a modified immediate; below 8 the eight bits are not rotated, or are repeated. */
static unsigned rotation(const struct insn *i) {
    return (bits(i, 26, 26) << 4 | bits(i, 14, 12) << 1 | bits(i, 7, 7));
}
static int wide_immediate(const struct insn *i) {
    return i->size == 4u && bits(i, 31, 27) == 0x1eu && bits(i, 25, 25) == 0u && bits(i, 15, 15) == 0u;
}
static int wide_register(const struct insn *i) { return i->size == 4u && bits(i, 31, 25) == 0x75u; }
/* ORR and ORN of no register: MOV and MVN. */
static int moves(const struct insn *i) { return bits(i, 19, 16) == 15u && (bits(i, 24, 21) | 1u) == 3u; }

enum operand2 operand2_of(const struct insn *i) {
    if (wide_immediate(i)) return rotation(i) < 8u ? OPERAND2_PLAIN : OPERAND2_SHIFTED_CONSTANT;
    if ((i->flags & INSN_SHIFTED) == 0u) return OPERAND2_PLAIN;
    if (wide_register(i) && !(moves(i) && bits(i, 24, 21) == 2u)) return OPERAND2_SHIFTED_REGISTER;
    return OPERAND2_SHIFT;
}

uint32_t operand2_shifter_reads(const struct insn *i) {
    switch (operand2_of(i)) {
    case OPERAND2_SHIFTED_REGISTER: return BIT(bits(i, 3, 0));
    case OPERAND2_SHIFT: return i->reads;
    case OPERAND2_PLAIN:
    case OPERAND2_SHIFTED_CONSTANT: break;
    }
    return 0;
}

int is_movw(const struct insn *i) { return i->size == 4u && (i->code & 0xfbf08000u) == 0xf2400000u; }
int is_movt(const struct insn *i) { return i->size == 4u && (i->code & 0xfbf08000u) == 0xf2c00000u; }

static int narrow_add_or_move(const struct insn *i) {
    const unsigned op = bits(i, 15, 11);
    const int compares = op == 5u; /* CMP with an immediate */
    if (op < 8u) return op >= 3u && !compares; /* ADD, SUB, MOV */
    if (bits(i, 15, 10) == 17u) return bits(i, 9, 8) != 1u; /* ADD, MOV of any registers */
    return bits(i, 15, 12) == 10u || bits(i, 15, 8) == 0xb0u; /* ADR, ADD SP */
}
int is_add_or_move(const struct insn *i) {
    enum { ORR = 2, ADD = 8, SUB = 13 };
    if (i->kind != INSN_ALU || operand2_of(i) != OPERAND2_PLAIN) return 0;
    if (i->size == 2u) return narrow_add_or_move(i);
    if (is_movw(i) || is_movt(i)) return 1;
    if (bits(i, 31, 27) == 0x1eu && bits(i, 25, 25) != 0u) return 1; /* ADDW, SUBW */
    const unsigned op = bits(i, 24, 21);
    return op == ADD || op == SUB || (op == ORR && moves(i));
}

static enum bitfield wide_bitfield(const struct insn *i) {
    const unsigned op1 = bits(i, 23, 20), op2 = bits(i, 7, 4);
    if (bits(i, 31, 25) == 0x75u) return (i->code & 0xfff00000u) == 0xeac00000u ? BITFIELD_PACK : BITFIELD_LONG_SHIFT;
    if (bits(i, 31, 27) == 0x1eu) {
        const unsigned op = bits(i, 24, 20);
        if (op == 20u || op == 28u) return BITFIELD_EXTRACT;
        return op == 22u ? BITFIELD_INSERT : BITFIELD_SATURATE;
    }
    if (op1 < 8u && bits(i, 19, 16) != 15u) return BITFIELD_EXTEND_ADD;
    if (op1 < 8u) return (op1 & 6u) == 2u ? BITFIELD_EXTEND_TWO : BITFIELD_EXTEND;
    if (op2 < 8u) return (op2 & 3u) == 1u ? BITFIELD_PARALLEL_SATURATING : BITFIELD_PARALLEL;
    if (op1 == 8u) return BITFIELD_PARALLEL_SATURATING; /* QADD, QDSUB */
    return op1 == 9u ? BITFIELD_REVERSE : op1 == 11u ? BITFIELD_COUNT : BITFIELD_PARALLEL;
}
enum bitfield bitfield_of(const struct insn *i) {
    if (i->size == 4u) return wide_bitfield(i);
    return bits(i, 11, 8) == 2u ? BITFIELD_EXTEND : BITFIELD_REVERSE;
}

uint32_t fp_factors(const struct insn *i) {
    return BIT(bits(i, 19, 16) << 1 | bits(i, 7, 7)) | BIT(bits(i, 3, 0) << 1 | bits(i, 5, 5));
}

/*
 * What stands in the second operand of a data-processing instruction, as far as cores care: a shifter takes time or is
 * there only once. Also what else can be read from an instruction's code alone and only some cores ask for.
 */
#ifndef MICROTUNE_TIMING_OPERAND2_H
#define MICROTUNE_TIMING_OPERAND2_H

#include "decode.h"

enum operand2 {
    OPERAND2_PLAIN,            /* a register or a constant of 8 or 12 bits, or 8 bits repeated */
    OPERAND2_SHIFTED_CONSTANT, /* 8 bits rotated to anywhere */
    OPERAND2_SHIFTED_REGISTER, /* Rm, LSL #n and the like, beside Rn */
    OPERAND2_SHIFT,            /* the instruction is a shift: LSL, LSR, ASR, ROR, RRX */
};
enum operand2 operand2_of(const struct insn *i); /* of INSN_ALU */

/* Registers that go through the shifter. */
uint32_t operand2_shifter_reads(const struct insn *i);

/* ADD, SUB, MOV, MOVW, MOVT and address arithmetic with a plain operand: no logic, no carry. */
int is_add_or_move(const struct insn *i);
int is_movw(const struct insn *i);
int is_movt(const struct insn *i);

/* 16-bit arithmetic sets the flags outside IT blocks. */
static inline int sets_flags_outside_it(const struct insn *i) {
    return i->size == 2u && i->code < 0x4400u && (i->kind == INSN_ALU || i->kind == INSN_MUL);
}
/* Instructions that an IT makes conditional. */
static inline unsigned it_covers(const struct insn *i) { return 4u - (unsigned)__builtin_ctz(i->code & 15u); }

/* What INSN_BITFIELD is, from its code. */
enum bitfield {
    BITFIELD_EXTEND,     /* SXTB, UXTH: no addition */
    BITFIELD_EXTEND_TWO, /* SXTB16, UXTB16 */
    BITFIELD_EXTEND_ADD, /* SXTAB, UXTAB16 */
    BITFIELD_REVERSE,    /* REV, REV16, REVSH, RBIT */
    BITFIELD_EXTRACT,    /* SBFX, UBFX */
    BITFIELD_INSERT,     /* BFI, BFC */
    BITFIELD_PACK,       /* PKHBT, PKHTB */
    BITFIELD_SATURATE,   /* SSAT, USAT and their 16-bit forms */
    BITFIELD_COUNT,      /* CLZ */
    BITFIELD_PARALLEL,   /* SADD16, UHSUB8, SEL */
    BITFIELD_PARALLEL_SATURATING, /* QADD, QADD16, UQSUB8 */
    BITFIELD_LONG_SHIFT, /* LSLL, ASRL, SQRSHR (Armv8.1-M) */
};
enum bitfield bitfield_of(const struct insn *i);

/* The registers that an FP multiplication-addition of singles multiplies; one of them may be what it adds to, too. */
uint32_t fp_factors(const struct insn *i);

#endif

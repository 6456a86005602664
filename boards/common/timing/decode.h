/*
 * A Thumb instruction as the timing rules see it: what kind of work it is, which registers it needs and gives, how it
 * addresses memory. Knows nothing of time or of any core.
 * Must stay true: decoding depends on the instruction's own bytes alone. Whether it stands in an IT block is not known
 * (a translation block may begin inside one), so every instruction is described as if its condition held.
 */
#ifndef MICROTUNE_TIMING_DECODE_H
#define MICROTUNE_TIMING_DECODE_H

#include <stdint.h>

enum insn_class {
    INSN_UNKNOWN,
    INSN_MARKER, /* of mailbox.h */
    /* Integer. */
    INSN_ALU,       /* moves, arithmetic, logic, shifts, compares */
    INSN_BITFIELD,  /* extends, bit fields, REV, CLZ, PKH, parallel and saturating arithmetic */
    INSN_MUL,       /* 32 × 32 -> 32 */
    INSN_MLA,       /* MLA, MLS */
    INSN_MUL_LONG,  /* SMULL, UMULL */
    INSN_MLA_LONG,  /* SMLAL, UMLAL, UMAAL */
    INSN_MUL_DSP,   /* SMULxy, SMUAD, SMMUL, USAD8 … and their accumulating forms */
    INSN_DIV,
    INSN_NOP,
    INSN_IT,
    INSN_SYSTEM,  /* MRS, MSR, CPS, hints that are not NOP */
    INSN_BARRIER, /* DMB, DSB, ISB, CLREX */
    INSN_TRAP,    /* SVC, BKPT, UDF */
    /* Memory. */
    INSN_LOAD,
    INSN_STORE,
    INSN_LOAD_DOUBLE,
    INSN_STORE_DOUBLE,
    INSN_LOAD_MULTIPLE, /* LDM, POP */
    INSN_STORE_MULTIPLE,
    INSN_PRELOAD, /* PLD, PLI */
    /* Control flow. */
    INSN_BRANCH,      /* B, conditional or not; CBZ, CBNZ */
    INSN_CALL,        /* BL */
    INSN_BRANCH_REG,  /* BX, BLX, MOV PC, ADD PC */
    INSN_TABLE_BRANCH, /* TBB, TBH */
    INSN_LOOP,        /* WLS, DLS, LE (Armv8.1-M) */
    /* Floating point; `wide` where the operands are doubles. */
    INSN_FP_MOVE,      /* between FP registers, immediate, VABS, VNEG, VSEL */
    INSN_FP_TRANSFER,  /* between core and FP registers; `count` registers */
    INSN_FP_ADD,
    INSN_FP_MUL,
    INSN_FP_MAC,   /* VMLA, VMLS, VNMLA, VNMLS */
    INSN_FP_FUSED, /* VFMA, VFMS, VFNMA, VFNMS */
    INSN_FP_DIV,
    INSN_FP_SQRT,
    INSN_FP_COMPARE,
    INSN_FP_CONVERT, /* VCVT, VRINT, VMAXNM */
    INSN_FP_STATUS,  /* VMRS, VMSR */
    INSN_FP_LOAD,
    INSN_FP_STORE,
    INSN_FP_LOAD_MULTIPLE, /* VLDM, VPOP */
    INSN_FP_STORE_MULTIPLE,
    /* Helium (MVE): see decode-mve.c. */
    INSN_MVE_ALU,      /* arithmetic, logic, plain shifts, permutations, VDUP, VIDUP */
    INSN_MVE_SHIFT,    /* saturating and rounding shifts, VADC, VSBC, products of polynomials */
    INSN_MVE_NARROW,   /* results of half the width: VMOVN, VSHRN */
    INSN_MVE_ACROSS,   /* VMAXV, VMINV, VABAV: one core register from all lanes */
    INSN_MVE_COMPARE,  /* VCMP, VPT */
    INSN_MVE_MAC,      /* products, sums of products, VADDV; also VMOV of an immediate */
    INSN_MVE_FP,       /* VADD, VSUB, VABS, VMAXNM */
    INSN_MVE_FP_MUL,   /* VMUL, VFMA, VCVT, VRINT */
    INSN_MVE_TRANSFER, /* core registers to lanes */
    INSN_MVE_EXTRACT,  /* lanes to core registers */
    INSN_MVE_LOAD,
    INSN_MVE_STORE,
    INSN_MVE_GATHER,
    INSN_MVE_SCATTER,
    INSN_MVE_PREDICATE,
    INSN_CLASSES
};

enum insn_flag {
    INSN_WRITEBACK = 1u << 0,       /* the base register is changed: pre- or post-indexed, LDM with ! */
    INSN_REGISTER_OFFSET = 1u << 1, /* [Rn, Rm] */
    INSN_CONDITIONAL = 1u << 2,     /* a branch that may fall through */
    INSN_WRITES_PC = 1u << 3,       /* a load or POP that branches */
    INSN_WRITES_FLAGS = 1u << 4,    /* always, IT block or not */
    INSN_READS_FLAGS = 1u << 5,
    INSN_SHIFTED = 1u << 6,         /* an inline shifted register operand, or a shift instruction */
    INSN_WIDE = 1u << 7,            /* doubles */
    INSN_EXCLUSIVE = 1u << 8,
    INSN_ACCUMULATES = 1u << 9,     /* a multiplication that adds; `accumulator` holds the registers */
    INSN_SAME_BANK = 1u << 10,      /* not by decode(): this load went to the bank of the access before (core.h, bank_bits) */
};

#define NO_REGISTER 0xffu
#define REG_SP 13u
#define REG_LR 14u
#define REG_PC 15u
#define BIT(n) (1u << (n))

struct insn {
    uint32_t address;
    uint32_t code; /* one halfword, or two with the first in the upper half */
    uint32_t fp_reads, fp_writes;     /* a bit for each single register; a double or vector register has two or four */
    uint16_t reads, writes;           /* core registers */
    uint16_t address_registers;       /* of `reads`: what the address is made of */
    uint16_t accumulator;             /* of `reads`: what a multiplication adds to */
    uint16_t flags;                   /* enum insn_flag */
    uint8_t kind;                     /* enum insn_class */
    uint8_t size;                     /* bytes of the instruction */
    uint8_t base;                     /* base register of an access, or NO_REGISTER */
    uint8_t count;                    /* registers moved by memory and transfer instructions */
    uint8_t bytes;                    /* of one access: 1, 2, 4, 8 */
};

/* Describes the instruction at `address`: `halfwords` has as many as `size` bytes, 2 or 4. */
struct insn decode(uint32_t address, const uint16_t *halfwords, unsigned size);

/* True where the instruction reads or writes memory. */
int insn_accesses_memory(const struct insn *i);

/* Parts of decode(): each fills in what it knows of a 32-bit instruction of its own encoding space. */
void decode_wide(struct insn *i);
void decode_coprocessor(struct insn *i);
void decode_access(struct insn *i);
void decode_mve(struct insn *i);
void decode_vctp(struct insn *i);

/* Bits hi..lo of the code. */
static inline uint32_t bits(const struct insn *i, unsigned hi, unsigned lo) {
    return (i->code >> lo) & (0xffffffffu >> (31u - (hi - lo)));
}

#endif

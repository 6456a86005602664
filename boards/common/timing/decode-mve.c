/*
 * Helium (MVE), the vector extension of Armv8.1-M. Encodings: Arm DDI 0553 (Armv8-M ARM), C2.4; the rows read as the
 * encoding diagrams there, '.' for what may be anything.
 * Must stay true: the first row that matches counts, so the special cases stand before the general one. A vector register
 * q is described as the singles 4q..4q+3.
 */
#include "decode.h"

/* What an instruction reads and gives. Q: vector, R: core register. */
enum operands {
    NOTHING,
    Q_QQ,  /* Qd from Qn, Qm */
    QQ_QQ, /* and from Qd itself */
    Q_Q,   /* Qd from Qm */
    QQ_Q,
    Q_QR,  /* Qd from Qn, Rm in bits 3..0 */
    QQ_QR,
    QQ_R,  /* Qd from itself and Rm */
    Q,     /* Qd from an immediate */
    QQ,    /* Qd from itself and an immediate */
    Q_R,   /* VIDUP …: Qd and Rn from Rn */
    VDUP,
    COMPARE_QQ,
    COMPARE_QR,
    R_Q,   /* one core register in bits 15..12 from Qm, and from itself where bit 5 says so */
    RR_Q,  /* two of them */
    R_QQ,
    RR_QQ,
    ANY_R_Q, /* the same, but any register, and always from itself */
    ANY_R_QQ,
    LANES, /* two lanes and two core registers */
};

static const struct row {
    const char *diagram;
    enum insn_class kind;
    enum operands operands;
} rows[] = {
    {"1110 1100 0000 .... ...0 1111 000. ....", INSN_MVE_EXTRACT, LANES},
    {"1110 1100 0001 .... ...0 1111 000. ....", INSN_MVE_TRANSFER, LANES},
    {"1110 1110 1.10 ...0 .... 1011 .0.1 0000", INSN_MVE_ALU, VDUP},
    /* Three vectors of one kind. */
    {"111. 1111 0... ...0 ...0 1100 .1.1 ...0", INSN_MVE_FP_MUL, QQ_QQ},  /* VFMA, VFMS */
    {"1111 1111 0... ...0 ...0 1101 .1.1 ...0", INSN_MVE_FP_MUL, Q_QQ},   /* VMUL */
    {"111. 1111 0... ...0 ...0 1101 .1.0 ...0", INSN_MVE_FP, Q_QQ},       /* VADD, VSUB, VABD */
    {"1111 1111 0... ...0 ...0 1111 .1.1 ...0", INSN_MVE_FP, Q_QQ},       /* VMAXNM, VMINNM */
    {"1110 1111 0... ...0 ...0 1001 .1.1 ...0", INSN_MVE_MAC, Q_QQ},      /* VMUL */
    {"111. 1111 0... ...0 ...0 1011 .1.0 ...0", INSN_MVE_MAC, Q_QQ},      /* VQDMULH, VQRDMULH */
    {"111. 1111 0... ...0 ...0 0100 .1.1 ...0", INSN_MVE_SHIFT, Q_QQ},    /* VQSHL */
    {"111. 1111 0... ...0 ...0 0101 .1.. ...0", INSN_MVE_SHIFT, Q_QQ},    /* VRSHL, VQRSHL */
    {"111. 1111 0... ...0 ...0 0... .1.. ...0", INSN_MVE_ALU, Q_QQ},
    {"111. 1111 0... ...0 ...0 1000 .1.0 ...0", INSN_MVE_ALU, Q_QQ},      /* VADD, VSUB */
    {"1111 1100 1.0. ...0 ...0 1000 .1.0 ...0", INSN_MVE_FP, Q_QQ},       /* VCADD */
    {"1111 1100 ..1. ...0 ...0 1000 .1.0 ...0", INSN_MVE_FP_MUL, QQ_QQ},  /* VCMLA */
    /* Immediates, before the shifts whose amount is not 0. */
    {"111. 1111 1.00 0... ...0 ...1 0111 ....", INSN_MVE_ALU, QQ},        /* VBIC; also VMOV.I64 below */
    {"111. 1111 1.00 0... ...0 0..1 0101 ....", INSN_MVE_ALU, QQ},        /* VORR */
    {"111. 1111 1.00 0... ...0 10.1 0101 ....", INSN_MVE_ALU, QQ},
    {"111. 1111 1.00 0... ...0 1110 0111 ....", INSN_MVE_MAC, Q},         /* VMOV.I64 */
    {"111. 1111 1.00 0... ...0 .... 0111 ....", INSN_MVE_ALU, Q},         /* VMVN */
    {"111. 1111 1.00 0... ...0 .... 0101 ....", INSN_MVE_MAC, Q},         /* VMOV: goes through the multiplier's pipe */
    /* Shifts by immediate. */
    {"111. 1111 1... .... ...0 0010 01.1 ...0", INSN_MVE_SHIFT, Q_Q},     /* VRSHR */
    {"111. 1111 1... .... ...0 011. 01.1 ...0", INSN_MVE_SHIFT, Q_Q},     /* VQSHL, VQSHLU */
    {"1111 1111 1... .... ...0 010. 01.1 ...0", INSN_MVE_ALU, QQ_Q},      /* VSRI, VSLI */
    {"111. 1111 1... .... ...0 0.0. 01.1 ...0", INSN_MVE_ALU, Q_Q},       /* VSHR, VSHL */
    {"111. 1111 1... .... ...0 11.. 01.1 ...0", INSN_MVE_FP_MUL, Q_Q},    /* VCVT with fixed point */
    /* One vector. */
    {"1111 1111 1.11 ..01 ...0 0111 .1.0 ...0", INSN_MVE_FP, Q_Q},        /* VABS, VNEG */
    {"1111 1111 1.11 ..10 ...0 01.. .1.0 ...0", INSN_MVE_FP_MUL, Q_Q},    /* VRINT */
    {"1111 1111 1.11 ..11 ...0 0... .1.0 ...0", INSN_MVE_FP_MUL, Q_Q},    /* VCVT */
    {"1111 1111 1.11 ..0. ...0 0... .1.0 ...0", INSN_MVE_ALU, Q_Q},
    /* What stands where the size field is 11. */
    {"1111 1110 0.11 0001 ...0 1111 0100 1101", INSN_MVE_PREDICATE, NOTHING}, /* VPST, VPNOT */
    {"1111 1110 0011 ...1 ...0 1111 .0.0 ...1", INSN_MVE_ALU, Q_QQ},      /* VPSEL */
    {"1110 1110 0.11 1111 .... 1110 0000 ...1", INSN_MVE_NARROW, QQ_Q},   /* VCVT to half */
    {"1111 1110 0.11 1111 .... 1110 0000 ...1", INSN_MVE_FP_MUL, Q_Q},    /* VCVT from half */
    {"111. 1110 0.11 1111 .... 1110 1000 ...1", INSN_MVE_FP, QQ_Q},       /* VMAXNMA, VMINNMA */
    {"111. 1110 0.11 ..01 .... 1110 0000 ...1", INSN_MVE_ALU, Q_Q},       /* VSHLL by the element's size */
    {"111. 1110 0.11 ..01 .... 1110 1000 ...1", INSN_MVE_NARROW, QQ_Q},   /* VMOVN, VQMOVUN */
    {"111. 1110 0.11 ..11 .... 1110 0000 ...1", INSN_MVE_NARROW, QQ_Q},   /* VQMOVN */
    {"1110 1110 0.11 ..11 .... 1110 1000 ...1", INSN_MVE_ALU, QQ_Q},      /* VMAXA, VMINA */
    {"111. 1110 0.11 ..01 ...1 1110 0110 ....", INSN_MVE_ALU, QQ_R},      /* VSHL by register */
    {"111. 1110 0.11 ...1 ...1 1110 .110 ....", INSN_MVE_SHIFT, QQ_R},    /* VRSHL, VQSHL, VQRSHL */
    {"111. 1110 0.11 ...1 .... 1110 .0.0 ...0", INSN_MVE_SHIFT, Q_QQ},    /* VMULL of polynomials */
    {"111. 1110 0.11 ...0 .... 1110 .0.0 ....", INSN_MVE_FP_MUL, Q_QQ},   /* VCMUL */
    {"111. 1110 0.11 ...0 .... 1111 .0.0 ...1", INSN_MVE_MAC, Q_QQ},      /* VQDMULL */
    {"111. 1110 0.11 ...0 .... 1111 .110 ....", INSN_MVE_MAC, Q_QR},
    {"111. 1110 0.11 ...0 .... 1111 .0.0 ...0", INSN_MVE_SHIFT, Q_QQ},    /* VADC, VSBC */
    {"111. 1110 0.11 ...0 .... 1111 .100 ....", INSN_MVE_FP_MUL, Q_QR},   /* VADD, VSUB with a scalar */
    {"111. 1110 0.11 ...1 .... 1110 .100 ....", INSN_MVE_FP_MUL, QQ_QR},  /* VFMA, VFMAS */
    {"111. 1110 0.11 ...1 .... 1110 .110 ....", INSN_MVE_FP_MUL, Q_QR},   /* VMUL */
    {"111. 1110 0.11 ...1 .... 1111 .1.. ....", INSN_MVE_COMPARE, COMPARE_QR},
    {"111. 1110 0.11 ...1 .... 1111 .0.. ....", INSN_MVE_COMPARE, COMPARE_QQ},
    /* Sizes 8, 16, 32. */
    {"111. 1110 0... ...0 .... 1110 .0.0 ....", INSN_MVE_MAC, QQ_QQ},     /* VQDMLADH … */
    {"111. 1110 0... ...0 .... 1110 .1.0 ....", INSN_MVE_MAC, QQ_QR},     /* VQDMLAH … */
    {"111. 1110 0... ...0 .... 1111 .0.0 ....", INSN_MVE_ALU, Q_QQ},      /* VCADD, VHCADD */
    {"111. 1110 0... ...0 .... 1111 .1.0 ....", INSN_MVE_ALU, Q_QR},      /* VHADD, VQADD … */
    {"111. 1110 0... ...1 .... 1110 .0.0 ....", INSN_MVE_MAC, Q_QQ},      /* VMULL, VMULH */
    {"111. 1110 0... ...1 .... 1110 .100 ....", INSN_MVE_MAC, QQ_QR},     /* VMLA, VMLAS */
    {"1111 1110 0... ...1 ...1 1110 .110 ....", INSN_MVE_ALU, Q_QR},      /* VBRSR */
    {"111. 1110 0... ...1 .... 1110 .110 ....", INSN_MVE_MAC, Q_QR},      /* VMUL, VQDMULH, VQRDMULH */
    {"1111 1110 0... ...1 .... 1111 .1.. ....", INSN_MVE_COMPARE, COMPARE_QR},
    {"1111 1110 0... ...1 .... 1111 .0.. ....", INSN_MVE_COMPARE, COMPARE_QQ},
    {"1110 1110 0... ...1 .... 1111 .11. ....", INSN_MVE_ALU, Q_R},       /* VIDUP, VIWDUP … */
    {"1110 1110 0... ...1 .... 1111 .100 ....", INSN_MVE_ALU, Q_QR},      /* VADD, VSUB with a scalar */
    /* Across the vector, into core registers. */
    {"111. 1110 1110 ..00 .... 1111 .0.0 ...0", INSN_MVE_ACROSS, ANY_R_Q}, /* VMINNMAV, VMAXAV, VMINAV … */
    {"111. 1110 1110 ..10 .... 1111 .0.0 ...0", INSN_MVE_ACROSS, ANY_R_Q}, /* VMAXV, VMAXNMV … */
    {"111. 1110 10.. ...0 .... 1111 .0.0 ...1", INSN_MVE_ACROSS, ANY_R_QQ}, /* VABAV */
    {"111. 1110 1111 ..01 ...0 1111 00.0 ...0", INSN_MVE_MAC, R_Q},       /* VADDV */
    {"111. 1110 1... 1001 ...0 1111 00.0 ...0", INSN_MVE_MAC, RR_Q},      /* VADDLV */
    {"111. 1110 1111 .... .... 111. .0.0 ....", INSN_MVE_MAC, R_QQ},      /* VMLADAV, VMLSDAV */
    {"111. 1110 1... .... .... 111. .0.0 ....", INSN_MVE_MAC, RR_QQ},     /* VMLALDAV, VRMLALDAVH */
    /* Widening, narrowing, and the shift through a core register. */
    {"1110 1110 101. .... ...0 1111 1100 ....", INSN_MVE_ALU, QQ_R},      /* VSHLC gives the register back, too */
    {"111. 1110 101. .... .... 1111 01.0 ...0", INSN_MVE_ALU, Q_Q},       /* VMOVL, VSHLL */
    {"111. 1110 100. .... .... 1111 .1.0 ....", INSN_MVE_NARROW, QQ_Q},   /* VSHRN … */
};

static int matches(const char *diagram, uint32_t code) {
    uint32_t bit = 0x80000000u;
    for (const char *c = diagram; *c != '\0'; c++) {
        if (*c == ' ') continue;
        if (*c != '.' && (*c == '1') != ((code & bit) != 0u)) return 0;
        bit >>= 1;
    }
    return 1;
}

static uint32_t vector(unsigned q) { return 0xfu << (4u * (q & 7u)); }
static uint32_t qd(const struct insn *i) { return vector(bits(i, 15, 13)); }
static uint32_t qn(const struct insn *i) { return vector(bits(i, 19, 17)); }
static uint32_t qm(const struct insn *i) { return vector(bits(i, 3, 1)); }
static uint16_t rm(const struct insn *i) { return (uint16_t)(BIT(bits(i, 3, 0)) & ~BIT(REG_PC)); }

static void vectors(struct insn *i, uint32_t reads, uint32_t writes) {
    i->fp_reads = reads;
    i->fp_writes = writes;
}
/* A result in core registers; `adds` where it is added to what they hold. */
static void core_result(struct insn *i, uint32_t registers, int adds, uint32_t reads) {
    vectors(i, reads, 0u);
    i->writes = (uint16_t)registers;
    if (!adds) return;
    i->reads = i->accumulator = (uint16_t)registers;
    i->flags |= INSN_ACCUMULATES;
}

static void lanes(struct insn *i) {
    const uint16_t core = (uint16_t)(BIT(bits(i, 3, 0)) | BIT(bits(i, 19, 16)));
    const int to_core = i->kind == INSN_MVE_EXTRACT;
    vectors(i, qd(i), to_core ? 0u : qd(i)); /* the other lanes stay */
    i->reads = to_core ? 0u : core;
    i->writes = to_core ? core : 0u;
    i->count = 2;
}

/* VIDUP, VDDUP: Rn even, in bits 19..17, counts on; VIWDUP has its limit in the odd register of bits 3..1. */
static void counting(struct insn *i) {
    const uint16_t counter = (uint16_t)BIT(2u * bits(i, 19, 17));
    vectors(i, 0u, qd(i));
    i->reads = i->writes = counter;
    if (bits(i, 3, 1) != 7u) i->reads |= (uint16_t)BIT(2u * bits(i, 3, 1) + 1u);
}

static void operands(struct insn *i, enum operands form) {
    const uint32_t low = BIT(2u * bits(i, 15, 13)), high = BIT(2u * bits(i, 22, 20) + 1u), any = BIT(bits(i, 15, 12));
    const int adds = bits(i, 5, 5) != 0u;
    switch (form) {
    case NOTHING: break;
    case Q_QQ: vectors(i, qn(i) | qm(i), qd(i)); break;
    case QQ_QQ: vectors(i, qn(i) | qm(i) | qd(i), qd(i)); break;
    case Q_Q: vectors(i, qm(i), qd(i)); break;
    case QQ_Q: vectors(i, qm(i) | qd(i), qd(i)); break;
    case Q_QR: vectors(i, qn(i), qd(i)); i->reads = rm(i); break;
    case QQ_QR: vectors(i, qn(i) | qd(i), qd(i)); i->reads = rm(i); break;
    case QQ_R: vectors(i, qd(i), qd(i)); i->reads = rm(i); break;
    case Q: vectors(i, 0u, qd(i)); break;
    case QQ: vectors(i, qd(i), qd(i)); break;
    case Q_R: counting(i); break;
    case VDUP: vectors(i, 0u, qn(i)); i->reads = (uint16_t)any; break;
    case COMPARE_QQ: vectors(i, qn(i) | qm(i), 0u); break;
    case COMPARE_QR: vectors(i, qn(i), 0u); i->reads = rm(i); break;
    case R_Q: core_result(i, low, adds, qm(i)); break;
    case RR_Q: core_result(i, low | high, adds, qm(i)); break;
    case R_QQ: core_result(i, low, adds, qn(i) | qm(i)); break;
    case RR_QQ: core_result(i, low | high, adds, qn(i) | qm(i)); break;
    case ANY_R_Q: core_result(i, any, 1, qm(i)); break;
    case ANY_R_QQ: core_result(i, any, 1, qn(i) | qm(i)); break;
    case LANES: lanes(i); break;
    }
}

/* VLD2x, VLD4x and their stores: a quarter or half of two or four registers at a time, 128 bits in all. */
static void interleaved(struct insn *i) {
    const unsigned first = bits(i, 15, 13), count = bits(i, 0, 0) != 0u ? 4u : 2u;
    const int load = bits(i, 20, 20) != 0u;
    uint32_t moved = 0;
    for (unsigned k = 0; k < count; k++) moved |= vector(first + k);
    vectors(i, load ? 0u : moved, load ? moved : 0u);
    i->kind = load ? INSN_MVE_LOAD : INSN_MVE_STORE;
    i->count = 4;
    i->bytes = 4;
}

/* An address for each element: from a core register and Qm, or from Qm and an immediate (then Qn's field holds it). */
static void scattered(struct insn *i) {
    const int load = bits(i, 20, 20) != 0u, vector_base = bits(i, 24, 24) != 0u;
    const uint32_t addresses = vector_base ? qn(i) : qm(i);
    const unsigned element = bits(i, 8, 7);
    vectors(i, load ? addresses : addresses | qd(i), load ? qd(i) : 0u);
    if (vector_base && bits(i, 21, 21) != 0u) i->fp_writes |= addresses;
    i->kind = load ? INSN_MVE_GATHER : INSN_MVE_SCATTER;
    i->bytes = (uint8_t)(vector_base ? (bits(i, 8, 8) != 0u ? 8u : 4u) : 1u << (bits(i, 6, 6) << 1 | bits(i, 4, 4)));
    i->count = (uint8_t)(vector_base ? 16u / i->bytes : 16u >> element);
}

/* 16 bytes in a row, or 8 or 4 that are widened. `element` in the register, `size` in memory. */
static void contiguous(struct insn *i) {
    const int load = bits(i, 20, 20) != 0u, widens = bits(i, 12, 12) == 0u;
    const unsigned element = bits(i, 8, 7), size = widens ? bits(i, 19, 19) : element;
    vectors(i, load ? 0u : qd(i), load ? qd(i) : 0u);
    i->kind = load ? INSN_MVE_LOAD : INSN_MVE_STORE;
    i->count = (uint8_t)(16u >> element);
    i->bytes = (uint8_t)(1u << size);
    i->base = (uint8_t)(widens ? bits(i, 18, 16) : bits(i, 19, 16));
}

/* Bits 27..25 = 110, coprocessor 14 or 15. */
static void memory(struct insn *i) {
    const int pre = bits(i, 24, 24) != 0u, back = bits(i, 21, 21) != 0u;
    const int many = bits(i, 28, 28) != 0u && !pre && bits(i, 12, 12) == 1u;
    i->base = (uint8_t)bits(i, 19, 16);
    if (many) interleaved(i);
    else if ((!pre && !back) || (pre && bits(i, 28, 28) != 0u && bits(i, 12, 12) != 0u)) scattered(i);
    else contiguous(i);
    if (i->kind == INSN_MVE_GATHER || i->kind == INSN_MVE_SCATTER) {
        if (pre) {
            i->base = NO_REGISTER;
            return;
        }
    } else if (back) {
        i->flags |= INSN_WRITEBACK;
        i->writes = (uint16_t)BIT(i->base);
    }
    i->reads = i->address_registers = (uint16_t)BIT(i->base);
}

void decode_mve(struct insn *i) {
    for (unsigned k = 0; k < sizeof rows / sizeof rows[0]; k++)
        if (matches(rows[k].diagram, i->code)) {
            i->kind = (uint8_t)rows[k].kind;
            operands(i, rows[k].operands);
            if (rows[k].operands == QQ_R && bits(i, 11, 8) == 15u) i->writes = i->reads; /* VSHLC */
            return;
        }
    if (bits(i, 27, 25) == 6u && bits(i, 11, 9) == 7u && bits(i, 23, 23) + bits(i, 24, 24) != 0u) memory(i);
}

/* VCTP: a predicate from a count of elements. */
void decode_vctp(struct insn *i) {
    i->kind = INSN_MVE_PREDICATE;
    i->reads = (uint16_t)BIT(bits(i, 19, 16));
}

/*
 * The floating-point extension (FPv4-SP, FPv5), single and double. Encodings: Arm DDI 0403, A6.
 * Must stay true: a double register d is described as the singles 2d and 2d+1. FPv5 of Cortex-M has 16 doubles.
 */
#include "decode.h"

static int wide(const struct insn *i) { return bits(i, 8, 8) != 0u; }
/* A register field as a set of single registers: `low` is the position of the four bits, `extra` of the fifth. */
static uint32_t fp(unsigned four, unsigned one, int doubles) {
    return doubles ? 3u << (2u * (four & 15u)) : BIT(four << 1 | one);
}
static uint32_t vd(const struct insn *i) { return fp(bits(i, 15, 12), bits(i, 22, 22), wide(i)); }
static uint32_t vn(const struct insn *i) { return fp(bits(i, 19, 16), bits(i, 7, 7), wide(i)); }
static uint32_t vm(const struct insn *i) { return fp(bits(i, 3, 0), bits(i, 5, 5), wide(i)); }

static void set(struct insn *i, enum insn_class kind, uint32_t reads, uint32_t writes) {
    i->kind = (uint8_t)kind;
    i->fp_reads = reads;
    i->fp_writes = writes;
    if (wide(i)) i->flags |= INSN_WIDE;
}

/* VLDM, VSTM, VPUSH, VPOP, VLDR, VSTR. */
static void loads_and_stores(struct insn *i) {
    const int load = bits(i, 20, 20) != 0u, single = bits(i, 24, 24) != 0u && bits(i, 21, 21) == 0u;
    const unsigned words = single ? (wide(i) ? 2u : 1u) : bits(i, 7, 0);
    const unsigned first = wide(i) ? 2u * bits(i, 15, 12) : bits(i, 15, 12) << 1 | bits(i, 22, 22);
    const uint32_t moved = (words >= 32u ? 0xffffffffu : BIT(words) - 1u) << (first & 31u);
    if (single) set(i, load ? INSN_FP_LOAD : INSN_FP_STORE, load ? 0u : moved, load ? moved : 0u);
    else set(i, load ? INSN_FP_LOAD_MULTIPLE : INSN_FP_STORE_MULTIPLE, load ? 0u : moved, load ? moved : 0u);
    i->base = (uint8_t)bits(i, 19, 16);
    i->reads = i->address_registers = (uint16_t)BIT(i->base);
    i->count = (uint8_t)words;
    i->bytes = 4;
    if (!single && bits(i, 21, 21) != 0u) {
        i->flags |= INSN_WRITEBACK;
        i->writes = (uint16_t)BIT(i->base);
    }
}

/* Two core registers and two singles or a double. */
static void transfer_two(struct insn *i) {
    const uint32_t core = BIT(bits(i, 15, 12)) | BIT(bits(i, 19, 16));
    const uint32_t vector = wide(i) ? vm(i) : vm(i) | vm(i) << 1;
    const int to_core = bits(i, 20, 20) != 0u;
    set(i, INSN_FP_TRANSFER, to_core ? vector : 0u, to_core ? 0u : vector);
    i->reads = (uint16_t)(to_core ? 0u : core);
    i->writes = (uint16_t)(to_core ? core : 0u);
    i->count = 2;
}

/* One core register and a single; VMRS and VMSR. */
static void transfer_one(struct insn *i) {
    const uint32_t core = BIT(bits(i, 15, 12));
    const int to_core = bits(i, 20, 20) != 0u;
    if (bits(i, 23, 21) == 7u) {
        set(i, INSN_FP_STATUS, 0u, 0u);
        if (to_core && core == BIT(REG_PC)) i->flags |= INSN_WRITES_FLAGS; /* VMRS APSR_nzcv */
    } else {
        set(i, INSN_FP_TRANSFER, to_core ? vn(i) : 0u, to_core ? 0u : vn(i));
        i->count = 1;
    }
    i->reads = (uint16_t)(to_core ? 0u : core);
    i->writes = (uint16_t)(to_core ? core & ~BIT(REG_PC) : 0u);
}

/* Bits 23..20 = 1x11: one operand. */
static void one_operand(struct insn *i) {
    const unsigned op = bits(i, 19, 16), form = bits(i, 7, 6);
    if ((form & 1u) == 0u) set(i, INSN_FP_MOVE, 0u, vd(i)); /* immediate */
    else if (op == 0u || (op == 1u && form == 1u)) set(i, INSN_FP_MOVE, vm(i), vd(i)); /* VMOV, VABS, VNEG */
    else if (op == 1u) set(i, INSN_FP_SQRT, vm(i), vd(i));
    else if (op == 4u) set(i, INSN_FP_COMPARE, vm(i) | vd(i), 0u);
    else if (op == 5u) set(i, INSN_FP_COMPARE, vd(i), 0u);
    else set(i, INSN_FP_CONVERT, vm(i), vd(i));
}

static void arithmetic(struct insn *i) {
    const unsigned op = bits(i, 23, 20) & 0xbu;
    const int fpv5 = bits(i, 28, 28) != 0u; /* VSEL, VMAXNM, VMINNM, VRINT, VCVTA */
    const uint32_t two = vn(i) | vm(i);
    i->flags |= fpv5 && op < 4u && bits(i, 23, 23) == 0u ? INSN_READS_FLAGS : 0u;
    if (fpv5) {
        if (bits(i, 23, 23) == 0u) set(i, INSN_FP_MOVE, two, vd(i));
        else set(i, INSN_FP_CONVERT, op == 8u ? two : vm(i), vd(i));
        return;
    }
    switch (op) {
    case 0: case 1: set(i, INSN_FP_MAC, two | vd(i), vd(i)); break;
    case 2: set(i, INSN_FP_MUL, two, vd(i)); break;
    case 3: set(i, INSN_FP_ADD, two, vd(i)); break;
    case 8: set(i, INSN_FP_DIV, two, vd(i)); break;
    case 9: case 10: set(i, INSN_FP_FUSED, two | vd(i), vd(i)); break;
    default: one_operand(i); break;
    }
    if (op < 2u || op == 9u || op == 10u) i->flags |= INSN_ACCUMULATES;
}

void decode_coprocessor(struct insn *i) {
    const unsigned op = bits(i, 25, 20), coprocessor = bits(i, 11, 8);
    const int fpv5 = bits(i, 28, 28) != 0u;
    const int vdup = op >= 0x28u && coprocessor == 11u && !fpv5 && (op & 0x9u) == 8u && bits(i, 4, 0) == 16u;
    if ((coprocessor != 10u && coprocessor != 11u) || op >= 0x30u || vdup) {
        decode_mve(i);
        return;
    }
    if (op < 0x20u && fpv5) return;
    if ((op & 0x3eu) == 4u) transfer_two(i);
    else if (op < 0x20u) loads_and_stores(i);
    else if (bits(i, 4, 4) == 0u) arithmetic(i);
    else if (!fpv5) transfer_one(i);
}

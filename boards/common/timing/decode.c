/* The 16-bit Thumb instructions, and the door to the 32-bit ones. Encodings: Arm DDI 0403 (Armv7-M ARM), A5.2. */
#include "decode.h"

static void set(struct insn *i, enum insn_class kind, uint32_t reads, uint32_t writes) {
    i->kind = (uint8_t)kind;
    i->reads = (uint16_t)reads;
    i->writes = (uint16_t)writes;
}

static void memory(struct insn *i, enum insn_class kind, unsigned base, unsigned data, unsigned bytes) {
    const uint32_t address = BIT(base);
    const int load = kind == INSN_LOAD;
    set(i, kind, load ? address : address | BIT(data), load ? BIT(data) : 0u);
    i->address_registers = (uint16_t)address;
    i->base = (uint8_t)base;
    i->count = 1;
    i->bytes = (uint8_t)bytes;
}

/* LDM, STM, PUSH, POP; `list` with bit 15 where PC is loaded. */
static void multiple(struct insn *i, enum insn_class kind, unsigned base, uint32_t list, int writeback) {
    const int load = kind == INSN_LOAD_MULTIPLE;
    set(i, kind, BIT(base) | (load ? 0u : list), (load ? list : 0u) | (writeback ? BIT(base) : 0u));
    i->address_registers = (uint16_t)BIT(base);
    i->base = (uint8_t)base;
    i->count = (uint8_t)__builtin_popcount(list);
    i->bytes = 4;
    if (writeback) i->flags |= INSN_WRITEBACK;
    if (load && (list & BIT(REG_PC)) != 0u) i->flags |= INSN_WRITES_PC;
}

/* 00xxxx: shift by immediate, add, subtract, move, compare. */
static void shift_add_move(struct insn *i) {
    const unsigned op = bits(i, 13, 11), low = bits(i, 2, 0), next = bits(i, 5, 3), third = bits(i, 8, 6);
    i->flags |= op == 5u ? INSN_WRITES_FLAGS : 0u; /* CMP also in an IT block */
    if (op < 3u) {
        set(i, INSN_ALU, BIT(next), BIT(low));
        i->flags |= INSN_SHIFTED;
    } else if (op == 3u) {
        set(i, INSN_ALU, BIT(next) | (bits(i, 10, 10) == 0u ? BIT(third) : 0u), BIT(low));
    } else {
        const uint32_t reg = BIT(bits(i, 10, 8));
        set(i, INSN_ALU, op == 4u ? 0u : reg, op == 5u ? 0u : reg);
    }
}

/* 010000: two low registers. */
static void data_processing(struct insn *i) {
    enum { LSL = 2, LSR, ASR, ADC, SBC, ROR, TST, RSB, CMP, CMN, ORR, MUL, BIC, MVN };
    const unsigned op = bits(i, 9, 6);
    const uint32_t to = BIT(bits(i, 2, 0)), from = BIT(bits(i, 5, 3));
    const int compares = op == TST || op == CMP || op == CMN;
    set(i, op == MUL ? INSN_MUL : INSN_ALU, op == RSB || op == MVN ? from : from | to, compares ? 0u : to);
    if (compares) i->flags |= INSN_WRITES_FLAGS;
    if (op == ADC || op == SBC) i->flags |= INSN_READS_FLAGS;
    if (op == LSL || op == LSR || op == ASR || op == ROR) i->flags |= INSN_SHIFTED;
}

/* 010001: any registers; BX and BLX. */
static void special(struct insn *i) {
    const unsigned op = bits(i, 9, 8);
    const uint32_t from = BIT(bits(i, 6, 3));
    const unsigned rd = bits(i, 2, 0) | bits(i, 7, 7) << 3;
    if (op == 3u) {
        set(i, INSN_BRANCH_REG, from, bits(i, 7, 7) != 0u ? BIT(REG_LR) : 0u);
    } else if (op == 1u) {
        set(i, INSN_ALU, BIT(rd) | from, 0u);
        i->flags |= INSN_WRITES_FLAGS;
    } else {
        set(i, rd == REG_PC ? INSN_BRANCH_REG : INSN_ALU, op == 0u ? from | BIT(rd) : from, BIT(rd));
    }
}

/* 0101xx: register offset. */
static void register_offset(struct insn *i) {
    static const struct {
        uint8_t kind, bytes;
    } forms[8] = {{INSN_STORE, 4}, {INSN_STORE, 2}, {INSN_STORE, 1}, {INSN_LOAD, 1},
                  {INSN_LOAD, 4},  {INSN_LOAD, 2},  {INSN_LOAD, 1},  {INSN_LOAD, 2}};
    const unsigned op = bits(i, 11, 9);
    memory(i, forms[op].kind, bits(i, 5, 3), bits(i, 2, 0), forms[op].bytes);
    i->reads |= (uint16_t)BIT(bits(i, 8, 6));
    i->address_registers |= (uint16_t)BIT(bits(i, 8, 6));
    i->flags |= INSN_REGISTER_OFFSET;
}

/* 011xxx, 1000xx, 1001xx: immediate offset; from SP. */
static void immediate_offset(struct insn *i) {
    const unsigned op = bits(i, 15, 12);
    const enum insn_class kind = bits(i, 11, 11) != 0u ? INSN_LOAD : INSN_STORE;
    if (op == 9u) memory(i, kind, REG_SP, bits(i, 10, 8), 4u);
    else memory(i, kind, bits(i, 5, 3), bits(i, 2, 0), op == 6u ? 4u : op == 7u ? 1u : 2u);
}

/* 1011 1111: IT and hints. */
static void hints(struct insn *i) {
    if (bits(i, 3, 0) != 0u) {
        set(i, INSN_IT, 0u, 0u);
        i->flags |= INSN_READS_FLAGS;
    } else {
        set(i, bits(i, 7, 4) == 0u ? INSN_NOP : INSN_SYSTEM, 0u, 0u);
    }
}

/* 1011: stack, extends, REV, CBZ, IT, hints. */
static void miscellaneous(struct insn *i) {
    const unsigned op = bits(i, 11, 8);
    const uint32_t to = BIT(bits(i, 2, 0)), from = BIT(bits(i, 5, 3));
    if (op == 0u) set(i, INSN_ALU, BIT(REG_SP), BIT(REG_SP));
    else if ((op & 5u) == 1u) {
        set(i, INSN_BRANCH, to, 0u);
        i->flags |= INSN_CONDITIONAL;
    } else if (op == 2u) set(i, INSN_BITFIELD, from, to);
    else if (op == 4u || op == 5u) multiple(i, INSN_STORE_MULTIPLE, REG_SP, bits(i, 7, 0) | bits(i, 8, 8) << REG_LR, 1);
    else if (op == 6u) set(i, INSN_SYSTEM, 0u, 0u);
    else if (op == 10u && bits(i, 7, 6) != 2u) set(i, INSN_BITFIELD, from, to);
    else if (op == 12u || op == 13u) multiple(i, INSN_LOAD_MULTIPLE, REG_SP, bits(i, 7, 0) | bits(i, 8, 8) << REG_PC, 1);
    else if (op == 14u) set(i, INSN_TRAP, 0u, 0u);
    else if (op == 15u) hints(i);
}

static void conditional_branch(struct insn *i) {
    if (bits(i, 11, 9) == 7u) {
        set(i, INSN_TRAP, 0u, 0u);
    } else {
        set(i, INSN_BRANCH, 0u, 0u);
        i->flags |= INSN_CONDITIONAL | INSN_READS_FLAGS;
    }
}

static void load_store_multiple(struct insn *i) {
    const unsigned base = bits(i, 10, 8);
    const uint32_t list = bits(i, 7, 0);
    const int load = bits(i, 11, 11) != 0u;
    multiple(i, load ? INSN_LOAD_MULTIPLE : INSN_STORE_MULTIPLE, base, list, !load || (list & BIT(base)) == 0u);
}

static void decode_narrow(struct insn *i) {
    const unsigned op = bits(i, 15, 10);
    if (op < 16u) shift_add_move(i);
    else if (op == 16u) data_processing(i);
    else if (op == 17u) special(i);
    else if (op < 20u) memory(i, INSN_LOAD, REG_PC, bits(i, 10, 8), 4u);
    else if (op < 24u) register_offset(i);
    else if (op < 40u) immediate_offset(i);
    else if (op < 44u) set(i, INSN_ALU, bits(i, 11, 11) != 0u ? BIT(REG_SP) : 0u, BIT(bits(i, 10, 8))); /* ADR, ADD SP */
    else if (op < 48u) miscellaneous(i);
    else if (op < 52u) load_store_multiple(i);
    else if (op < 56u) conditional_branch(i);
    else set(i, INSN_BRANCH, 0u, 0u);
}

struct insn decode(uint32_t address, const uint16_t *halfwords, unsigned size) {
    struct insn i = {.address = address, .size = (uint8_t)size, .base = NO_REGISTER};
    i.code = size == 2u ? halfwords[0] : (uint32_t)halfwords[0] << 16 | halfwords[1];
    if (size == 2u) decode_narrow(&i);
    else decode_wide(&i);
    return i;
}

int insn_accesses_memory(const struct insn *i) { return i->count != 0u && i->bytes != 0u; }

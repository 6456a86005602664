/* The 32-bit loads and stores of core registers, and table branches. Encodings: Arm DDI 0403, A5.3.5 to A5.3.10. */
#include "decode.h"

static uint32_t rn(const struct insn *i) { return bits(i, 19, 16); }
static uint32_t rt(const struct insn *i) { return bits(i, 15, 12); }

/* `loaded`, `stored`: register sets; `count` registers of `bytes` each. */
static void access_memory(struct insn *i, enum insn_class kind, uint32_t loaded, uint32_t stored, unsigned count,
                          unsigned bytes) {
    i->kind = (uint8_t)kind;
    i->base = (uint8_t)rn(i);
    i->address_registers = (uint16_t)BIT(rn(i));
    i->reads = (uint16_t)(BIT(rn(i)) | stored);
    i->writes = (uint16_t)loaded;
    i->count = (uint8_t)count;
    i->bytes = (uint8_t)bytes;
    if ((loaded & BIT(REG_PC)) != 0u) i->flags |= INSN_WRITES_PC;
}
static void write_back(struct insn *i) {
    i->flags |= INSN_WRITEBACK;
    i->writes |= (uint16_t)BIT(rn(i));
}

static void multiple(struct insn *i) {
    const int load = bits(i, 20, 20) != 0u;
    const uint32_t list = bits(i, 15, 0);
    const unsigned count = (unsigned)__builtin_popcount(list);
    access_memory(i, load ? INSN_LOAD_MULTIPLE : INSN_STORE_MULTIPLE, load ? list : 0u, load ? 0u : list, count, 4u);
    if (bits(i, 21, 21) != 0u) write_back(i);
}

/* LDRD, STRD: immediate offset, pre- or post-indexed. */
static void dual(struct insn *i) {
    const int load = bits(i, 20, 20) != 0u;
    const uint32_t pair = BIT(rt(i)) | BIT(bits(i, 11, 8));
    access_memory(i, load ? INSN_LOAD_DOUBLE : INSN_STORE_DOUBLE, load ? pair : 0u, load ? 0u : pair, 2u, 4u);
    if (bits(i, 21, 21) != 0u) write_back(i);
}

/* TBB, TBH, LDREX.., STREX.., and LDA, STL of Armv8-M, which cost as plain ones. */
static void exclusive_or_table(struct insn *i) {
    const unsigned op = bits(i, 7, 4);
    const int load = bits(i, 20, 20) != 0u, byte_forms = bits(i, 23, 23) != 0u;
    const unsigned bytes = !byte_forms ? 4u : 1u << (op & 3u);
    if (byte_forms && load && op < 2u) {
        access_memory(i, INSN_TABLE_BRANCH, 0u, BIT(bits(i, 3, 0)), 1u, op == 0u ? 1u : 2u);
        i->address_registers |= (uint16_t)BIT(bits(i, 3, 0));
        return;
    }
    const uint32_t moved = BIT(rt(i));
    access_memory(i, load ? INSN_LOAD : INSN_STORE, load ? moved : 0u, load ? 0u : moved, 1u, bytes > 4u ? 4u : bytes);
    i->flags |= INSN_EXCLUSIVE;
    if (!load) i->writes = (uint16_t)BIT(bits(i, 3 + (byte_forms ? 0u : 8u), byte_forms ? 0u : 8u));
}

/* Single registers. From the literal pool where the base is PC; PLD and PLI where a byte or halfword goes to PC. */
static void single(struct insn *i) {
    const int load = bits(i, 20, 20) != 0u;
    const unsigned size = bits(i, 22, 21), bytes = 1u << size;
    const int literal = rn(i) == REG_PC, long_offset = bits(i, 23, 23) != 0u;
    if (load && rt(i) == REG_PC && bytes < 4u) {
        access_memory(i, INSN_PRELOAD, 0u, 0u, 0u, 0u);
        return;
    }
    access_memory(i, load ? INSN_LOAD : INSN_STORE, load ? BIT(rt(i)) : 0u, load ? 0u : BIT(rt(i)), 1u, bytes);
    if (literal || long_offset) return;
    if (bits(i, 11, 11) == 0u) {
        i->flags |= INSN_REGISTER_OFFSET;
        if (bits(i, 5, 4) != 0u) i->flags |= INSN_SHIFTED;
        i->reads |= (uint16_t)BIT(bits(i, 3, 0));
        i->address_registers |= (uint16_t)BIT(bits(i, 3, 0));
    } else if (bits(i, 8, 8) != 0u) {
        write_back(i);
    }
}

void decode_access(struct insn *i) {
    if (bits(i, 28, 27) == 3u) {
        const int defined = bits(i, 22, 21) != 3u && (bits(i, 24, 24) == 0u || bits(i, 20, 20) != 0u);
        if (defined) single(i);
    } else if (bits(i, 22, 22) == 0u) {
        multiple(i);
    } else if (bits(i, 24, 24) != 0u || bits(i, 21, 21) != 0u) {
        dual(i);
    } else {
        exclusive_or_table(i);
    }
}

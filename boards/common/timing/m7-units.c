/* What an instruction needs of the Cortex-M7. See m7.h, for the sources [J], [L], [Q] and [T], too. */
#include "m7.h"
#include "operand2.h"

static enum unit bits_unit(const struct insn *i) {
    switch (bitfield_of(i)) {
    case BITFIELD_EXTEND: case BITFIELD_EXTEND_TWO: case BITFIELD_COUNT: case BITFIELD_PARALLEL:
    case BITFIELD_PARALLEL_SATURATING: case BITFIELD_SATURATE: return BITS;
    case BITFIELD_EXTEND_ADD: case BITFIELD_REVERSE: case BITFIELD_EXTRACT: case BITFIELD_INSERT: case BITFIELD_PACK:
    case BITFIELD_LONG_SHIFT: break;
    }
    return BITS_SHIFTED;
}
static enum unit alu_unit(const struct insn *i) {
    switch (operand2_of(i)) {
    case OPERAND2_PLAIN: break;
    case OPERAND2_SHIFT: return SHIFT;
    case OPERAND2_SHIFTED_CONSTANT: case OPERAND2_SHIFTED_REGISTER: return SHIFTED;
    }
    return PLAIN;
}

enum unit m7_unit(const struct insn *i) {
    const int wide = (i->flags & INSN_WIDE) != 0u;
    switch (i->kind) {
    case INSN_ALU: return alu_unit(i);
    case INSN_BITFIELD: return bits_unit(i);
    case INSN_NOP: case INSN_IT: return PLAIN; /* [J] they take a slot like others */
    case INSN_MUL: case INSN_MLA: case INSN_MUL_LONG: case INSN_MLA_LONG: case INSN_MUL_DSP: return MULTIPLY;
    case INSN_LOAD: return (i->flags & INSN_EXCLUSIVE) != 0u ? ALONE : LOAD;
    case INSN_PRELOAD: return LOAD;
    case INSN_STORE: return (i->flags & INSN_EXCLUSIVE) != 0u ? ALONE : STORE;
    case INSN_BRANCH: case INSN_CALL: case INSN_BRANCH_REG: return BRANCH;
    case INSN_FP_ADD: case INSN_FP_MUL: case INSN_FP_COMPARE: case INSN_FP_CONVERT: case INSN_FP_DIV: case INSN_FP_SQRT:
        return FP;
    case INSN_FP_MAC: case INSN_FP_FUSED: return FP_MAC;
    case INSN_FP_MOVE: return FP_MOVE;
    case INSN_FP_TRANSFER: return i->count == 1u ? FP_MOVE : ALONE; /* [J] two registers: with nothing */
    case INSN_FP_LOAD: return wide ? ALONE : FP_LOAD;                /* [J] VLDR, VSTR of doubles: with nothing */
    case INSN_FP_STORE: return wide ? ALONE : FP_STORE;
    default: return ALONE;
    }
}

unsigned m7_cycles(const struct insn *i) {
    const int wide = (i->flags & INSN_WIDE) != 0u;
    switch (i->kind) {
    case INSN_LOAD_MULTIPLE: case INSN_STORE_MULTIPLE: case INSN_FP_LOAD_MULTIPLE: case INSN_FP_STORE_MULTIPLE:
        return i->count < 3u ? 1u : (i->count + 1u) / 2u; /* [J] two registers a cycle */
    case INSN_TABLE_BRANCH: return 2; /* [L] */
    case INSN_DIV: return 7;          /* [L]; depends on the operands, which the model does not know */
    case INSN_FP_DIV: return wide ? 30u : 16u; /* [J, L] the pipeline waits */
    case INSN_FP_SQRT: return wide ? 30u : 14u;
    case INSN_FP_ADD: return wide ? 2u : 1u; /* [J] doubles: with operands of different exponents */
    case INSN_FP_MUL: return wide ? 5u : 1u;
    case INSN_FP_FUSED: return wide ? 7u : 1u; /* [J] each one of a chain */
    case INSN_FP_MAC: return wide ? 7u : 1u;
    default: return 1;
    }
}

uint32_t m7_early_reads(const struct insn *i) {
    if (insn_accesses_memory(i) || i->kind == INSN_PRELOAD) return i->address_registers;
    if (i->kind == INSN_ALU && operand2_of(i) == OPERAND2_SHIFTED_REGISTER) return operand2_shifter_reads(i);
    if (i->kind != INSN_BITFIELD) return 0;
    switch (bitfield_of(i)) {
    case BITFIELD_REVERSE: case BITFIELD_EXTRACT: case BITFIELD_LONG_SHIFT: case BITFIELD_SATURATE: return i->reads;
    case BITFIELD_INSERT: return i->reads & BIT(bits(i, 19, 16)); /* [J] the part that is shifted */
    case BITFIELD_EXTEND_ADD: return BIT(bits(i, 3, 0));
    case BITFIELD_PACK: return bits(i, 5, 5) != 0u ? i->reads : BIT(bits(i, 3, 0)); /* [J] PKHTB: both */
    case BITFIELD_EXTEND: case BITFIELD_EXTEND_TWO: case BITFIELD_COUNT: case BITFIELD_PARALLEL:
    case BITFIELD_PARALLEL_SATURATING: break;
    }
    return 0;
}

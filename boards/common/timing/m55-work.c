/* What an instruction needs of the Cortex-M55. See m55.h, for the sources [L], [S], [H], [D] and [M], too. */
#include "m55.h"
#include "operand2.h"

enum { BEATS = 2 };

static struct m55_work work(enum m55_pipe pipe, unsigned busy, unsigned core, unsigned fp) {
    return (struct m55_work){(uint8_t)pipe, (uint8_t)busy, 0, (uint8_t)core, (uint8_t)fp, 0};
}
static struct m55_work scalar(unsigned core) { return work(M55_NO_PIPE, 0, core, 0); }
/* The pipeline waits until it is done: what takes long, and hardly occurs. */
static struct m55_work slow(unsigned cycles) {
    struct m55_work w = work(M55_MULTIPLY, 1, 1, 1);
    w.alone = (uint8_t)(cycles - 1u);
    return w;
}
static struct m55_work several(const struct insn *i, unsigned fp) {
    struct m55_work w = work(M55_LOAD_STORE, 1, 2, fp);
    w.alone = (uint8_t)(i->count > 2u ? (i->count + 1u) / 2u - 1u : 0u); /* [S] LDRD is one access of 64 bits */
    return w;
}
static struct m55_work forwarding(struct m55_work w) {
    w.forward = 1;
    return w;
}

/* [L] Instructions of two stages, "CX". */
static unsigned bitfield_cycles(const struct insn *i) {
    switch (bitfield_of(i)) {
    case BITFIELD_EXTEND: case BITFIELD_EXTEND_TWO: case BITFIELD_REVERSE: case BITFIELD_INSERT: case BITFIELD_COUNT: break;
    case BITFIELD_EXTEND_ADD: case BITFIELD_EXTRACT: case BITFIELD_PACK: case BITFIELD_SATURATE: case BITFIELD_PARALLEL:
    case BITFIELD_PARALLEL_SATURATING: case BITFIELD_LONG_SHIFT: return 2;
    }
    return 1;
}

/* [L] VMOV and constants 1; VABS, VNEG, VSEL 2. */
static unsigned fp_move_cycles(const struct insn *i) {
    return i->fp_reads == 0u || (i->code & 0x0fbf0ed0u) == 0x0eb00a40u ? 1u : 2u;
}

static struct m55_work fp_work(const struct insn *i) {
    const int wide = (i->flags & INSN_WIDE) != 0u;
    switch (i->kind) {
    case INSN_FP_ADD: return wide ? slow(15) : work(M55_MULTIPLY, 1, 0, 2);
    case INSN_FP_MUL: return wide ? slow(21) : work(M55_MULTIPLY, 1, 0, 2);
    case INSN_FP_FUSED: return wide ? slow(24) : work(M55_MULTIPLY, 1, 0, 2);
    case INSN_FP_MAC: return wide ? slow(36) : work(M55_MULTIPLY, 1, 0, 4);
    case INSN_FP_DIV: case INSN_FP_SQRT: return slow(wide ? 30u : 16u);
    case INSN_FP_MOVE: return work(M55_MULTIPLY, 1, 0, fp_move_cycles(i));
    case INSN_FP_TRANSFER: return work(M55_MULTIPLY, 1, 1, 2);
    case INSN_FP_LOAD: return work(M55_LOAD_STORE, 1, 1, 2);
    case INSN_FP_STORE: return work(M55_LOAD_STORE, 1, 1, 0);
    case INSN_FP_LOAD_MULTIPLE: case INSN_FP_STORE_MULTIPLE: return several(i, 2);
    case INSN_FP_CONVERT: return work(M55_MULTIPLY, 1, 0, 2);
    default: return work(M55_MULTIPLY, 1, 1, 1); /* VCMP, VMRS */
    }
}

/* [L] VABAV 3; maxima across bytes 2, halfwords 3, words 4. [L] does not have those of floats: taken as the longest. */
static unsigned across_cycles(const struct insn *i) {
    if (bits(i, 0, 0) != 0u) return 3;
    return bits(i, 19, 18) == 3u ? 4u : 2u + bits(i, 19, 18);
}
/* [H] Two accesses of up to 32 bits a cycle, to different banks. */
static unsigned scattered_cycles(const struct insn *i) { return i->count > 4u ? i->count / 2u : BEATS; }

static struct m55_work vector_work(const struct insn *i) {
    switch (i->kind) {
    case INSN_MVE_ALU: return work(M55_INTEGER, BEATS, 1, 1);
    case INSN_MVE_SHIFT: return forwarding(work(M55_INTEGER, BEATS, 1, 2));
    case INSN_MVE_NARROW: return work(M55_INTEGER, BEATS, 0, 3);
    case INSN_MVE_ACROSS: return work(M55_INTEGER, BEATS, across_cycles(i), 0);
    case INSN_MVE_MAC: case INSN_MVE_FP_MUL: return forwarding(work(M55_MULTIPLY, BEATS, 2, 2));
    case INSN_MVE_FP: case INSN_MVE_COMPARE: case INSN_MVE_EXTRACT: return work(M55_MULTIPLY, BEATS, 1, 1);
    case INSN_MVE_TRANSFER: return work(M55_EITHER, BEATS, 0, 1);
    case INSN_MVE_LOAD: case INSN_MVE_STORE: return work(M55_LOAD_STORE, BEATS, 1, 1);
    case INSN_MVE_GATHER: case INSN_MVE_SCATTER: return work(M55_LOAD_STORE, scattered_cycles(i), 1, 2);
    default: return work(M55_NO_PIPE, 0, 0, 0); /* VPST, VCTP: the control pipe */
    }
}

struct m55_work m55_work(const struct insn *i) {
    if (i->kind >= INSN_MVE_ALU) return vector_work(i);
    if (i->kind >= INSN_FP_MOVE) return fp_work(i);
    switch (i->kind) {
    case INSN_ALU: return scalar(operand2_of(i) == OPERAND2_SHIFTED_REGISTER ? 2u : 1u);
    case INSN_BITFIELD: return scalar(bitfield_cycles(i));
    case INSN_MUL: case INSN_MLA: case INSN_MUL_LONG: case INSN_MLA_LONG: case INSN_MUL_DSP:
        return scalar(2); /* [L] "no forwarding in the ALU normally": not to additions, either */
    case INSN_DIV: {
        struct m55_work w = scalar(1);
        w.alone = 6; /* [L] 2 or more; [M] 2 to 12, by the operands: the middle */
        return w;
    }
    case INSN_LOAD: case INSN_LOAD_DOUBLE: case INSN_STORE: case INSN_STORE_DOUBLE: return work(M55_LOAD_STORE, 1, 2, 0);
    case INSN_LOAD_MULTIPLE: case INSN_STORE_MULTIPLE: return several(i, 0);
    default: return scalar(1);
    }
}

int m55_goes_along(const struct insn *i) {
    if (i->size != 2u) return 0;
    const unsigned six = bits(i, 15, 10), five = bits(i, 15, 11), eight = bits(i, 15, 8);
    if (i->kind == INSN_NOP || i->kind == INSN_IT || i->kind == INSN_BRANCH) return 1;
    return six == 7u || five == 4u || five == 6u || five == 7u || eight == 0x46u || eight == 0xb2u; /* ADD, SUB, MOV, UXTB */
}

int m55_loop_end(const struct insn *i) { return i->kind == INSN_LOOP && bits(i, 19, 16) == 15u && bits(i, 15, 12) == 12u; }

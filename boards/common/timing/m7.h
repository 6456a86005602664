/*
 * Parts of the Cortex-M7 model (core-m7.c): what an instruction needs of the core, and what becomes of branches.
 * Sources, named by these letters in the comments and in the tests. Arm publishes no cycle table for this core.
 *   [J] github.com/jnk0le/random, "pipeline cycle test", cortex_m7.md: measured on STM32H743
 *   [L] LLVM, ARMScheduleM7.td: written by Arm; stages, units, latencies
 *   [Q] quinapalus.com/cm7cycles.html: measured on STM32H730
 *   [T] Arm DDI 0489 (Cortex-M7 TRM): 1.2 (units), ACTLR (branch target address cache, static prediction)
 * What they call "slippery" (a pair that only sometimes issues together) never does here.
 * Not modelled: pairs across a taken branch and what the code's alignment does to pairs [J]; the store buffer, which rows of
 * stores of bytes or unaligned words fill [J]; STM at odd words [J]; division and doubles by their operands; REV forwarded to
 * the same cycle [J]; whether an instruction of an IT block ran.
 */
#ifndef MICROTUNE_TIMING_M7_H
#define MICROTUNE_TIMING_M7_H

#include "core.h"

/* What of the core an instruction needs, as far as it decides about its partner. */
enum unit {
    ALONE, /* no partner: LDRD, LDM, divisions, barriers, two-register transfers … [J, L] */
    PLAIN,
    SHIFT,    /* LSL, LSR …: two shifters, early and late */
    SHIFTED,  /* an operand through the early shifter, or a constant made there */
    BITS,     /* bit fields, DSP: the one SIMD ALU */
    BITS_SHIFTED, /* of these, what uses the early shifter: BFI, UBFX, PKHBT, SXTAB, REV */
    MULTIPLY,
    LOAD,
    STORE,
    BRANCH,
    FP,
    FP_MAC,
    FP_MOVE,
    FP_LOAD,
    FP_STORE,
};
enum unit m7_unit(const struct insn *i);
/* Cycles in which nothing else issues, the first included. */
unsigned m7_cycles(const struct insn *i);
/* Core registers that must be there a cycle before the ALU works: they make an address or go through the early shifter. */
uint32_t m7_early_reads(const struct insn *i);
static inline int m7_multiplies(const struct insn *i) { return i->kind >= INSN_MUL && i->kind <= INSN_MUL_DSP; }
static inline int m7_fp_mac(const struct insn *i) { return i->kind == INSN_FP_MAC || i->kind == INSN_FP_FUSED; }

/* The branch target address cache: sets of four, in which the newest comes first. */
#define M7_TARGET_SETS 16u
#define M7_TARGET_WAYS 4u
struct m7_history {
    struct m7_target {
        uint32_t address, target; /* target 0: empty */
        uint8_t taken;            /* 0 … 3; from 2 on it is predicted taken */
    } set[M7_TARGET_SETS][M7_TARGET_WAYS];
};
/* 1 where the core went on at the right place. Learns. `history` is a struct m7_history. */
uint32_t m7_predict(void *history, const struct insn *i, int taken, const struct insn *target);

#endif

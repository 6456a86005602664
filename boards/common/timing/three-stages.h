/*
 * The three-stage pipeline that Cortex-M3 and Cortex-M4 share; core-m3.c and core-m4.c say what each does differently.
 * Sources, named by these letters in the comments and in the tests:
 *   [T] Arm DDI 0439 (Cortex-M4 TRM) and DDI 0337I (Cortex-M3 TRM): 3.3.1 "instruction set summary" (cycles), 3.3.2
 *       "load/store timings" (pairing), 7.2.3 of DDI 0439 (floating point)
 *   [G] DDI 0337G 1.4 (prefetch unit) and J. Yiu on speculative branching, community.arm.com, thread 8414
 *   [P] github.com/jnk0le/random, "pipeline cycle test", cortex_m3m4.md: measured on STM32F103 (M3) and STM32F407 (M4)
 *   [B] DDI 0337 "bus mapper unaligned accesses": which transfers an unaligned access is made of
 */
#ifndef MICROTUNE_TIMING_THREE_STAGES_H
#define MICROTUNE_TIMING_THREE_STAGES_H

#include "core.h"

struct three_stages {
    uint8_t cycles[INSN_CLASSES]; /* of instructions that do not access memory */
    /* [P] An indexed load never continues a chain of loads (M3), or only on another base register (M4). */
    int indexed_loads_chain;
    /* [P] An indexed store right after a load takes 2 (M3) or 1 (M4). */
    int indexed_store_after_load;
};

struct issued three_stages_issue(const struct three_stages *rules, struct pipe *pipe, const struct insn *i);
uint32_t three_stages_branch(struct pipe *pipe, uint32_t predicted, const struct insn *i, int taken,
                             const struct insn *target);
uint32_t three_stages_unaligned(const struct insn *i, uint32_t address, uint32_t bytes);

#endif

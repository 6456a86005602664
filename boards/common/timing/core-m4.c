/* Cortex-M4. Sources [T] and [P]: see three-stages.h. */
#include "three-stages.h"

static const struct three_stages rules = {
    .cycles =
        {
            /* [T] Table 3-1: one cycle, DSP and 64-bit multiplications included. */
            [INSN_UNKNOWN] = 1, [INSN_MARKER] = 1, [INSN_ALU] = 1, [INSN_BITFIELD] = 1, [INSN_MUL] = 1, [INSN_MLA] = 1,
            [INSN_MUL_LONG] = 1, [INSN_MLA_LONG] = 1, [INSN_MUL_DSP] = 1, [INSN_NOP] = 1,
            /* [T] 2 to 12, by the operands' leading bits, which no model without register values knows: the middle. */
            [INSN_DIV] = 7,
            /* [T] 1, or folded into a 16-bit instruction before ("might"): 1. */
            [INSN_IT] = 1,
            [INSN_SYSTEM] = 2, /* [T] MRS, MSR: 1 or 2; CPS: 1 or 2 */
            [INSN_BARRIER] = 1, /* [T] 1 + B, with B from 0 */
            [INSN_TRAP] = 1, [INSN_PRELOAD] = 1, [INSN_LOOP] = 1,
            [INSN_BRANCH] = 1, [INSN_CALL] = 1, [INSN_BRANCH_REG] = 1, /* [T] 1, and P when taken */
            [INSN_TABLE_BRANCH] = 3, /* [T] 3.3.2: two for the load, one for the addition, then the refill */
            /* [T] Table 7-1. */
            [INSN_FP_MOVE] = 1, [INSN_FP_ADD] = 1, [INSN_FP_MUL] = 1, [INSN_FP_MAC] = 3, [INSN_FP_FUSED] = 3,
            [INSN_FP_DIV] = 14, [INSN_FP_SQRT] = 14, [INSN_FP_COMPARE] = 1, [INSN_FP_CONVERT] = 1, [INSN_FP_STATUS] = 1,
        },
    .indexed_loads_chain = 1,
    .indexed_store_after_load = 1,
};

static struct issued issue(struct pipe *pipe, const struct insn *i) { return three_stages_issue(&rules, pipe, i); }

const struct core core_cortex_m4 = {
    .name = "cortex-m4",
    .bus_bytes = 4,
    .chain_cycles = 1, /* [P] loads pipeline only within one memory block */
    .issue = issue,
    .branch = three_stages_branch,
    .unaligned = three_stages_unaligned,
};
